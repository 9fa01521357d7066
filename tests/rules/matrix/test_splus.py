"""SPlus: the paper in NumPy on a square matrix, vectors, stacks."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, problem, take


def splus(gradients, b1, b2, every):
    """Algorithm 1 of arXiv:2506.07254, without its step size."""
    m, n = gradients[0].shape
    mean, left, right, p, q = 0.0, 0.0, 0.0, np.eye(m), np.eye(n)
    found = []
    for t, g in enumerate(gradients):
        mean = b1 * mean + (1 - b1) * g
        left, right = b2 * left + (1 - b2) * g @ g.T, b2 * right + (1 - b2) * g.T @ g
        found.append(p @ np.sign(p.T @ mean @ q) @ q.T)
        if t % every == 0:
            p, q = np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]
    return found


def test_is_the_paper_s(x64):
    params, grads = problem({"kernel": (4, 4), "bias": (3,)}, 5, "float64")
    found = take(gc.scale_by_splus(0.8, 0.9, 2), params, grads).updates
    close([u["kernel"] for u in found], splus([np.asarray(g["kernel"]) for g in grads], 0.8, 0.9, 2), 1e-8)
    close(found[0]["bias"], np.sign(grads[0]["bias"]), 1e-12)


def test_of_a_vector_is_signum(x64):
    params, grads = problem({"bias": (3,)}, 3, "float64")
    found = take(gc.splus(0.1, 0.7, vector_scale=0.5), params, grads).updates
    close(found, take(gc.signum(0.05, 0.7), params, grads).updates, 1e-12)


def test_steps_are_scaled_by_sides(x64):
    params, grads = problem({"kernel": (3, 5, 3), "bias": (3,)}, 1, "float64")
    found = take(gc.splus(0.5, weight_decay=0.1, vector_scale=0.2), params, grads).updates[0]
    plain = take(gc.scale_by_splus(), params, grads).updates[0]
    for name, factor in {"kernel": 2 / 8, "bias": 0.2}.items():
        close(found[name], -0.5 * factor * (plain[name] + 0.1 * params[name]), 1e-12)


def test_a_long_side_has_no_factor_and_counts_as_a_vector(x64):
    params, grads = problem({"embedding": (9, 2), "kernel": (3, 2)}, 3, "float64")
    found = take(gc.splus(1.0, precondition_frequency=1, vector_scale=0.2, max_precond_dim=4), params, grads)
    one = take(gc.scale_by_splus(precondition_frequency=1, sides="right"), params, grads)
    both = take(gc.scale_by_splus(precondition_frequency=1), params, grads)
    for u, v, w in zip(found.updates, one.updates, both.updates, strict=True):
        close(u, {"embedding": -0.2 * v["embedding"], "kernel": -2 / 5 * w["kernel"]}, 1e-10)


def test_layers_of_a_stack_are_matrices(x64):
    params, grads = problem({"kernel": (2, 3, 3)}, 3, "float64")
    tx = gc.scale_by_splus(precondition_frequency=1)
    together = take(tx, params, grads).updates
    for i in range(2):
        alone = take(tx, {"kernel": params["kernel"][i]}, [{"kernel": g["kernel"][i]} for g in grads]).updates
        close([u["kernel"][i] for u in together], [u["kernel"] for u in alone], 1e-8)


def test_no_gradient_no_update():
    g = {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(3)}
    assert all(not np.any(x) for u in take(gc.scale_by_splus(), g, [g, g]).updates for x in u.values())
