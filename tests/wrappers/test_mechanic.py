"""mechanize: the paper's algorithm in NumPy, Optax's by Optax, any base, meshes and masks by the laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, batch, near, optax_run, run, same

import gradchain as gc
from gradchain import testing
from tests.reference.mechanic import mechanic


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def exact(found, expected):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-14)


@pytest.fixture
def wide(x64):
    return batch(0, dtype="float64"), [batch(i % 4 + 1, dtype="float64") for i in range(20)]


class Heavy:
    """Gradient descent with momentum."""

    def __init__(self):
        self.sum = 0

    def __call__(self, g):
        self.sum = g + 0.9 * self.sum
        return -0.5 * self.sum


OTHERS = {"weight_decay": 0.3, "s_init": 0.02, "num_betas": 3, "eps": 1e-3}


@pytest.mark.parametrize("given", [{}, OTHERS], ids=["defaults", "others"])
def test_is_the_paper(given, wide):
    params, grads = wide
    tx = gc.mechanize(gc.sgd(0.5, momentum=0.9), **given)
    theirs = {"decay": 0.01, "s_init": 1e-6, "n": 6} | {
        {"weight_decay": "decay", "num_betas": "n"}.get(k, k): v for k, v in given.items()
    }
    expected = mechanic(flat(params), [flat(g) for g in grads], Heavy(), **theirs)
    seen = run(tx, grads, params)
    for (p, _), x in zip(seen, expected, strict=True):
        np.testing.assert_allclose(flat(p), x, rtol=1e-10)
    assert np.abs(expected[-1] - flat(params)).max() > (1e-6 if not given else 0.1)


@pytest.mark.parametrize("given", [{}, OTHERS], ids=["defaults", "others"])
@pytest.mark.parametrize("base", ["sgd", "adam"])
def test_variant_is_optax(base, given, wide):
    optax = pytest.importorskip("optax")
    params, grads = wide
    theirs = optax.contrib.mechanize(getattr(optax, base)(0.5), **given)
    seen = run(gc.mechanize(getattr(gc, base)(0.5), variant="optax", **given), grads, params)
    for (p, state), (q, other) in zip(seen, optax_run(theirs, grads, params), strict=True):
        exact(p, q)
        ours = state["mechanize"]
        assert set(ours._fields) == set(other._fields) - {"base_optimizer_state"}
        for field in ours._fields:
            exact(getattr(ours, field), getattr(other, field))


def test_every_number_matters(wide):
    params, grads = wide

    def trajectory(tx):
        def step(carry, g):
            p, state = tx.step(g, carry[1], carry[0])
            return (p, state), p

        stacked = jax.tree.map(lambda *x: jnp.stack(x), *grads)
        return jax.lax.scan(step, (params, tx.init(params)), stacked)[1]

    testing.sensitive(gc.mechanize(gc.sgd(0.5), **OTHERS), trajectory, 1e-10)


def test_learns_a_rate_that_is_far_off():
    """From a rate a thousand times too small to a minimum that gradient descent then does not see."""

    def end(tx):
        params, state = {"x": jnp.zeros(3)}, tx.init({"x": jnp.zeros(3)})
        step = jax.jit(lambda p, s: tx.step(jax.tree.map(lambda x: x - 1.0, p), s, p))
        for _ in range(200):
            params, state = step(params, state)
        return float(jnp.max(jnp.abs(params["x"] - 1)))

    assert end(gc.sgd(1e-4)) > 0.9
    assert end(gc.mechanize(gc.sgd(1e-4))) < 0.1


def test_extra_arguments_accumulation_and_donation():
    tx = gc.accumulate(gc.mechanize(gc.momo(), s_init=0.01), 2)
    step = jax.jit(lambda p, s, g: tx.step(g, s, p, value=1.0), donate_argnums=(0, 1))
    params = jax.tree.map(jnp.copy, PARAMS)
    state = tx.init(params)
    for g in GRADS:
        params, state = step(params, state, g)
    assert int(state["mechanize"].count) == 4 and step._cache_size() == 1
    whole = [jax.tree.map(lambda x, y: (x + y) / 2, *GRADS[i : i + 2]) for i in range(0, 8, 2)]
    expected, _ = run(gc.mechanize(gc.momo(), s_init=0.01), whole, value=[1.0] * 4)[-1]
    near(params, expected)


def test_groups_have_scales_of_their_own():
    mech = lambda: gc.mechanize(gc.sgd(0.5), s_init=0.1)  # noqa: E731
    params, state = run(gc.partition({"a": mech(), "b": gc.sgd(0.1)}, {"bias": "b", "**": "a"}), GRADS)[-1]
    alone, _ = run(mech(), [{"kernel": g["kernel"]} for g in GRADS], {"kernel": PARAMS["kernel"]})[-1]
    near({"kernel": params["kernel"]}, alone)
    assert jax.tree.leaves(state["a"]["mechanize"].x0)[0].shape == (3, 2)


def test_first_step_is_none_and_needs_parameters():
    tx = gc.mechanize(gc.sgd(1.0))
    same(run(tx, GRADS[:1])[0][0], PARAMS)
    with pytest.raises(ValueError, match="mechanize needs the parameters"):
        tx.update(GRADS[0], tx.init(PARAMS))
