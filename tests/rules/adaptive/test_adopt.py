"""ADOPT and ACProp: what they do with the first gradients, clipping, and an example that misleads Adam."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_the_first_gradient_moves_nothing():
    params, grads = problem({"w": (2, 3)})
    for nesterov in (False, True):
        taken = take(gc.adopt(0.1, nesterov=nesterov), params, grads[:1])
        close(taken.params, params, 0)
        close(taken.state["scale_by_adopt"].nu, jax.tree.map(jnp.square, grads[0]))
        close(taken.state["scale_by_adopt"].mu, jax.tree.map(jnp.zeros_like, params))


def test_a_large_first_gradient_leaves_no_trace_in_the_momentum():
    """Its quotient by eps is infinite in float32."""
    taken = take(gc.adopt(0.1, use_clipping=False), jnp.ones(2), [jnp.full(2, 1e18), jnp.ones(2)])
    assert np.isfinite(taken.params).all()


def test_clipping():
    """The bound is 1 for the second gradient; a function of the step replaces it."""
    params, grads = jnp.zeros(3), [jnp.full(3, 1e-3), jnp.array([1.0, -1e-4, -5.0])]
    found = take(gc.scale_by_adopt(b1=0.0), params, grads).updates[-1]
    close(found, jnp.array([1.0, -0.1, -1.0]))
    seen = []

    def bound(t):
        seen.append(t)
        return 0.05

    found = take(gc.scale_by_adopt(b1=0.0, clip_value_fn=bound), params, grads).updates[-1]
    close(found, jnp.array([0.05, -0.05, -0.05]))
    assert seen
    whole = gc.scale_by_adopt(b1=0.0, use_clipping=False)
    close(take(whole, params, grads).updates[-1], jnp.array([1e3, -0.1, -5e3]))


def test_complex_numbers_are_clipped_by_absolute_value():
    g = jnp.array([3 + 4j], jnp.complex64)
    found = take(gc.scale_by_adopt(b1=0.0), jnp.zeros_like(g), [g * 1e-3, g]).updates[-1]
    close(found, g / 5)


def test_acprop_divides_by_what_was_before():
    params, grads = problem({"w": (2, 3)})
    first = take(gc.scale_by_acprop(), params, grads[:1]).updates[0]
    close(first, grads[0])
    close(take(gc.scale_by_acprop(), params, grads[:2]).updates[0], first)


def test_acprop_with_the_old_mean_is_another_scale():
    """|g - m| of the new mean is b1 times that of the old one."""
    params, grads = problem({"w": (2, 3)}, steps=4)
    new, old = (
        take(gc.scale_by_acprop(b1=0.5, eps=0, eps_root=0, old_mean=o), params, grads) for o in (False, True)
    )
    close(new.updates[-1], jax.tree.map(lambda u: 2 * u, old.updates[-1]))


@pytest.mark.parametrize(
    ("make", "low", "high"), [(gc.adam, 0.9, 1.0), (gc.adopt, -1.0, -0.2), (gc.acprop, -1.0, -0.8)]
)
def test_rare_large_gradients(make, low: float, high: float):
    """The mean gradient is positive, and Adam ends at +1 of [-1, 1] (Reddi et al. 2018)."""
    rng = np.random.default_rng(0)
    grads = jnp.asarray(np.where(rng.random(20_000) < 0.1, 100.0, -10.0), "float32")
    tx = make(0.01, b2=0.5)

    def step(carry, g):
        p, state = tx.step(g, carry[1], carry[0])
        return (jnp.clip(p, -1, 1), state), p

    p = jnp.float32(0)
    path = jax.jit(lambda: jax.lax.scan(step, (p, tx.init(p)), grads)[1])()
    assert low <= np.mean(np.clip(path[-1000:], -1, 1)) <= high


@pytest.mark.parametrize(("make", "end"), [(gc.adam, 1.0), (gc.amsgrad, -1.0), (gc.adopt, -1.0)])
def test_where_adam_goes_the_wrong_way_and_amsgrad_does_not(make, end: float):
    """3 x in every third step, -x in the others, on [-1, 1]: best at -1 (theorem 1 of Reddi et al. 2018)."""
    slope = 3.0
    tx = make(lambda t: 0.3 / jnp.sqrt(t + 1.0), b1=0.0, b2=1 / (1 + slope**2))

    def step(carry, t):
        p, state = tx.step(jnp.where(t % 3 == 0, slope, -1.0), carry[1], carry[0])
        return (jnp.clip(p, -1, 1), state), None

    p = jnp.float32(0)
    (p, _), _ = jax.jit(lambda: jax.lax.scan(step, (p, tx.init(p)), jnp.arange(3000)))()
    assert abs(float(p) - end) < 0.05
