"""Trust ratios: per layer, one where a norm is zero; LAMB and LARS with their masks."""

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take


def norm(x) -> float:
    return float(np.linalg.norm(np.ravel(x)))


def test_trust_ratio():
    params, grads = problem()
    (found,) = take(gc.scale_by_trust_ratio(trust_coefficient=0.3, eps=0.2), params, grads[:1]).updates
    for name, g in grads[0].items():
        close(found[name], g * 0.3 * norm(params[name]) / (norm(g) + 0.2))


def test_zero_norms_leave_the_update():
    tx = gc.scale_by_trust_ratio(trust_coefficient=0.5)
    g, zero = {"bias": jnp.arange(3.0)}, {"bias": jnp.zeros(3)}
    close(take(tx, zero, [g]).updates, [g])
    assert take(tx, g, [zero]).updates[0]["bias"].tolist() == [0.0, 0.0, 0.0]


def test_minimum_norm():
    (found,) = take(
        gc.scale_by_trust_ratio(min_norm=2.0), {"bias": jnp.zeros(3)}, [{"bias": jnp.array([0.0, 0.3, 0.4])}]
    ).updates
    close(found["bias"], np.array([0.0, 0.3, 0.4]))  # 2 / 2


@pytest.mark.parametrize(
    "tx", [gc.scale_by_trust_ratio(), gc.lamb(0.1, weight_decay=0.1), gc.lars(0.1, weight_decay=0.1)], ids=str
)
def test_a_stack_is_its_layers(tx):
    stack_is_layers(tx)


def lars_step(p, g, decay, ratio):
    """The first step of LARS at learning rate 0.1 and trust coefficient 0.02."""
    rate = 0.02 * norm(p) / (norm(g) + decay * norm(p)) if ratio else 1.0
    return -0.1 * rate * (g + decay * p)


@pytest.mark.parametrize(
    "mask, trust_ratio_mask",
    [
        (None, None),
        ("kernel", None),
        (None, "kernel"),
        ("kernel", "kernel"),
        ("kernel", "bias"),
        (True, "kernel"),
    ],
)
def test_lars_masks(mask, trust_ratio_mask):
    params, grads = problem({"kernel": (4, 3), "bias": (3,), "scale": (3,)})
    tx = gc.lars(0.1, 0.5, weight_decay_mask=mask, trust_coefficient=0.02, trust_ratio_mask=trust_ratio_mask)
    (found,) = take(tx, params, grads[:1]).updates
    for name in params:
        decay = 0.5 if mask in (None, True, name) else 0.0
        close(found[name], lars_step(params[name], grads[0][name], decay, trust_ratio_mask in (None, name)))


def test_lars_momentum():
    params, grads = problem({"bias": (3,)})
    found = take(gc.lars(0.1, trust_coefficient=0.02, momentum=0.5, nesterov=True), params, grads)
    p, v = params["bias"], 0.0
    for u, g in zip(found.updates, grads, strict=True):
        step = lars_step(p, g["bias"], 0.0, True)
        v = step + 0.5 * v
        close(u["bias"], step + 0.5 * v)
        p = p + u["bias"]


def test_lars_with_scheduled_decay_and_masks():
    params, grads = problem({"kernel": (4, 3), "bias": (3,)})
    tx = gc.lars(0.1, lambda t: jnp.where(t == 0, 0.5, 0.0), "kernel", 0.02, trust_ratio_mask="bias")
    (found,) = take(tx, params, grads[:1]).updates
    close(found["kernel"], lars_step(params["kernel"], grads[0]["kernel"], 0.5, False))
    close(found["bias"], lars_step(params["bias"], grads[0]["bias"], 0.0, True))
