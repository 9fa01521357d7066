"""MARS: its identities, its clipping, its three forms."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take

RATES = {"b1": 0.9, "b2": 0.95, "eps": 1e-3, "weight_decay": 0.3}


def same(tx, other, shapes=None) -> None:
    params, grads = problem(shapes)
    close(take(tx, params, grads).updates, take(other, params, grads).updates)


def test_without_gamma_and_clipping_it_is_adamw():
    same(gc.mars(0.1, **RATES, gamma=0.0, max_norm=None), gc.adamw(0.1, **RATES))


def test_a_bound_that_nothing_reaches_is_none():
    same(gc.mars(0.1, **RATES, max_norm=1e9), gc.mars(0.1, **RATES, max_norm=None))


def test_lion_without_gamma_is_signum():
    same(gc.mars(0.1, b1=0.9, gamma=0.0, form="lion", max_norm=None), gc.signum(0.1, 0.9))


def test_shampoo_without_gamma_is_muon():
    muon = gc.muon(0.1, beta=0.9, nesterov=False, adam_b1=0.9, adam_b2=0.95)
    same(
        gc.mars(0.1, 0.9, 0.95, gamma=0.0, max_norm=None, form="shampoo"),
        muon,
        {"kernel": (4, 3), "bias": (3,)},
    )


def test_change_of_the_gradient():
    grads = [jnp.array([1.0, 2.0]), jnp.array([3.0, 2.0])]
    found = take(gc.reduce_variance(b1=0.5, gamma=0.25), jnp.zeros(2), grads).updates
    close(found, [jnp.array([1.25, 2.5]), jnp.array([3.5, 2.0])])


@pytest.mark.parametrize("per_leaf", [False, True])
def test_clipping_is_of_layers(per_leaf: bool):
    g = {"kernel": jnp.stack([jnp.full((2, 2), 3.0), jnp.full((2, 2), 0.1)])}
    (u,) = take(gc.clip_by_block_norm(1.0, per_leaf=per_leaf), g, [g]).updates
    norms = jnp.sqrt(jnp.sum(u["kernel"] ** 2, (1, 2)))
    if per_leaf:
        close(jnp.sqrt(jnp.sum(norms**2)), jnp.float32(1.0))
    else:
        close(norms, jnp.array([1.0, 0.2]))
    jax.tree.map(lambda x, y: close(x / jnp.max(x), y / jnp.max(y)), u["kernel"][0], g["kernel"][0])


def exactly(tx, params, grads, previous):
    """The updates of each step, with the gradients at the parameters before."""
    state, updates = tx.init(params), []
    for g, before in zip(grads, previous, strict=True):
        u, state = tx.update(g, state, params, previous_grads=before)
        updates.append(u)
        params = jax.tree.map(jnp.add, params, u)
    return updates


def test_exact_with_the_gradients_of_the_step_before_is_the_approximate_form():
    params, grads = problem()
    tx = gc.reduce_variance(0.9, 0.2, exact=True)
    previous = [jax.tree.map(jnp.zeros_like, params), *grads[:-1]]
    close(exactly(tx, params, grads, previous), take(gc.reduce_variance(0.9, 0.2), params, grads).updates)
    assert not jax.tree.leaves(tx.init(params))


def test_exact_of_a_gradient_that_does_not_change_is_the_base():
    """As in the first step, where the parameters before are those of the step."""
    params, grads = problem()
    tx = gc.mars(0.1, **RATES, max_norm=None, exact=True)
    close(exactly(tx, params, grads, grads), take(gc.adamw(0.1, **RATES), params, grads).updates)


def test_exact_reads_the_leaves_of_a_mask():
    params, grads = problem()
    tx = gc.masked(gc.reduce_variance(0.5, 1.0, exact=True), "kernel", mask_compatible_extra_args=True)
    previous = [jax.tree.map(lambda g: 3 * g, g) for g in grads]
    found = exactly(tx, params, grads, previous)
    close(found, [{**g, "kernel": -g["kernel"]} for g in grads])


def test_exact_says_what_it_was_given():
    params, grads = problem()
    tx = gc.mars(0.1, exact=True)
    with pytest.raises(
        ValueError, match=r"reduce_variance: previous_grads is .*expected a tree like the grad"
    ):
        exactly(tx, params, grads, [{"kernel": g["kernel"]} for g in grads])
