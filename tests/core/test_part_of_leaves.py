"""Extra arguments of an update reach a transform that sees some of the leaves as those of these leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

FIXED = jnp.array([0.5, -1.0])


def loss(params):
    return jnp.sum(jnp.square(params["a"] - 1)) + jnp.sum(params["a"] * params["b"]["w"] ** 2)


def train(tx, f, params, steps=3):
    state = tx.init(params)
    for _ in range(steps):
        value, grad = jax.value_and_grad(f, allow_int=True)(params)
        params, state = tx.step(grad, state, params, value=value, grad=grad, value_fn=f)
    return params


WHOLE = {"a": jnp.array([3.0, 2.0]), "b": {"w": FIXED}}
INTEGER = {"a": jnp.array([3.0, 2.0]), "b": {"w": jnp.array([1, -2])}}


@pytest.mark.parametrize(
    "tx, params",
    [
        (gc.chain(gc.lbfgs(), gc.freeze("b/**")), WHOLE),
        (gc.chain(gc.masked(gc.lbfgs(), "a"), gc.masked(gc.scale(0.0), "b/**")), WHOLE),
        (gc.partition({"on": gc.lbfgs(), "off": gc.scale(0.0)}, {"a": "on", "**": "off"}), WHOLE),
        (gc.chain(gc.lbfgs(), gc.freeze("b/**")), INTEGER),
    ],
    ids=["freeze", "masked", "partition", "integers"],
)
def test_line_search_on_some_leaves(tx, params):
    """It is the search on the function of these leaves, the others being constants."""
    found = train(tx, loss, params)
    alone = train(gc.lbfgs(), lambda p: loss({**params, **p}), {"a": params["a"]})
    np.testing.assert_allclose(found["a"], alone["a"], rtol=1e-6)
    np.testing.assert_array_equal(found["b"]["w"], params["b"]["w"])
    assert not np.allclose(found["a"], params["a"])
