"""Polyak's step beside Optax and its formula."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps
from tests.rules.steps import close, draw


def values(i: int):
    """A loss above and below its least value, so that steps are bounded, not, and turned round."""
    return {"value": jnp.asarray([30.0, 0.5, -2.0, 1.5][i % 4])}


@pytest.mark.parametrize("variant", ["sps", "sps+"])
def test_is_optax(x64, variant):
    optax = pytest.importorskip("optax")
    args = {"max_learning_rate": 0.4, "f_min": 0.2, "eps": 1e-2, "variant": variant}
    same_steps(gc.scale_by_polyak(**args), optax.scale_by_polyak(**args), extras=values)
    scaled = gc.polyak_sgd(scaling=0.5, scaling_first=True, **args)
    same_steps(scaled, optax.polyak_sgd(scaling=0.5, **args), extras=values)


def test_scaling_scales_the_step(x64):
    """The printed formula: scaling times the step, bounded or not."""
    grads = draw({"a": (4, 3), "b": (3,)}, dtype="float64")
    for value in (1.0, 1e6):
        plain, half = gc.scale_by_polyak(), gc.polyak_sgd(scaling=0.5)
        (u, _), (v, _) = (tx.update(grads, tx.init(grads), value=value) for tx in (plain, half))
        close(v, {k: -0.5 * x for k, x in u.items()}, 1e-14)


def test_formula(x64):
    grads = draw({"a": (4, 3), "b": (3,)}, dtype="float64")
    square = sum(np.sum(np.square(g)) for g in grads.values())
    tx = gc.scale_by_polyak(f_min=1.0, eps=0.5, max_learning_rate=100.0)
    u, state = tx.update(grads, tx.init(grads), value=3.0)
    size = 2.0 / (square + 0.5)
    close(u, {k: size * g for k, g in grads.items()}, 1e-14)
    assert gc.metrics(state)["polyak_step_size"] == pytest.approx(size, rel=1e-14)


def test_quadratic_loss_is_quartered():
    """Of |x|^2 the step is 1/4 of the gradient: x halves."""
    x, tx = jnp.array([1.0, 2.0, 3.0]), gc.polyak_sgd()
    u, _ = tx.update(2 * x, tx.init(x), x, value=jnp.sum(jnp.square(x)))
    close(x + u, x / 2)


def test_no_gradient_no_step():
    x, tx = jnp.ones(3), gc.polyak_sgd()
    u, state = tx.update(jnp.zeros(3), tx.init(x), x, value=1.0)
    assert u.tolist() == [0.0, 0.0, 0.0] and gc.metrics(state)["polyak_step_size"] == 0


def test_value_is_asked_for():
    x, tx = jnp.ones(3), gc.polyak_sgd()
    with pytest.raises(TypeError, match="scale_by_polyak needs 'value'"):
        tx.update(x, tx.init(x), x)
    with pytest.raises(ValueError, match="scale_by_polyak: value has shape"):
        tx.update(x, tx.init(x), x, value=jnp.ones(2))
