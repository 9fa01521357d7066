"""Perturbed functions: values and derivatives are those of the expectation, Optax's for the same key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.perturbations import Gumbel, Normal, make_perturbed_fun

KEY = jax.random.key(0)


def near(samples, expected, sd=5.0):
    """The mean of independent estimates [k, ...] is within `sd` standard errors of what is expected."""
    samples = np.asarray(samples, np.float64)
    error = samples.std(0, ddof=1) / np.sqrt(len(samples))
    np.testing.assert_array_less(abs(samples.mean(0) - expected), sd * error + 1e-12)


def repeated(f, n=40):
    return jax.jit(jax.vmap(f))(jax.random.split(KEY, n))


def test_gumbel_argmax_is_softmax():
    """The mean of the argmax's one-hot is softmax(x / sigma), and its Jacobian that of softmax."""
    x, sigma = jnp.array([0.3, -0.2, 0.1]), 0.5
    f = make_perturbed_fun(lambda x: jax.nn.one_hot(jnp.argmax(x), 3), 500, sigma, Gumbel())
    near(repeated(lambda k: f(k, x)), jax.nn.softmax(x / sigma))
    jacobian = jax.jacobian(lambda x: jax.nn.softmax(x / sigma))(x)
    near(repeated(lambda k: jax.jacrev(lambda x: f(k, x))(x)), jacobian)


@pytest.mark.parametrize("baseline", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_normal_smoothing_has_all_derivatives(baseline):
    """E f(x + s z) of x^3 is x^3 + 3 s^2 x: its first and second derivative, with and without a baseline."""
    x, sigma = jnp.float32(0.7), 0.5
    f = make_perturbed_fun(lambda x: x**3, 2000, sigma, Normal(), baseline)
    slope = jax.grad(f, 1)
    value, first, second = repeated(lambda k: (f(k, x), slope(k, x), jax.grad(slope, 1)(k, x)))
    near(value, 0.7**3 + 3 * 0.25 * 0.7)
    near(first, 3 * 0.49 + 3 * 0.25)
    near(second, 6 * 0.7)


def test_baseline_lowers_the_variance():
    spread = []
    for baseline in (True, False):
        f = make_perturbed_fun(lambda x: 10 + x, 100, 0.1, Normal(), baseline)
        spread.append(repeated(lambda k, f=f: jax.grad(f, 1)(k, jnp.float32(0))).std())
    assert spread[0] < spread[1] / 10


@pytest.mark.parametrize("noise", ["Gumbel", pytest.param("Normal", marks=pytest.mark.slow)])
def test_same_numbers_as_optax(noise, x64):
    optax = pytest.importorskip("optax")
    x = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([[0.5]])}

    def fun(x):
        return {"sum": jnp.sum(jnp.maximum(x["a"], 0)) + x["b"][0, 0], "a": jnp.sort(x["a"])}

    ours = make_perturbed_fun(fun, 20, 0.3, globals()[noise]())
    theirs = optax.perturbations.make_perturbed_fun(fun, 20, 0.3, getattr(optax.perturbations, noise)())
    found, expected = (
        jax.tree.leaves(jax.jit(lambda k, x, g=g: (g(k, x), jax.jacrev(g, 1)(k, x)))(KEY, x))
        for g in (ours, theirs)
    )
    for y, z in zip(found, expected, strict=True):
        np.testing.assert_allclose(y, z, rtol=1e-12, atol=1e-13)


def test_noise_is_what_it_says():
    for noise, density in ((Normal(), lambda z: -(z**2) / 2), (Gumbel(), lambda z: -z - np.exp(-z))):
        z = noise.sample(KEY, (4,), jnp.float32)
        assert z.shape == (4,) and z.dtype == jnp.float32
        np.testing.assert_allclose(noise.log_prob(z), density(np.asarray(z)), rtol=1e-5)
        assert noise.sample(KEY).shape == ()


def test_dtypes():
    """16-bit arguments get 16-bit calls and float32 noise; integer results are averaged as floats."""
    seen = []

    def fun(x):
        seen.append(x.dtype)
        return jnp.argmax(x)

    f = make_perturbed_fun(fun, 10)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        x = jnp.zeros(3, jnp.bfloat16)
        assert jax.eval_shape(f, KEY, x).dtype == jnp.float32 and set(seen) == {jnp.dtype(jnp.bfloat16)}
        assert jax.eval_shape(jax.grad(f, 1), KEY, x).dtype == jnp.bfloat16


def test_refused():
    with pytest.raises(ValueError, match=r"num_samples=0; expected an integer >= 1"):
        make_perturbed_fun(jnp.sum, 0)
    with pytest.raises(ValueError, match=r"sigma=0\.0; expected a number > 0"):
        make_perturbed_fun(jnp.sum, sigma=0.0)
    with pytest.raises(TypeError, match=r"an input is int32\[3\]; expected real floats"):
        make_perturbed_fun(jnp.sum)(KEY, jnp.arange(3))
