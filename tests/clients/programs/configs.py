"""Optimizers built from configurations, as trainers of language models do."""

import re
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import optax

_PARAMS = {
    "token_embedder": {"embedding": jnp.linspace(-1, 1, 8).reshape(4, 2)},
    "decoder": {
        "layer_0": {"mlp": {"kernel": jnp.ones((2, 4))}, "norm": {"scale": jnp.ones(2)}},
        "head": {"kernel": jnp.full((2, 3), 0.5), "bias": jnp.zeros(3)},
    },
}
_GRADS = jax.tree.map(lambda x: 0.1 * jnp.cos(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape), _PARAMS)


def _run(tx, steps=3):
    params, state = _PARAMS, tx.init(_PARAMS)
    for _ in range(steps):
        updates, state = tx.update(_GRADS, state, params)
        params = optax.apply_updates(params, updates)
    return params


def _names(params):
    flat = jax.tree_util.tree_flatten_with_path(params)[0]
    return ["/".join(str(k.key) for k in path) for path, _ in flat]


def config_of_a_language_model():
    config = SimpleNamespace(lr=3e-2, warmup=2, steps=10, final=0.1, b1=0.9, b2=0.95, eps=1e-8, decay=0.1)
    schedule = optax.join_schedules(
        [
            optax.linear_schedule(0.0, config.lr, config.warmup),
            optax.cosine_decay_schedule(config.lr, config.steps - config.warmup, alpha=config.final),
            optax.constant_schedule(0.0),
        ],
        boundaries=[config.warmup, config.steps],
    )
    tx = optax.adamw(
        schedule, b1=config.b1, b2=config.b2, eps=config.eps, eps_root=0.0, weight_decay=config.decay
    )
    return _run(tx, 4), [schedule(i) for i in (0, 1, 5, 11)]


def config_without_warmup():
    """Warm-up variables are zero unless somebody sets them."""
    warmup_steps = 0
    warmup = optax.linear_schedule(init_value=0.0, end_value=1e-2, transition_steps=warmup_steps)
    decay = optax.linear_schedule(init_value=1e-2, end_value=0.0, transition_steps=5)
    return _run(optax.adamw(optax.join_schedules([warmup, decay], boundaries=[warmup_steps])))


def config_without_warmup_cosine():
    schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-2, warmup_steps=0, decay_steps=8, end_value=1e-3)
    return _run(optax.adamw(schedule)), [schedule(jnp.asarray(i)) for i in range(3)]


def config_mask_by_pattern():
    def mask(params):
        no_decay = re.compile(r"(bias|scale|embedding)$")
        treedef = jax.tree.structure(params)
        return treedef.unflatten([no_decay.search(name) is None for name in _names(params)])

    return _run(optax.adamw(1e-2, weight_decay=0.1, mask=mask))


def config_mask_by_rank():
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b1=0.9, b2=0.95),
        optax.add_decayed_weights(0.1, mask=lambda p: jax.tree.map(lambda x: x.ndim >= 2, p)),
        optax.scale_by_learning_rate(optax.warmup_cosine_decay_schedule(0.0, 1e-2, 2, 8)),
    )
    return _run(tx)


def config_nothing_frozen():
    """A mask of all False, as where no pattern to freeze is given."""
    frozen = jax.tree.map(lambda _: False, _PARAMS)
    tx = optax.chain(optax.adam(1e-2), optax.masked(optax.set_to_zero(), frozen))
    return _run(tx), _run(optax.masked(optax.adam(1e-2), frozen))


def config_frozen_embeddings():
    frozen = jax.tree_util.tree_map_with_path(
        lambda path, _: any(k.key == "token_embedder" for k in path), _PARAMS
    )
    return _run(optax.chain(optax.masked(optax.set_to_zero(), frozen), optax.adam(1e-2)))


def config_rates_by_layer():
    labels = jax.tree_util.tree_map_with_path(lambda path, _: str(path[0].key), _PARAMS)
    scales = {"token_embedder": 0.1, "decoder": 1.0}
    tx = optax.multi_transform({k: optax.adamw(1e-2 * s) for k, s in scales.items()}, labels)
    return _run(tx)


def config_labels_by_function_with_unused_group():
    def label(params):
        return jax.tree.map(lambda x: "matrix" if x.ndim == 2 else "vector", params)

    groups = {"matrix": optax.adamw(1e-2), "vector": optax.adam(1e-1), "unused": optax.sgd(1.0)}
    return _run(optax.multi_transform(groups, label))


