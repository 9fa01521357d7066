"""cautious, Grams, grafting, parallel branches: what they are made of, and where they change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, near, run, same

import gradchain as gc

POSITIVE = [jax.tree.map(jnp.abs, g) for g in GRADS]


@pytest.mark.parametrize("descends", [True, False])
def test_cautious_with_all_signs_equal_is_the_base(descends):
    """Gradients of one sign: so are their means, and the mask is 1."""
    base = gc.adam(0.1) if descends else gc.scale_by_adam()
    end = gc.identity() if descends else gc.scale(-0.1)
    found = run(gc.chain(gc.cautious(base, descends=descends), end), POSITIVE)
    near(found[-1][0], run(gc.chain(base, end), POSITIVE)[-1][0], rtol=1e-6)


def test_cautious_moves_nothing_against_the_gradient():
    tx = gc.cautious(gc.adam(0.1))
    p, s = PARAMS, tx.init(PARAMS)
    masked = 0
    for g in GRADS:
        u, s = tx.update(g, s, p)
        for x, y in zip(jax.tree.leaves(u), jax.tree.leaves(g), strict=True):
            assert bool(jnp.all(x * y <= 0))
            masked += int(jnp.sum(x == 0))
    assert masked > 0


def test_cautious_counts_each_layer_by_itself():
    stack = {"layers": jnp.ones((2, 2, 2))}
    g = {"layers": jnp.stack([jnp.ones((2, 2)), jnp.array([[1.0, 1.0], [1.0, -1.0]])])}
    tx = gc.cautious(gc.stateless(lambda g, p: jax.tree.map(lambda x: -jnp.abs(x), g)))
    u, _ = tx.update(g, tx.init(stack), stack)
    np.testing.assert_allclose(u["layers"][0], -1)
    np.testing.assert_allclose(u["layers"][1], [[-4 / 3, -4 / 3], [-4 / 3, 0]], rtol=1e-6)


def test_a_wrapper_without_state_adds_no_entry():
    assert gc.cautious(gc.adam(0.1)).init(PARAMS).keys() == gc.adam(0.1).init(PARAMS).keys()
    scheduled = gc.cautious(gc.adam(0.1), eps=lambda step: 0.5 / (1 + step))
    state = run(scheduled, GRADS[:2])[-1][1]
    assert float(gc.hyperparams(scheduled, state)["cautious/eps"]) == 0.25


def test_grams_has_the_size_of_the_base_and_the_sign_of_the_gradient():
    base = gc.adam(0.1)
    tx, p = gc.grams(base), PARAMS
    s, t = tx.init(p), base.init(p)
    for g in GRADS[:3]:
        u, s = tx.update(g, s, p)
        v, t = base.update(g, t, p)
        same(jax.tree.map(jnp.abs, u), jax.tree.map(jnp.abs, v))
        same(jax.tree.map(jnp.sign, u), jax.tree.map(lambda x: -jnp.sign(x), g))


SLOW = [pytest.param(over, marks=pytest.mark.slow) for over in ("leaf", "tree")]


@pytest.mark.parametrize("over", ["layer", *SLOW])
def test_grafting_on_itself_is_itself(over):
    base = gc.adamw(0.1, weight_decay=0.2)
    near(run(gc.grafting(base, base, over=over), GRADS)[-1][0], run(base, GRADS)[-1][0])


def test_grafting_takes_norms_by_layer():
    stack = {"layers": jnp.ones((2, 2, 2))}
    g = {"layers": jnp.stack([jnp.ones((2, 2)), 3 * jnp.ones((2, 2))])}
    for over, sizes in (("layer", (1, 3)), ("leaf", (5**0.5, 5**0.5))):
        tx = gc.grafting(gc.scale_by_sign(), gc.identity(), over=over)
        u, _ = tx.update(g, tx.init(stack), stack)
        np.testing.assert_allclose(u["layers"][:, 0, 0], sizes, rtol=1e-6)
    zero = jax.tree.map(jnp.zeros_like, g)
    same(tx.update(zero, tx.init(stack), stack)[0], zero)


def test_parallel_of_one_is_that_one():
    base = gc.adam(0.1)
    for made in (gc.parallel({"a": base}), gc.parallel({"a": base}, merge="mean")):
        same(run(made, GRADS)[-1][0], run(base, GRADS)[-1][0])
    state = made.init(PARAMS)
    assert list(state) == ["a"] and state["a"].keys() == base.init(PARAMS).keys()


def test_parallel_merges_as_it_is_told():
    a, b = gc.sgd(0.1), gc.sgd(0.3)
    assert gc.parallel({"a": a, "b": b}).init(PARAMS).keys() == {"a", "b"}
    wanted = {
        "sum": (gc.parallel({"a": a, "b": b}), 0.4),
        "mean": (gc.parallel({"a": a, "b": b}, merge="mean"), 0.2),
        "weights": (gc.parallel({"a": a, "b": b}, weights={"a": 1.0, "b": 2.0}), 0.7),
        "function": (gc.parallel({"a": a, "b": b}, merge=lambda found: found["b"]), 0.3),
    }
    for tx, rate in wanted.values():
        near(run(tx, GRADS[:3])[-1][0], run(gc.sgd(rate), GRADS[:3])[-1][0])


def test_within_masks_chains_and_codes():
    """A parallel branch in a chain, under a mask, in 8 bits: the state of a branch keeps its name."""
    branches = gc.parallel({"a": gc.scale_by_adam(), "b": gc.trace(0.9)})
    tx = gc.chain(gc.clip(1.0), gc.masked(branches, "bias"), gc.scale(-0.1))
    stored = gc.stored(tx, "log8", min_size=0)
    state = run(stored, GRADS[:3])[-1][1]
    assert state["a"]["scale_by_adam"].mu["bias"].dtype == jnp.int8
    assert "kernel" not in state["a"]["scale_by_adam"].mu
    near(run(stored, GRADS[:3])[-1][0]["kernel"], run(tx, GRADS[:3])[-1][0]["kernel"])
    with pytest.raises(ValueError, match="two ways to merge"):
        gc.parallel({"a": gc.adam(0.1)}, weights={"a": 1.0}, merge=lambda found: found["a"])


def test_cautious_decay_only_shrinks_what_the_step_shrinks():
    p = {"a": jnp.array([2.0, -2.0, 0.0, 3.0])}
    u = {"a": jnp.array([1.0, 1.0, 1.0, 0.0])}
    tx = gc.add_cautious_decayed_weights(0.5)
    found, _ = tx.update(u, tx.init(p), p)
    np.testing.assert_allclose(found["a"], [2.0, 1.0, 1.0, 1.5])
    tiny = jax.tree.map(lambda x: 1e-30 * x, u)
    np.testing.assert_allclose(tx.update(tiny, tx.init(p), p)[0]["a"], [1.0, 0.0, 0.0, 1.5], atol=1e-29)
