"""Rules beside Adam: the identities that make them Adam again, and what is peculiar to each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take

SHAPES = {"kernel": (4, 3), "bias": (3,)}
RATES = {"b1": 0.8, "b2": 0.95, "eps": 1e-3}
IDENTITIES = {
    "stable_adamw": (
        gc.stable_adamw(0.1, **RATES, weight_decay=0.3, threshold=1e9),
        gc.adamw(0.1, **RATES, weight_decay=0.3),
    ),
    "adamp": (gc.adamp(0.1, **RATES, weight_decay=0.3, delta=0.0), gc.adamw(0.1, **RATES, weight_decay=0.3)),
    "adabound": (gc.adabound(0.1, **RATES, gamma=0.0), gc.adam(0.1, **RATES)),
    "amsbound": (gc.adabound(0.1, **RATES, gamma=0.0, amsbound=True), gc.amsgrad(0.1, **RATES)),
    "qhadam": (gc.qhadam(0.1, **RATES, nu1=1.0, nu2=1.0), gc.adam(0.1, **RATES)),
    "qhadam without momentum": (
        gc.qhadam(0.1, b1=0.8, b2=0.95, eps=1e-3, nu1=0.0),
        gc.rmsprop(0.1, 0.95, 1e-3, eps_in_sqrt=False, bias_correction=True),
    ),
    "laprop": (gc.laprop(0.1, b1=0.0, b2=0.95, eps=1e-3), gc.adam(0.1, b1=0.0, b2=0.95, eps=1e-3)),
    "adamc": (gc.adamc(0.1, 0.1, **RATES, weight_decay=0.3), gc.adamw(0.1, **RATES, weight_decay=0.3)),
    "adagc": (
        gc.adagc(0.1, **RATES, weight_decay=0.3, max_norm=1e9),
        gc.adamw(0.1, **RATES, weight_decay=0.3),
    ),
    "adamod": (gc.adamod(0.1, **RATES, b3=0.0), gc.adam(0.1, **RATES)),
    "adanorm": (gc.adanorm(0.1, **RATES, b3=0.0), gc.adam(0.1, **RATES)),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_is_adam_again(name: str):
    tx, other = IDENTITIES[name]
    params, grads = problem(SHAPES)
    close(take(tx, params, grads).updates, take(other, params, grads).updates)


@pytest.mark.parametrize("name", ["scale_by_stable_adam", "scale_by_adamp", "scale_by_adanorm"])
def test_layers_of_a_stack_are_apart(name: str):
    stack_is_layers(getattr(gc, name)())


@pytest.mark.parametrize("make", [gc.stable_adamw, gc.adamp])
def test_decay_within_a_rule_has_a_mask(make):
    params, grads = problem(SHAPES)
    found = take(make(0.1, weight_decay=0.5, mask="**/kernel"), params, grads).updates
    for name, decay in (("kernel", 0.5), ("bias", 0.0)):
        alone = take(make(0.1, weight_decay=decay), params, grads).updates
        close([u[name] for u in found[:1]], [u[name] for u in alone[:1]])


def test_a_spike_shortens_the_step_of_its_layer():
    """After gradients of 1e-3 one of 1 is 10 roots long: v' has seen it by a part of 1 - b2 only."""
    params, calm = {"a": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}, jnp.full((2, 2), 1e-3)
    grads = [{"a": calm, "b": calm}] * 20 + [{"a": jnp.ones((2, 2)), "b": calm}]
    found = take(gc.stable_adamw(0.1, b1=0.0, b2=0.99, weight_decay=0.0), params, grads).updates[-1]
    close(found["b"], jnp.full((2, 2), -0.1), 1e-2)
    close(found["a"], jnp.full((2, 2), -0.1), 1e-2)  # without the clipping 4 times as long
    free = take(gc.stable_adamw(0.1, b1=0.0, b2=0.99, weight_decay=0.0, threshold=9.0), params, grads)
    assert np.all(free.updates[-1]["a"] < -0.35)


