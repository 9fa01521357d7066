"""reduce_on_plateau beside torch's ReduceLROnPlateau, beside Optax, and in a chain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps

LOSSES = [
    *[3.92, 3.9592, 3.9988, 3.9188, 3.9149, 3.954, 3.954, 3.9936, 3.5942, 3.6302, 3.2672, 3.2672, 3.2639],
    *[3.2965, 3.2306, 3.166, 3.166, 3.1976, 3.2296, 3.2296, 3.2296, 3.165, 3.1017, 3.0397, 3.0701, 3.0701],
    *[2.7631, 2.4868, 2.437, 2.4614, 2.2153, 2.2131, 1.9917, 1.9898, 1.9898, 2.0097, 2.0097, 2.0097, 2.0097],
    2.0297,
]
# What torch 2.13.0 made of them, ReduceLROnPlateau(SGD(lr=1), eps=0, ...): for how many steps each rate was
# kept; with patience=2, threshold=1e-2; patience=1, threshold=0.05, threshold_mode="abs", cooldown=2;
# patience=0, threshold=1e-3, cooldown=1, min_lr=0.2. Its patience is ours less 1.
TORCH = {
    "relative": (
        {"factor": 0.5, "patience": 3, "rtol": 1e-2},
        [0.5**i for i, n in enumerate([3, 3, 7, 5, 3, 14, 3, 2]) for _ in range(n)],
    ),
    "absolute": (
        {"factor": 0.5, "patience": 2, "rtol": 0.0, "atol": 0.05, "cooldown": 2},
        [0.5**i for i, n in enumerate([2, 4, 6, 5, 4, 4, 4, 5, 4, 2]) for _ in range(n)],
    ),
    "bounded": (
        {"factor": 0.3, "patience": 1, "rtol": 1e-3, "cooldown": 1, "min_scale": 0.2},
        [1.0, 0.3, 0.3, *[0.2] * 37],
    ),
}


def scales(tx, losses) -> list[float]:
    """What a gradient of 1 is multiplied with in each step."""

    def step(state, loss):
        u, state = tx.update(jnp.ones(()), state, value=loss)
        return state, u

    return jax.jit(lambda x: jax.lax.scan(step, tx.init(jnp.ones(())), x)[1])(jnp.asarray(losses)).tolist()


@pytest.mark.parametrize("name", TORCH)
def test_is_torch(x64, name):
    args, expected = TORCH[name]
    assert len(expected) == len(LOSSES)
    np.testing.assert_allclose(scales(gc.reduce_on_plateau(**args), LOSSES), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "args",
    [
        {"factor": 0.5, "patience": 2, "rtol": 1e-2},
        {"factor": 0.4, "patience": 1, "rtol": 1e-3, "atol": 0.02, "cooldown": 3, "min_scale": 0.05},
        {"factor": 0.6, "patience": 1, "cooldown": 1, "accumulation_size": 3},
    ],
)
def test_is_optax(x64, args):
    """The steps, and every field of the state."""
    optax = pytest.importorskip("optax")
    other = optax.contrib.reduce_on_plateau(**args)
    given = lambda i: {"value": jnp.asarray(LOSSES[i])}  # noqa: E731
    state, theirs = same_steps(gc.reduce_on_plateau(**args), other, extras=given, steps=len(LOSSES))
    (kept,) = state.values()
    assert type(kept).__name__ == type(theirs).__name__ and kept._fields == theirs._fields
    for field, x in kept._asdict().items():
        np.testing.assert_allclose(x, getattr(theirs, field), rtol=1e-12, err_msg=field)


def test_means_of_several_values_count(x64):
    """Of two values each the means are 2, 2, 1: the second is no improvement, the third is."""
    tx = gc.reduce_on_plateau(factor=0.5, patience=1, accumulation_size=2)
    assert scales(tx, [1.0, 3.0, 3.0, 1.0, 1.0, 1.0]) == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]


def test_factor_beside_a_schedule():
    """The chain's steps are the schedule's times the scale; metrics report both."""
    rate = gc.linear_schedule(1.0, 0.0, 10)
    tx = gc.chain(gc.scale_by_learning_rate(rate), gc.reduce_on_plateau(0.5, patience=1))
    state, found = tx.init(jnp.ones(())), []
    for loss in [1.0, 1.0, 0.5]:
        u, state = tx.update(jnp.ones(()), state, value=loss)
        found.append(float(u))
    assert found == pytest.approx([-1.0, -0.9 * 0.5, -0.8 * 0.5])
    said = gc.metrics(state)
    assert float(said["plateau_scale"]) == 0.5 and float(said["learning_rate"]) == pytest.approx(0.8)


def test_a_loss_that_is_no_number_is_no_improvement():
    assert scales(gc.reduce_on_plateau(0.5, patience=1), [1.0, float("nan"), 0.5]) == [1.0, 0.5, 0.5]


def test_value_is_a_scalar():
    tx, x = gc.reduce_on_plateau(), jnp.ones(3)
    with pytest.raises(ValueError, match=r"reduce_on_plateau: value has shape \[3\]; expected the loss"):
        tx.update(x, tx.init(x), value=x)
