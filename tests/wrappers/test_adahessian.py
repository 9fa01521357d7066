"""AdaHessian: Adam where the diagonal is the gradient, Newton on quadratics, windows of convolutions."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc

rng = np.random.default_rng(0)
P = {"conv/kernel": jnp.asarray(rng.standard_normal((3, 2, 4)), jnp.float32), "bias": jnp.ones(4)}
GRADS = [jax.tree.map(lambda p: jnp.asarray(rng.standard_normal(p.shape), jnp.float32), P) for _ in range(4)]


def run(tx: gc.Transform):
    params, state, step = P, tx.init(P), jax.jit(tx.step)
    for g in GRADS:
        params, state = step(g, state, params)
    return params, state


def test_with_the_gradient_for_the_diagonal_it_is_adam():
    tx = gc.adahessian(0.1, eps=1e-3, hessian_diagonal_fn=gc.identity(), spatial_average=False)
    found, expected = run(tx)[0], run(gc.adam(0.1, eps=1e-3))[0]
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), found, expected)


def test_the_diagonal_is_averaged_over_the_window_of_a_convolution():
    tx = gc.scale_by_adahessian(b2=0.9, hessian_diagonal_fn=gc.identity())
    _, state = run(tx)
    nu = dict.fromkeys(P, 0.0)
    for g in GRADS:
        size = jnp.abs(g["conv/kernel"])
        used = {"conv/kernel": jnp.mean(size, 0, keepdims=True), "bias": g["bias"]}
        nu = {k: 0.9 * nu[k] + 0.1 * used[k] ** 2 for k in nu}
    for k, x in state["scale_by_adahessian"].nu.items():
        np.testing.assert_allclose(x, jnp.broadcast_to(nu[k], x.shape), rtol=1e-5)


def test_estimates_every_few_steps_are_corrected_by_their_number():
    tx = gc.scale_by_adahessian(0.0, 0.9, 1e-3, update_interval=3, hessian_diagonal_fn=gc.identity())
    state, update = tx.init(P), jax.jit(tx.update)
    seen = []
    for t, g in enumerate(GRADS):
        seen += [g["bias"] ** 2] if t in (0, 3) else []
        u, state = update(g, state, P)
        v = seen[0] if len(seen) == 1 else (0.09 * seen[0] + 0.1 * seen[1]) / (1 - 0.9**2)
        np.testing.assert_allclose(u["bias"], g["bias"] / (jnp.sqrt(v) + 1e-3), rtol=1e-4)


def test_on_a_diagonal_quadratic_the_step_is_newton_s():
    curvature = jnp.array([0.5, 2.0, 10.0, 0.1])
    loss = lambda p: jnp.sum(curvature * p**2) / 2  # noqa: E731
    p = jnp.array([1.0, -1.0, 2.0, 3.0])
    tx = gc.adahessian(1.0, eps=0.0)
    updates, _ = tx.update(jax.grad(loss)(p), tx.init(p), p, obj_fn=loss)
    np.testing.assert_allclose(p + updates, 0.0, atol=1e-6)