def test_adamp_steps_along_the_sphere_of_each_column():
    """A gradient that stands on the weights: no update lengthens them, of momentum neither."""
    params, grads = problem({"kernel": (8, 3)}, steps=4)
    tx = gc.adamp(0.01, eps=1e-12)
    state = tx.init(params)
    for g in grads:
        p = params["kernel"]
        g = {"kernel": g["kernel"] - p * jnp.sum(g["kernel"] * p, 0) / jnp.sum(p * p, 0)}
        u, state = tx.update(g, state, params)
        np.testing.assert_allclose(jnp.sum(u["kernel"] * p, 0), 0, atol=1e-6)
        params = gc.apply_updates(params, u)


def test_adabound_ends_as_gradient_descent():
    params, grads = problem(SHAPES)
    found = take(gc.scale_by_adabound(b1=0.0, gamma=1e9, final_ratio=5.0), params, grads).updates
    close(found, [jax.tree.map(lambda g: 5 * g, g) for g in grads])


def test_adabound_keeps_the_maximum_in_amsbound_alone():
    params = jnp.ones(3)
    assert "nu_max" not in gc.scale_by_adabound().init(params)["scale_by_adabound"]._fields
    assert "nu_max" in gc.scale_by_adabound(amsbound=True).init(params)["scale_by_adabound"]._fields


def test_friction_of_gradients_that_stay():
    g = jnp.array([1.0, -2.0])
    found = take(gc.scale_by_diffgrad(eps=0.0), jnp.zeros(2), [g, g]).updates
    close(found[0], np.sign(g) / (1 + np.exp(-np.abs(g))))
    close(found[1], jnp.sign(g) / 2)


def test_adai_of_equal_moments_is_momentum():
    """All second moments alike: every decay is 1 - b0, and the mean is `ema`."""
    params, grads = jnp.zeros(3), [jnp.full(3, x) for x in (1.0, -2.0, 0.5)]
    close(take(gc.scale_by_adai(b0=0.2), params, grads).updates, take(gc.ema(0.8), params, grads).updates)


def test_adai_means_over_all_leaves():
    params, grads = {"a": jnp.zeros(3), "b": jnp.zeros(())}, [{"a": jnp.ones(3), "b": jnp.array(3.0)}] * 2
    state = take(gc.scale_by_adai(b0=0.1), params, grads).state["scale_by_adai"]
    close(state.mean_square, jnp.float32(3.0))
    close(state.missing, {"a": jnp.full(3, (1 - 0.1 / 3) ** 2), "b": jnp.float32(0.7**2)})


def test_adamc_decays_by_the_square_of_the_schedule():
    rate = gc.linear_schedule(0.4, 0.0, 4)
    tx = gc.adamc(rate, 0.4, weight_decay=0.5, mask="**/kernel")
    params = {"kernel": jnp.ones(2), "scale": jnp.ones(2)}
    zero = jax.tree.map(jnp.zeros_like, params)
    updates, state = [], tx.init(params)
    for _ in range(3):
        u, state = tx.update(zero, state, params)
        updates.append(u)
    close([u["kernel"] for u in updates], [jnp.full(2, -0.5 * x * x / 0.4) for x in (0.4, 0.3, 0.2)])
    assert not any(np.any(u["scale"]) for u in updates)


def test_ano_has_the_size_of_the_gradient():
    params, grads = jnp.zeros(2), [jnp.array([4.0, 1.0]), jnp.array([-1.0, 0.5])]
    found = take(gc.scale_by_ano(b1=0.9, b2=0.5, eps=0.0), params, grads).updates[1]
    v = np.array([(0.5 * 8 - 0.5 * 1) / 0.75, max(0.5 * 0.5 - 0.5 * 0.25, 0) / 0.75])
    close(found, jnp.asarray(np.array([1.0, 0.5]) / np.sqrt(v), jnp.float32))


def test_kate_does_not_see_the_scale_of_gradients():
    params, grads = problem({"w": (2, 3)})
    one = take(gc.scale_by_kate(eta=0.0, eps=0.0), params, grads).updates
    many = take(
        gc.scale_by_kate(eta=0.0, eps=0.0), params, [jax.tree.map(lambda g: 64 * g, g) for g in grads]
    )
    close(jax.tree.map(lambda u: 64 * u, many.updates), one)


def test_adanorm_lengthens_short_gradients():
    tx = gc.scale_by_adanorm(b1=0.0, b2=0.0, b3=0.5, eps=0.0)
    found = take(tx, jnp.zeros(1), [jnp.array([8.0]), jnp.array([1.0])]).updates
    close(found, [jnp.ones(1), jnp.array([2.5])])
