"""masked, partition, freeze: state where a transform acts and nowhere else; frozen leaves cost nothing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.core.transform import example

PARAMS = {
    "encoder": {"kernel": jnp.full((3, 2), 0.5), "bias": jnp.ones(2)},
    "head": {"kernel": jnp.full((2, 4), -0.5), "bias": jnp.ones(4)},
}
GRADS = jax.tree.map(lambda p: 0.1 * p + 1, PARAMS)


def held(tx, params=PARAMS) -> dict[str, set[str]]:
    """For each field of the state, the parameters that it holds something of."""
    found: dict[str, set[str]] = {}
    for name, state in tx.init(params).items():
        for field, value in zip(getattr(state, "_fields", ()), state, strict=False):
            if isinstance(value, dict) and field != "hyperparams":
                found[f"{name}.{field}"] = set(gc.tree.paths(value))
    return found


def equal(x, y):
    jax.tree.map(np.testing.assert_array_equal, x, y)


def steps(tx, n=3, params=PARAMS):
    state = tx.init(params)
    for _ in range(n):
        params, state = tx.step(GRADS, state, params)
    return params


@pytest.mark.parametrize(
    "mask",
    [
        "*/kernel",
        re.compile("kernel"),
        lambda path, leaf: leaf.ndim == 2,
        lambda params: jax.tree.map(lambda p: p.ndim == 2, params),
        {"encoder": {"kernel": True, "bias": False}, "head": {"kernel": True, "bias": False}},
    ],
    ids=["glob", "regex", "predicate", "function", "tree"],
)
def test_masked(mask):
    tx = gc.masked(gc.scale_by_adam(), mask)
    assert held(tx) == {f"scale_by_adam.{f}": {"encoder/kernel", "head/kernel"} for f in ("mu", "nu")}
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    whole, _ = gc.scale_by_adam().update(GRADS, gc.scale_by_adam().init(PARAMS))
    equal(updates["head"]["kernel"], whole["head"]["kernel"])
    equal(updates["head"]["bias"], GRADS["head"]["bias"])  # passes through


def test_where_and_masked_agree():
    inside = gc.chain(gc.scale_by_adam(), gc.add_decayed_weights(0.5, "*/kernel"))
    around = gc.chain(gc.scale_by_adam(), gc.masked(gc.add_decayed_weights(0.5), "*/kernel"))
    equal(steps(inside), steps(around))


@pytest.mark.parametrize(
    "outer, inner",
    [
        ("encoder/**", "**/kernel"),
        ("**/kernel", "encoder/**"),
        ("encoder/*", lambda path, leaf: leaf.ndim == 2),
    ],
)
def test_nested_masks(outer, inner):
    """google-deepmind/optax#271: a mask inside a mask sees the leaves that are left, by their full paths."""
    tx = gc.masked(gc.masked(gc.scale_by_adam(), inner), outer)
    assert held(tx) == {f"scale_by_adam.{f}": {"encoder/kernel"} for f in ("mu", "nu")}
    chained = gc.chain(gc.masked(gc.chain(gc.masked(gc.scale_by_adam(), inner)), outer), gc.scale(-0.1))
    updates, _ = chained.update(GRADS, chained.init(PARAMS), PARAMS)
    np.testing.assert_allclose(updates["encoder"]["kernel"], -0.1, rtol=1e-5)
    np.testing.assert_allclose(updates["head"]["kernel"], -0.1 * GRADS["head"]["kernel"], rtol=1e-6)


def test_mask_inside_keeps_the_path_in_the_state():
    """A wrapper does not move the path of what it wraps."""
    assert set(gc.masked(gc.adam(0.1), "*/kernel").init(PARAMS)) == set(gc.adam(0.1).init(PARAMS))
    assert gc.masked(gc.scale_by_adam(), "**").init(PARAMS)["scale_by_adam"].mu.keys() == set(
        gc.tree.paths(PARAMS)
    )


@pytest.mark.parametrize(
    "labels",
    [
        {"**/bias": "plain", "**": "adam"},
        lambda path, leaf: "plain" if leaf.ndim == 1 else "adam",
        lambda params: jax.tree.map(lambda p: "plain" if p.ndim == 1 else "adam", params),
        {"encoder": {"kernel": "adam", "bias": "plain"}, "head": {"kernel": "adam", "bias": "plain"}},
    ],
    ids=["patterns", "predicate", "function", "tree"],
)
def test_partition(labels):
    tx = gc.partition({"plain": gc.scale(-1.0), "adam": gc.adam(0.1)}, labels)
    state = tx.init(PARAMS)
    assert list(state) == ["adam"]
    assert set(state["adam"]["scale_by_adam"].mu) == {"encoder/kernel", "head/kernel"}
    updates, _ = tx.update(GRADS, state, PARAMS)
    equal(updates["head"]["bias"], -GRADS["head"]["bias"])
    expected, _ = gc.adam(0.1).update(GRADS, gc.adam(0.1).init(PARAMS), PARAMS)
    equal(updates["encoder"]["kernel"], expected["encoder"]["kernel"])


def test_partition_by_prefix():
    tx = gc.partition({"slow": gc.scale(0.1), "fast": gc.scale(1.0)}, {"encoder": "slow", "head": "fast"})
    updates, _ = tx.update(GRADS, tx.init(PARAMS))
    np.testing.assert_allclose(updates["encoder"]["bias"], 0.1 * GRADS["encoder"]["bias"], rtol=1e-6)
    equal(updates["head"], GRADS["head"])


