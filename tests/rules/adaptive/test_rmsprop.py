"""RMSprop: bias correction, the centred form, and where the learning rate enters its momentum."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.rules.adaptive.rmsprop import ScaleByRmsState, ScaleByRmsWithCountState, ScaleByRStdDevState
from tests.rules.steps import close, problem, take


@pytest.mark.parametrize("eps_in_sqrt", [True, False])
@pytest.mark.parametrize("centered", [True, False])
def test_against_numpy(eps_in_sqrt, centered):
    params, grads = problem()
    tx = gc.rmsprop(0.1, 0.8, 1e-3, initial_scale=0.5, eps_in_sqrt=eps_in_sqrt, centered=centered)
    found = take(tx, params, grads)
    for name in params:
        m, v = 0.0, 0.5
        for u, g in zip(found.updates, grads, strict=True):
            m, v = 0.8 * m + 0.2 * g[name], 0.8 * v + 0.2 * np.square(g[name])
            variance = v - np.square(m) if centered else v
            root = np.sqrt(variance + 1e-3) if eps_in_sqrt else np.sqrt(variance) + 1e-3
            close(u[name], -0.1 * g[name] / root)


def test_bias_correction_makes_adam_without_momentum():
    params, grads = problem()
    tx = gc.scale_by_rms(0.9, eps_in_sqrt=False, bias_correction=True)
    adam = gc.scale_by_adam(b1=0.0, b2=0.9)
    close(take(tx, params, grads).updates, take(adam, params, grads).updates)


def test_states():
    params, grads = problem()
    state = lambda tx: next(iter(take(tx, params, grads).state.values()))  # noqa: E731
    assert type(state(gc.scale_by_rms())) is ScaleByRmsState
    assert type(state(gc.scale_by_stddev())) is ScaleByRStdDevState
    counted = state(gc.scale_by_rms(bias_correction=True))
    assert type(counted) is ScaleByRmsWithCountState and counted.count == 3


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_constant_gradients_have_no_variance(dtype):
    """v - m^2 rounds to either side of zero."""
    params = {"bias": jnp.ones(64, dtype)}
    grads = [{"bias": jnp.linspace(-3, 3, 64, dtype=dtype)}] * 40
    tx = gc.scale_by_stddev(0.5, eps_in_sqrt=False, bias_correction=True)
    for u in take(tx, params, grads).updates:
        assert np.all(np.isfinite(u["bias"].astype(jnp.float32)))


def test_zero_gradients_without_eps():
    params = {"bias": jnp.ones(3)}
    for tx in (gc.rmsprop(0.1, eps=0.0), gc.rmsprop(0.1, eps=0.0, eps_in_sqrt=False, centered=True)):
        assert take(tx, params, [{"bias": jnp.zeros(3)}]).updates[0]["bias"].tolist() == [0.0, 0.0, 0.0]


def test_momentum_gathers_what_the_learning_rate_was():
    params, grads = problem({"bias": (3,)})
    tx = gc.rmsprop(lambda t: jnp.where(t == 0, 0.1, 0.0), momentum=0.5, nesterov=False)
    first, second, third = (u["bias"] for u in take(tx, params, grads).updates)
    close([second, third], [0.5 * first, 0.25 * first])