def config_matrices_by_another_rule():
    def label(params):
        return jax.tree_util.tree_map_with_path(
            lambda path, x: "muon" if x.ndim == 2 and "embedding" not in path[-1].key else "adam", params
        )

    groups = {"muon": optax.contrib.muon(2e-2), "adam": optax.adamw(1e-2)}
    return _run(optax.multi_transform(groups, label))


def config_of_adafactor():
    schedule = optax.join_schedules(
        [optax.linear_schedule(0.0, 1e-2, 2), lambda step: 1e-2 / jnp.sqrt(step + 1)], [2]
    )
    tx = optax.adafactor(
        learning_rate=schedule, min_dim_size_to_factor=2, decay_rate=0.8, multiply_by_parameter_scale=True,
        weight_decay_rate=1e-3, momentum=0.9,
    )  # fmt: skip
    return _run(tx)


def config_inverse_square_root():
    def schedule(step):
        step = jnp.asarray(step, jnp.float32)
        return 1e-1 * jnp.minimum((step + 1) / 4, jnp.sqrt(4 / (step + 1)))

    return _run(optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(lambda s: -schedule(s))))


def config_of_schedules_by_name():
    kinds = {
        "constant": lambda: optax.constant_schedule(1e-2),
        "exponential": lambda: optax.exponential_decay(1e-2, 10, 0.9, staircase=True),
        "piecewise": lambda: optax.piecewise_constant_schedule(1e-2, {2: 0.1, 4: 0.1}),
        "polynomial": lambda: optax.polynomial_schedule(1e-2, 1e-4, power=2, transition_steps=10),
        "onecycle": lambda: optax.cosine_onecycle_schedule(100, 1e-2),
        "warm_exponential": lambda: optax.warmup_exponential_decay_schedule(0.0, 1e-2, 3, 10, 0.5),
        "restarts": lambda: optax.sgdr_schedule(
            [{"init_value": 0.0, "peak_value": 1e-2, "decay_steps": 5, "warmup_steps": 1}] * 2
        ),
    }
    return {name: [make()(step) for step in (0, 1, 3, 7)] for name, make in kinds.items()}


def config_clip_after_and_before():
    tx = optax.chain(
        optax.zero_nans(), optax.clip_by_block_rms(1.0), optax.scale_by_adam(), optax.clip(1.0),
        optax.scale_by_trust_ratio(), optax.scale(-1e-2), optax.keep_params_nonnegative(),
    )  # fmt: skip
    params = jax.tree.map(jnp.abs, _PARAMS)
    return tx.update(_GRADS, tx.init(params), params)[0]


def config_named_chain():
    tx = optax.named_chain(
        ("clip", optax.clip(0.05)), ("adam", optax.scale_by_adam()), ("lr", optax.scale(-0.1))
    )
    state = tx.init(_PARAMS)
    _, state = tx.update(_GRADS, state, _PARAMS)
    return state["adam"].count, state["adam"].mu


def config_low_precision_moments():
    tx = optax.adamw(1e-2, mu_dtype=jnp.bfloat16)
    state = tx.init(_PARAMS)
    _, state = tx.update(_GRADS, state, _PARAMS)
    assert jax.tree.leaves(state[0].mu)[0].dtype == jnp.bfloat16
    return _run(tx)


def config_shampoo_like_graft():
    """The direction of one optimizer with the size of another."""
    first, second = optax.scale_by_adam(), optax.trace(0.9)
    states = first.init(_PARAMS), second.init(_PARAMS)
    one, _ = first.update(_GRADS, states[0], _PARAMS)
    other, _ = second.update(_GRADS, states[1], _PARAMS)
    return jax.tree.map(lambda a, b: a * optax.safe_norm(b, 1e-16) / optax.safe_norm(a, 1e-16), one, other)


def config_global_norm_for_the_log():
    tx = optax.chain(optax.clip_by_global_norm(0.1), optax.adamw(1e-2))
    updates, _ = tx.update(_GRADS, tx.init(_PARAMS), _PARAMS)
    return {
        "grad": optax.global_norm(_GRADS),
        "update": optax.global_norm(updates),
        "n": len(_names(_PARAMS)),
    }
