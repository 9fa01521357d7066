"""Complex leaves as pairs of real ones: beside Optax, and as two real parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, draw, take

SHAPES = {"kernel": (4, 3), "bias": (3,)}


def complex_problem(steps: int = 4):
    """Parameters and gradients with a complex kernel and a real bias, in 64 bits."""
    parts = [draw({**SHAPES, "imaginary": (4, 3)}, i, "float64") for i in range(steps + 1)]
    whole = lambda x: {"kernel": x["kernel"] + 1j * x["imaginary"], "bias": x["bias"]}  # noqa: E731
    params, *grads = map(whole, parts)
    return params, grads


def test_is_two_real_parameters(x64):
    params, grads = complex_problem()
    apart = lambda x: {"re": x["kernel"].real, "im": x["kernel"].imag, "bias": x["bias"]}  # noqa: E731
    for tx in (gc.adam(0.1), gc.rprop(0.1), gc.chain(gc.clip_by_global_norm(1.0), gc.sgd(0.1, 0.9))):
        found = take(gc.split_real_and_imaginary(tx), params, grads).params
        expected = take(tx, apart(params), list(map(apart, grads))).params
        close(apart(found), expected, 1e-12)
        assert {k: x.dtype for k, x in found.items()} == {k: x.dtype for k, x in params.items()}


def test_is_optax(x64):
    optax = pytest.importorskip("optax")
    params, grads = complex_problem()
    found = take(gc.split_real_and_imaginary(gc.adam(0.1)), params, grads)
    other = optax.contrib.split_real_and_imaginary(optax.adam(0.1))
    theirs = take(other, params, grads)
    close(found.params, theirs.params, 1e-12)
    mu, pair = found.state["scale_by_adam"].mu["kernel"], theirs.state.inner_state[0].mu["kernel"]
    close([mu.real, mu.imaginary], list(pair), 1e-12)


def test_parts_are_read_and_selected_as_leaves():
    """Axes are the leaf's own; a mask names the parts."""
    tx = gc.split_real_and_imaginary(gc.lamb(0.1))
    params = {"layers": {"kernel": jnp.ones((2, 4, 3), jnp.complex64)}}
    slots = tx.slots(jax.eval_shape(lambda: params))["scale_by_adam"].mu["layers"]["kernel"]
    assert slots.real.leaf.path == "layers/kernel/real" and slots.imaginary.leaf.axes.batch == (0,)
    assert gc.split_real_and_imaginary(gc.scale_by_sm3()).init(params)["scale_by_sm3"].mu1["layers"][
        "kernel"
    ].real.shape == (2, 3)
    zero = gc.split_real_and_imaginary(gc.masked(gc.set_to_zero(), "**/imaginary"))
    u = take(zero, params, [jax.tree.map(lambda p: p * (1 + 2j), params)]).updates[0]
    np.testing.assert_array_equal(u["layers"]["kernel"], np.ones((2, 4, 3)))


def test_one_bare_number_and_a_step():
    tx, p = gc.split_real_and_imaginary(gc.sgd(0.5)), jnp.asarray(1 + 1j)
    after, _ = tx.step(jnp.asarray(2 - 4j), tx.init(p), p)
    assert complex(after) == 3j
