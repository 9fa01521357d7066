"""Adan and MADGRAD beside Optax; what Adan's decay and MADGRAD's root do at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.beside import same_steps
from tests.rules.steps import close, problem, take


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adan_is_optax_where_both_weights_are_a_half(x64, decay):
    """b2 and 1 - b2, which Optax exchanges, are one number there; its decay is outside."""
    optax = pytest.importorskip("optax")
    args = {"b1": 0.9, "b2": 0.5, "b3": 0.95, "eps": 1e-3, "eps_root": 1e-4, "weight_decay": decay}
    state, theirs = same_steps(gc.adan(0.03, proximal=False, **args), optax.adan(0.03, **args))
    for field in "mvng":
        close(getattr(state["scale_by_adan"], field), getattr(theirs[0], field), 1e-12)


def test_adan_weighs_differences_as_the_paper_does(x64):
    """The first step is that of the gradient; a difference then counts b2, not 1 - b2."""
    params = {"w": jnp.zeros(1)}
    tx = gc.scale_by_adan(b1=0.0, b2=0.9, b3=0.0, eps=0.0)
    u = take(tx, params, [{"w": jnp.ones(1)}, {"w": 3 * jnp.ones(1)}]).updates
    debiased = 0.1 * 2 / (1 - 0.9**2)
    close([x["w"] for x in u], [np.ones(1), np.array([(3 + 0.9 * debiased) / (3 + 0.9 * 2)])], 1e-14)


def test_adan_decays_the_chosen_leaves():
    params, grads = problem()
    plain = take(gc.adan(0.1), params, grads[:1]).updates[0]
    found = take(gc.adan(0.1, weight_decay=0.5, mask="kernel"), params, grads[:1]).updates[0]
    close(found["kernel"], (params["kernel"] + plain["kernel"]) / 1.05 - params["kernel"])
    close(found["bias"], plain["bias"])


def test_adan_has_its_rate_in_two_links():
    params, grads = problem()
    tx = gc.adan(gc.tunable(0.1), weight_decay=0.5)
    state = gc.set_hyperparams(tx, tx.init(params), {"**/learning_rate": 0.2})
    fixed = gc.adan(0.2, weight_decay=0.5)
    close(tx.update(grads[0], state, params)[0], fixed.update(grads[0], fixed.init(params), params)[0])


def test_adan_keeps_no_link_for_no_decay():
    assert list(gc.adan(0.1).init({"w": jnp.ones(2)})) == ["scale_by_adan", "scale_by_learning_rate"]


def test_proximal_decay_minimises(x64):
    """The result is the least of |x - (p + u)|^2 / 2 + lr * weight_decay * |x|^2 / 2."""
    params, grads = problem(dtype="float64")
    u = take(gc.proximal_decay(0.2, 0.7), params, grads[:1]).updates[0]
    for name, p in params.items():
        x = p + u[name]
        np.testing.assert_allclose(x - (p + grads[0][name]) + 0.14 * x, 0, atol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_madgrad_is_optax(x64, decay):
    """To float32: Optax keeps its step length, lr * sqrt(t), in that. The authors' code agrees to 1e-10."""
    optax = pytest.importorskip("optax")
    args = {"momentum": 0.8, "weight_decay": decay, "eps": 1e-3}
    tx, other = gc.madgrad(0.03, **args, eps_in_rate=True), optax.contrib.madgrad(0.03, **args)
    state, theirs = same_steps(tx, other, rtol=1e-6)
    for field in ("grad_sum_sq", "s", "x0"):
        close(getattr(state["scale_by_madgrad"], field), getattr(theirs[1], field), 1e-6)


def test_madgrad_without_a_rate_stands_still():
    still = gc.madgrad(0.0, eps_in_rate=True)
    assert not np.any(take(still, *problem()).updates[-1]["bias"])


def test_madgrad_stands_still_without_gradients():
    """Also with eps 0, where 0 / 0 would be; the slope there is finite."""
    tx, params = gc.madgrad(0.1, eps=0.0), {"w": jnp.arange(3.0)}
    zero = {"w": jnp.zeros(3)}
    assert take(tx, params, [zero, zero]).updates[-1]["w"].tolist() == [0.0, 0.0, 0.0]
    slope = jax.grad(lambda g: tx.update({"w": g}, tx.init(params), params)[0]["w"].sum())(zero["w"])
    assert np.all(np.isfinite(slope))
