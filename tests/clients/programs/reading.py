"""Programs that read and change a state by the positions, classes and fields that Optax's have."""

import jax
import jax.numpy as jnp
import optax

_PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, -0.1])}
_GRADS = {"w": jnp.array([[0.3, 0.1], [-0.2, 0.4]]), "b": jnp.array([1.0, -1.0])}


def _after(tx, steps=3):
    state = tx.init(_PARAMS)
    for _ in range(steps):
        _, state = tx.update(_GRADS, state, _PARAMS)
    return state


def moments_by_position():
    opt_state = _after(optax.adam(1e-3))
    return opt_state[0].mu, opt_state[0].nu, opt_state[0].count


def count_in_a_chain_in_a_chain():
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.cosine_decay_schedule(1e-2, 10)))
    opt_state = _after(tx)
    return opt_state[1][0].count, opt_state[1][-1].count, opt_state[1][0].mu["b"]


def count_of_one_link():
    return optax.scale_by_adam().init(_PARAMS).count, _after(optax.scale_by_adam()).count


def trace_of_one_link():
    return _after(optax.trace(decay=0.9)).trace


def momentum_of_sgd():
    return _after(optax.sgd(0.1, momentum=0.9))[0].trace


def learning_rate_set_last_in_a_chain():
    tx = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.inject_hyperparams(optax.adam)(learning_rate=1e-3),
    )
    opt_state = tx.init(_PARAMS)
    opt_state[-1].hyperparams["learning_rate"] = 1e-1
    updates, opt_state = tx.update(_GRADS, opt_state, _PARAMS)
    return updates, opt_state[-1].hyperparams["learning_rate"]


def learning_rate_read_for_the_log():
    schedule = optax.linear_schedule(1e-2, 0.0, 10)
    tx = optax.inject_hyperparams(optax.adamw)(learning_rate=schedule, weight_decay=1e-2)
    state = tx.init(_PARAMS)
    rates = []
    for _ in range(3):
        _, state = tx.update(_GRADS, state, _PARAMS)
        rates.append(state.hyperparams["learning_rate"])
    return rates, state.hyperparams["weight_decay"], state.count


def moments_of_the_injected():
    state = _after(optax.inject_hyperparams(optax.adam)(learning_rate=1e-3))
    return state.inner_state[0].mu


def count_reset_by_replace():
    tx = optax.adam(1e-1)
    opt_state = _after(tx)
    opt_state = (opt_state[0]._replace(count=jnp.zeros([], jnp.int32)), *opt_state[1:])
    updates, opt_state = tx.update(_GRADS, opt_state, _PARAMS)
    return updates, opt_state[0].count


def moments_reset_keeping_the_rest():
    tx = optax.chain(optax.clip(1.0), optax.scale_by_adam(), optax.scale(-0.1))
    opt_state = _after(tx)
    zeros = jax.tree.map(jnp.zeros_like, opt_state[1].mu)
    opt_state = opt_state[:1] + (opt_state[1]._replace(mu=zeros, nu=zeros),) + opt_state[2:]  # noqa: RUF005
    return tx.update(_GRADS, opt_state, _PARAMS)[0]


def moments_scaled_in_place():
    """As in fine tuning that begins with smaller moments."""
    tx = optax.adamw(1e-2)
    adam, *rest = _after(tx)
    adam = optax.ScaleByAdamState(count=adam.count, mu=jax.tree.map(lambda m: 0.1 * m, adam.mu), nu=adam.nu)
    return tx.update(_GRADS, (adam, *rest), _PARAMS)[0]


def walk_by_class():
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.scale_by_adam(), optax.scale_by_schedule(lambda c: -0.1)
    )
    found = []
    for part in _after(tx):
        if isinstance(part, optax.ScaleByAdamState):
            found += [part.count, part.mu["b"]]
        elif isinstance(part, optax.ScaleByScheduleState):
            found.append(part.count + 100)
        elif isinstance(part, optax.EmptyState):
            found.append(-1)
        else:
            raise TypeError(type(part))
    return found


