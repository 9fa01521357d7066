"""SOAP, KL-SOAP and KL-Shampoo: the authors' algorithms in NumPy; vectors and single sides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.reference import soap as reference

STEPS = 8
B = {"b1": 0.8, "b2": 0.93, "eps": 1e-3, "precondition_frequency": 3}
SOAP = {**B, "shampoo_beta": 0.85}


def draw(shape, steps=STEPS, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for _ in range(steps)]


def updates(tx, gradients, name="kernel"):
    params = {name: jnp.zeros_like(jnp.asarray(gradients[0]))}
    state, found = tx.init(params), []
    update = jax.jit(tx.update)
    for g in gradients:
        u, state = update({name: jnp.asarray(g)}, state, params)
        found.append(np.asarray(u[name]))
    return found


def soap_of(gradients, precondition_frequency=3, sides="both", **kwargs):
    rows, cols = gradients[0].shape
    left = sides in ("both", "left") or (sides == "short" and rows <= cols)
    right = sides in ("both", "right") or (sides == "short" and rows > cols)
    return reference.soap(gradients, every=precondition_frequency, left=left, right=right, **kwargs)


def kl_of(gradients, precondition_frequency=3, inner_adam=False, **kwargs):
    return reference.kl(gradients, every=precondition_frequency, adam=inner_adam, **kwargs)


CASES = {
    "soap": (gc.scale_by_soap, soap_of, SOAP),
    "soap_short": (gc.scale_by_soap, soap_of, {**SOAP, "sides": "short"}),
    "soap_momentum": (gc.scale_by_soap, soap_of, {**SOAP, "sides": "left", "of_momentum": True}),
    "kl_shampoo": (gc.scale_by_kl_shampoo, kl_of, B),
    "kl_soap": (gc.scale_by_kl_shampoo, kl_of, {**B, "inner_adam": True, "bias_correction": True}),
}


QUICK = ("soap", "kl_soap")


@pytest.mark.parametrize(
    "case", [case if case in QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_reference(case, x64):
    """In float64 to 1e-9; a hyperparameter changed by 10 % shows at more than a hundred times that."""
    factory, expected, kwargs = CASES[case]
    gradients = draw((5, 7) if kwargs.get("sides") else (6, 6))  # of 7 columns some would be in no gradient
    want = expected(gradients, **kwargs)
    for u, v in zip(updates(factory(**kwargs), gradients), want, strict=True):
        np.testing.assert_allclose(u, v, rtol=1e-9, atol=1e-9)
    for name in (k for k, v in kwargs.items() if isinstance(v, float)):
        other = expected(gradients, **{**kwargs, name: 0.9 * kwargs[name]})
        if (case, name) != ("kl_soap", "b2"):
            assert max(abs(u - v).max() for u, v in zip(other, want, strict=True)) > 1e-7, name


def test_each_layer_and_each_block_by_itself(x64):
    """A stack is as many matrices, renewed in turn: layer i in the steps t with (t - 1 - i) % 3 == 0."""
    gradients = draw((4, 6, 6))
    found = updates(gc.scale_by_soap(**SOAP), gradients)
    for layer, first in enumerate((0, 1, 2, 0)):
        want = soap_of([g[layer] for g in gradients], **SOAP, first=first)
        for u, v in zip(found, want, strict=True):
            np.testing.assert_allclose(u[layer], v, atol=1e-9)
    whole = updates(gc.scale_by_soap(**SOAP, block_size=4), draw((8, 4)))
    for i in (0, 4):
        want = soap_of([g[i : i + 4] for g in draw((8, 4))], **SOAP)
        for u, v in zip(whole, want, strict=True):
            np.testing.assert_allclose(u[i : i + 4], v, atol=1e-9)


def test_what_has_no_factor_is_adam():
    adam = gc.scale_by_adam(0.8, 0.93, 1e-3)
    tall = draw((6,))
    for name, tx in {
        "bias": gc.scale_by_soap(**SOAP),
        "scale": gc.scale_by_kl_shampoo(**B, inner_adam=True),
    }.items():
        for u, v in zip(updates(tx, tall, name), updates(adam, tall, name), strict=True):
            np.testing.assert_array_equal(u, v)
    long = draw((4, 6), seed=1)
    none = gc.scale_by_soap(**SOAP, max_precond_dim=3)
    for u, v in zip(updates(none, long), updates(adam, long), strict=True):
        np.testing.assert_array_equal(u, v)


def test_state():
    """Packed factors are half; moments may be eight bits, factors stay exact."""
    params = {"kernel": jnp.zeros((64, 64))}
    assert gc.describe(gc.scale_by_soap(), params).total_bytes == pytest.approx(20 * 64**2, rel=0.01)
    assert gc.describe(gc.scale_by_kl_shampoo(), params).total_bytes == pytest.approx(16 * 64**2, rel=0.04)
    small = gc.stored(gc.scale_by_soap(), "log8").init(params)["scale_by_soap"]
    assert small.rotated_mu["kernel"].dtype.itemsize == small.nu["kernel"].dtype.itemsize == 1
    assert small.left["kernel"].dtype == small.left_basis["kernel"].dtype == jnp.float32
    assert small.left["kernel"].shape == (32, 65)
