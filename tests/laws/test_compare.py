"""The laws' own instruments: each must see an offender, and let its lawful twin pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.testing.compare import finite, kinds, near, same_bits, same_kinds
from gradchain.testing.problems import DTYPES, array, random
from gradchain.testing.programs import traced
from gradchain.testing.subjects import per_leaf, subject


@pytest.mark.parametrize("dtype", DTYPES)
def test_near_counts_units_in_the_last_place(dtype, x64):
    one = jnp.ones((3,), dtype)
    eps = jnp.finfo(dtype).eps
    near({"a": one * (1 + 2 * eps)}, {"a": one}, 2)
    near({"a": one.at[1].set(0)}, {"a": one.at[1].set(eps)}, 2)  # of the leaf's largest entry
    with pytest.raises(AssertionError, match=r"\['a'\] is off by 3 ulp"):
        near({"a": one * (1 + 3 * eps)}, {"a": one}, 2)
    with pytest.raises(AssertionError, match="leaves at"):
        near({"a": one}, {"b": one}, 2)
    with pytest.raises(AssertionError):
        near({"a": jnp.int32(1)}, {"a": jnp.int32(2)}, 1e9)
    with pytest.raises(AssertionError):
        near({"a": one * jnp.nan}, {"a": one}, 1e9)


def test_same_bits():
    a = jnp.asarray([0.0, jnp.nan])
    same_bits({"a": a}, {"a": a})
    for other in (-a, a.astype(jnp.bfloat16), a[:1]):
        with pytest.raises(AssertionError, match=r"\['a'\]"):
            same_bits({"a": a}, {"a": other})


def test_kinds_see_weak_types():
    assert kinds(jnp.asarray(1.0)).weak and not kinds(jnp.float32(1)).weak
    assert kinds(jax.eval_shape(lambda: 2.0 * jnp.asarray(1.0))).weak


def test_same_kinds_names_the_leaf():
    same_kinds({"a": jnp.ones(2)}, {"a": jnp.zeros(2)}, "it")
    with pytest.raises(AssertionError, match=r"it \['a'\] is bfloat16\[2\]; expected float32\[2\]"):
        same_kinds({"a": jnp.ones(2, jnp.bfloat16)}, {"a": jnp.zeros(2)}, "it")
    with pytest.raises(AssertionError, match="it has the structure"):
        same_kinds({"a": jnp.ones(2)}, [jnp.zeros(2)], "it")


def test_finite():
    finite({"a": jnp.ones(2, jnp.bfloat16), "b": jnp.int32(0)}, "")
    for bad in (jnp.inf, jnp.nan):
        with pytest.raises(AssertionError, match=r"the state \['a'\] is not finite"):
            finite({"a": jnp.asarray([bad], jnp.float16)}, "the state")


def test_random_numbers_are_the_same_each_time():
    same_bits(random({"a": array(2)}, seed=1), random({"a": array(2)}, seed=1))
    assert np.any(random(array(2), seed=1) != random(array(2), seed=2))


def test_per_leaf():
    assert per_leaf(gc.adamw(0.1).body) and per_leaf(gc.masked(gc.adam(0.1), "**").body)
    assert not per_leaf(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(0.1)).body)
    assert not per_leaf(gc.treewise(None, lambda updates, params: updates))


@pytest.fixture
def registry():
    """The registry as it was, after a test that enters its own transforms."""
    before = dict(gc.REGISTRY)
    yield
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


def test_tracing_each_leaf_is_seen(registry):
    @gc.transform()
    def shared():
        return gc.treewise(None, lambda u, params: jax.tree.map(jax.jit(lambda g: jnp.sin(g)), u))

    @gc.transform()
    def fresh():
        return gc.treewise(
            None, lambda u, params: jax.tree.map(lambda g: jax.jit(lambda g: jnp.sin(g))(g), u)
        )

    assert traced(subject(shared), 6)[0] == traced(subject(shared), 2)[0]
    assert traced(subject(fresh), 6)[0] > traced(subject(fresh), 2)[0]
