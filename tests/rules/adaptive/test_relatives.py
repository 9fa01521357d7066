"""What is peculiar to AdaBelief, AdaMax, Yogi, AdEMAMix, AMSGrad: starts, limits, identities with Adam."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, take


def test_belief_of_no_expectation_is_adam():
    """With b1 = 0 a gradient is what was expected: only eps_root is left."""
    params, grads = problem({"w": (2, 3)})
    found = take(gc.scale_by_belief(b1=0.0, b2=0.0, eps=0.0, eps_root=0.25), params, grads).updates
    close(found, [jax.tree.map(lambda g: 2 * g, g) for g in grads])


def test_adamax_of_no_memory_is_the_sign():
    params, grads = problem({"w": (2, 3)})
    found = take(gc.scale_by_adamax(b1=0.0, b2=0.0, eps=0.0), params, grads).updates
    close(found, [jax.tree.map(jnp.sign, g) for g in grads])


def test_adamax_of_complex_numbers():
    g = jnp.array([3 + 4j, 0], jnp.complex64)
    close(take(gc.scale_by_adamax(eps=0.0), g, [g]).updates[0], jnp.array([0.6 + 0.8j, 0], jnp.complex64))


def test_yogi_steps_by_the_newest_square_alone():
    params, grads = jnp.zeros(2), [jnp.array([1.0, 0.1]), jnp.array([0.1, 1.0])]
    state = take(gc.scale_by_yogi(b2=0.75, initial_accumulator_value=0.5), params, grads).state[
        "scale_by_yogi"
    ]
    first = np.array([0.5 + 0.25, 0.5 - 0.0025])
    close(state.nu, jnp.asarray(first + np.array([-0.0025, 0.25])))


@pytest.mark.parametrize("fill_mu", [False, True])
def test_yogi_starts(fill_mu: bool):
    state = gc.scale_by_yogi(initial_accumulator_value=0.5, fill_mu=fill_mu).init(jnp.ones(2))[
        "scale_by_yogi"
    ]
    close(state.mu, jnp.full(2, 0.5 if fill_mu else 0.0), 0)
    close(state.nu, jnp.full(2, 0.5), 0)


def test_ademamix_without_its_slow_mean_is_adam():
    params, grads = problem({"w": (2, 3)})
    close(
        take(gc.scale_by_ademamix(alpha=0.0), params, grads).updates,
        take(gc.scale_by_adam(), params, grads).updates,
    )


def test_ademamix_keeps_both_means_in_mu_dtype():
    state = gc.scale_by_ademamix(mu_dtype="bfloat16").init(jnp.ones(2))["scale_by_ademamix"]
    assert [x.dtype for x in state[1:]] == [jnp.bfloat16, jnp.bfloat16, jnp.float32]


def test_ademamix_takes_schedules_of_its_weights():
    params, grads = problem({"w": (2, 3)})
    tx = gc.scale_by_ademamix(alpha=gc.linear_schedule(0.0, 5.0, 10), b3=gc.linear_schedule(0.9, 0.999, 10))
    taken = take(tx, params, grads)
    close(taken.updates[0], take(gc.scale_by_adam(), params, grads).updates[0])
    assert float(taken.state["scale_by_ademamix"].hyperparams["alpha"]) == pytest.approx(1.0)


def test_simplified_ademamix_is_a_sum():
    params, grads = jnp.zeros(2), [jnp.ones(2)] * 3
    found = take(gc.scale_by_simplified_ademamix(b1=1.0, alpha=0.5, eps=0.0), params, grads).updates
    close(found, [jnp.full(2, t + 0.5) for t in (1.0, 2.0, 3.0)])


def test_amsgrad_of_corrected_moments_remembers_the_first():
    """After one step v / (1 - b2) is |g|^2, which the raw maximum reaches only in the limit."""
    params, grads = jnp.zeros(2), [jnp.ones(2), *[jnp.zeros(2)] * 3]
    raw, corrected = (take(gc.scale_by_amsgrad(debias_first=d), params, grads) for d in (False, True))
    close(corrected.state["scale_by_amsgrad"].nu_max, jnp.ones(2))
    close(raw.state["scale_by_amsgrad"].nu_max, jnp.full(2, 1e-3))


def test_nadamw_without_decay_is_nadam():
    params, grads = problem({"w": (2, 3)})
    close(
        take(gc.nadamw(0.1, weight_decay=0.0), params, grads).params,
        take(gc.nadam(0.1), params, grads).params,
    )