def find_adam_recursively():
    def find(state):
        if isinstance(state, optax.ScaleByAdamState):
            return state
        if isinstance(state, tuple):
            for part in state:
                if (found := find(part)) is not None:
                    return found
        return None

    return find(_after(optax.chain(optax.zero_nans(), optax.chain(optax.adamw(0.1))))).nu


def tree_map_with_is_leaf():
    def is_adam(x):
        return isinstance(x, optax.ScaleByAdamState)

    state = _after(optax.chain(optax.adam(0.1), optax.ema(0.9)))
    leaves = jax.tree.leaves(state, is_leaf=is_adam)
    return [leaf.mu for leaf in leaves if is_adam(leaf)]


def masked_nodes():
    tx = optax.masked(optax.trace(0.9), {"w": True, "b": False})
    state = _after(tx)
    inner = state.inner_state
    assert isinstance(state, optax.MaskedState)
    assert isinstance(inner.trace["b"], optax.MaskedNode)
    return inner.trace["w"]


def leaves_without_masked_nodes():
    tx = optax.masked(optax.adam(0.1), {"w": False, "b": True})
    state = _after(tx)
    nodes = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, optax.MaskedNode))
    return sum(isinstance(x, optax.MaskedNode) for x in nodes), jax.tree.leaves(state)


def groups_of_a_partition():
    tx = optax.multi_transform(
        {"fast": optax.adam(1e-1), "slow": optax.sgd(1e-3, momentum=0.9)}, {"w": "fast", "b": "slow"}
    )
    state = _after(tx)
    assert isinstance(state, optax.MultiTransformState)
    fast = state.inner_states["fast"].inner_state
    return fast[0].mu["w"], fast[0].count, state.inner_states["slow"].inner_state[0].trace["b"]


def rates_of_groups_set():
    tx = optax.multi_transform(
        {name: optax.inject_hyperparams(optax.sgd)(learning_rate=0.1) for name in ("actor", "critic")},
        {"w": "actor", "b": "critic"},
    )
    state = tx.init(_PARAMS)
    for scale, name in enumerate(("actor", "critic"), 1):
        state.inner_states[name].inner_state.hyperparams["learning_rate"] = jnp.asarray(0.01 * scale)
    return tx.update(_GRADS, state, _PARAMS)[0]


def steps_of_multisteps():
    tx = optax.MultiSteps(optax.adam(1e-2), every_k_schedule=2)
    state = _after(tx)
    return state.gradient_step, state.mini_step, state.acc_grads, state.inner_opt_state[0].count


def counters_of_finiteness():
    tx = optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=5)
    state = _after(tx)
    _, state = tx.update({"w": _GRADS["w"] * jnp.nan, "b": _GRADS["b"]}, state, _PARAMS)
    return state.notfinite_count, state.last_finite, state.total_notfinite


def state_found_by_name():
    state = _after(optax.chain(optax.clip(1.0), optax.adam(1e-3)))
    count = optax.tree_utils.tree_get(state, "count")
    return count, optax.tree_utils.tree_get(state, "mu")


def state_set_by_name():
    tx = optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)
    state = optax.tree_utils.tree_set(tx.init(_PARAMS), learning_rate=0.5)
    updates, state = tx.update(_GRADS, state, _PARAMS)
    return updates, optax.tree_utils.tree_get(state, "learning_rate")


def all_counts_by_name():
    state = _after(optax.adam(optax.linear_schedule(1e-2, 0.0, 10)))
    return [value for _, value in optax.tree_utils.tree_get_all_with_path(state, "count")]


def average_of_parameters():
    tx = optax.chain(optax.sgd(0.1), optax.ema(0.5))
    state = _after(tx)
    assert isinstance(state[-1], optax.EmaState)
    return state[-1].ema, state[-1].count


def factors_of_adafactor():
    params = {"w": jnp.ones((128, 256))}
    state = optax.adafactor(1e-2).init(params)
    first = state[0]
    assert isinstance(first, optax.FactoredState)
    return first.v_row["w"].shape, first.v_col["w"].shape, first.v["w"].shape


def size_of_state():
    state = optax.adamw(1e-3).init(_PARAMS)
    return sum(x.size for x in jax.tree_util.tree_leaves(state)), len(jax.tree.leaves(state))
