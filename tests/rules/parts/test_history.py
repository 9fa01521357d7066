"""What is held against its own past: growth of norms, spikes, running norms."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, stack_is_layers, take

LINKS = {
    "limit_norm_growth": gc.limit_norm_growth(1.2),
    "clip_by_spikes": gc.clip_by_spikes(0.6),
    "normalize_by_history": gc.normalize_by_history(0.6, 0.7),
}
STACKS = pytest.mark.parametrize("tx", LINKS.values(), ids=LINKS)


def run(tx, sizes, g):
    """The norms of the updates for gradients of these sizes."""
    params = {"kernel": jnp.zeros_like(g)}
    updates = take(tx, params, [{"kernel": s * g} for s in sizes]).updates
    return [float(np.linalg.norm(u["kernel"])) for u in updates]


@STACKS
def test_stack_is_layers(tx):
    stack_is_layers(tx)


def test_norms_grow_by_a_factor_at_most(x64):
    g = jnp.asarray([[3.0, 0.0], [0.0, 4.0]]) / 5
    found = run(gc.limit_norm_growth(1.5, eps=0.0), [1, 10, 10, 10, 1, 0, 7], g)
    close(found, [1, 1.5, 2.25, 3.375, 1, 0, 7], 1e-12)


def test_spikes_are_brought_to_the_usual_largest(x64):
    """Elements above it keep their proportions; those below stay as they are."""
    tx, params = gc.clip_by_spikes(0.5), {"kernel": jnp.zeros((2, 2))}
    calm = jnp.asarray([[1.0, -1.0], [0.5, 0.2]])
    spiky = jnp.asarray([[8.0, -4.0], [0.5, 0.2]])
    first, second = take(tx, params, [{"kernel": calm}, {"kernel": spiky}]).updates
    close(first["kernel"], calm, 1e-12)
    usual = (0.25 * 1 + 0.5 * 8) / 0.75  # of the largest elements, 1 and 8, the newer weighs twice as much
    close(second["kernel"], [[usual, -4.0], [0.5, 0.2]], 1e-12)
    close(take(tx, params, [{"kernel": spiky}, {"kernel": spiky}]).updates[1]["kernel"], spiky, 1e-12)


def test_every_element_above_is_scaled_alike(x64):
    tx, params = gc.clip_by_spikes(0.9), {"bias": jnp.zeros(3)}
    grads = [{"bias": jnp.asarray([1.0, 0, 0])}, {"bias": jnp.asarray([100.0, -90.0, 10.0])}]
    usual = (0.09 * 1 + 0.1 * 100) / 0.19
    close(take(tx, params, grads).updates[1]["bias"], [usual, -0.9 * usual, 10.0], 1e-12)


def test_a_steady_norm_becomes_one(x64):
    g = jnp.asarray([[3.0, 0.0], [0.0, 4.0]])
    close(run(gc.normalize_by_history(), [1, 1, 1], g), [1, 1, 1], 1e-8)
    spike = run(gc.normalize_by_history(0.5, 0.5), [1, 1, 1, 1, 100], g)[-1]
    assert 0.5 < spike < 1.5  # bounded, however large the gradient


def test_nothing_comes_of_no_gradient():
    g = jnp.ones((2, 2))
    for tx in LINKS.values():
        assert run(tx, [0, 0, 1], g)[:2] == [0, 0]