@pytest.mark.parametrize("labels", [{"**/kernel": "adam"}, lambda path, leaf: "other", {"encoder": "adam"}])
def test_every_leaf_is_in_a_group(labels):
    tx = gc.partition({"adam": gc.adam(0.1)}, labels)
    with pytest.raises(
        ValueError, match=r"partition: the leaf '.*' has the label .*; expected one of \['adam'\]"
    ):
        tx.init(PARAMS)


def test_freeze():
    tx = gc.chain(gc.adam(0.1), gc.freeze("encoder/**"))
    assert held(tx)["scale_by_adam.mu"] == {"head/kernel", "head/bias"}
    after = steps(tx)
    equal(after["encoder"], PARAMS["encoder"])
    equal(after["head"], steps(gc.adam(0.1))["head"])
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    equal(updates["encoder"], jax.tree.map(jnp.zeros_like, PARAMS["encoder"]))


@pytest.mark.parametrize("where", [0, 1, 2])
def test_freeze_anywhere_in_a_chain(where):
    links = [gc.scale_by_adam(), gc.scale_by_learning_rate(0.1)]
    links.insert(where, gc.freeze("encoder/**"))
    equal(steps(gc.chain(*links)), steps(gc.chain(gc.freeze("encoder/**"), gc.adam(0.1))))


def test_freeze_by_itself_and_twice():
    updates, _ = gc.freeze("encoder/**").update(GRADS, {}, PARAMS)
    assert not np.any(updates["encoder"]["kernel"])
    equal(updates["head"], GRADS["head"])
    twice = gc.chain(gc.freeze("encoder/**"), gc.adam(0.1), gc.freeze("**/bias"))
    assert held(twice)["scale_by_adam.mu"] == {"head/kernel"}


def test_frozen_nan_does_no_harm():
    """A frozen leaf counts in no norm and no check: its gradient may hold anything."""
    bad = {**GRADS, "encoder": jax.tree.map(lambda g: jnp.full_like(g, jnp.nan), GRADS["encoder"])}
    tx = gc.chain(gc.freeze("encoder/**"), gc.adam(0.1))
    after, state = tx.step(bad, tx.init(PARAMS), PARAMS)
    equal(after["encoder"], PARAMS["encoder"])
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((after, state)))


def test_gradients_of_frozen_leaves_are_not_computed():
    """In the compiled program: the work of the backward pass into the frozen layers is gone."""
    n, batch = 64, 32
    params = {f"layer{i}": {"kernel": jnp.ones((n, n)) / n} for i in range(4)}
    x = jnp.ones((batch, n))

    def flops(tx):
        def train(params, state, x):
            def loss(params):
                h = x
                for layer in params.values():
                    h = jnp.tanh(h @ layer["kernel"])
                return jnp.sum(h)

            return tx.step(jax.grad(loss)(params), state, params)

        return jax.jit(train).lower(params, tx.init(params), x).compile().cost_analysis()["flops"]

    matmul = 2 * batch * n * n
    whole = flops(gc.adam(0.1))
    frozen = flops(gc.chain(gc.freeze(["layer0/**", "layer1/**", "layer2/**"]), gc.adam(0.1)))
    assert whole > 11 * matmul  # 4 forward, 4 for the weights, 3 for the activations
    assert frozen < 5.5 * matmul  # 4 forward, 1 for the weights of the last layer


def test_masks_see_variables_of_nnx_as_leaves():
    from flax import nnx

    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    params = nnx.state(model, nnx.Param)
    tx = gc.chain(gc.masked(gc.scale_by_adam(), "kernel"), gc.scale_by_learning_rate(0.1))
    state = tx.init(params)
    assert set(state["scale_by_adam"].mu) == {"kernel"}
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    before = np.asarray(model.bias[...])
    grads = nnx.grad(lambda m: jnp.sum(m(jnp.ones((1, 3)))))(model)
    optimizer.update(model, grads)
    np.testing.assert_allclose(model.bias[...], before - 0.1, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(gc.REGISTRY))
def test_a_predicate_that_chooses_nothing(name):
    """A model without convolutions, and a mask for them: all updates pass through. Traced, not compiled."""
    tx = gc.masked(example(name), lambda path, leaf: False)
    if tx.body.needs:
        pytest.skip("needs the loss")
    state = jax.eval_shape(tx.init, PARAMS)
    updates, new = jax.eval_shape(tx.update, GRADS, state, PARAMS)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert updates == jax.eval_shape(lambda: GRADS)


@pytest.mark.parametrize(
    "tx",
    [
        gc.adamw(0.1, mask=lambda path, leaf: leaf.ndim == 5),
        gc.chain(gc.freeze(lambda path, leaf: False), gc.adam(0.1)),
        gc.chain(gc.freeze(lambda path, leaf: True), gc.clip_by_global_norm(1.0), gc.adam(0.1)),
        gc.offload(gc.adam(0.1), lambda path, slot: False, min_size=0),
        gc.partition({"a": gc.adam(0.1), "b": gc.muon(0.1)}, lambda path, leaf: "a"),
    ],
    ids=["decay", "freeze", "all", "offload", "partition"],
)
@pytest.mark.filterwarnings("ignore:offload")
def test_nothing_chosen_in_other_places(tx):
    state = tx.init(PARAMS)
    new, after = jax.eval_shape(tx.step, GRADS, state, PARAMS)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    assert jax.tree.structure(new) == jax.tree.structure(PARAMS)
