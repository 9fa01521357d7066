"""gc.tree and gc.tree_utils: the signatures and numbers of Optax's, on random trees in float64."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")


def public(module):
    return [n for n in dir(module) if not n.startswith("_") and inspect.isfunction(getattr(module, n))]


NAMES = [("tree", n) for n in public(optax.tree)] + [("tree_utils", n) for n in public(optax.tree_utils)]


def random(seed, dtype=np.float64, positive=False):
    rng = np.random.default_rng(seed)
    one = lambda *shape: np.exp(rng.standard_normal(shape)) if positive else rng.standard_normal(shape)  # noqa: E731
    if np.issubdtype(dtype, np.complexfloating):
        one = lambda *shape: rng.standard_normal(shape) + 1j * rng.standard_normal(shape)  # noqa: E731
    tree = {"a": one(3, 4), "b": [one(5), (one(), None)], "c": {"d": one(2, 1, 3), "empty": one(0, 2)}}
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)


@pytest.mark.parametrize("module, name", NAMES)
def test_signature_binds_what_optax_binds(module, name):
    """The same parameters in the same order, of the same kinds, with the same defaults."""
    theirs = inspect.signature(getattr(getattr(optax, module), name)).parameters
    ours = inspect.signature(getattr(getattr(gc, module), name)).parameters
    assert [(p.name, p.kind) for p in ours.values()] == [(p.name, p.kind) for p in theirs.values()]
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


CALLS = {
    "add": lambda t, x, y, z: t.add(x, y, z),
    "sub": lambda t, x, y, z: t.sub(x, y),
    "mul": lambda t, x, y, z: t.mul(x, y),
    "div": lambda t, x, y, z: t.div(x, y),
    "scale": lambda t, x, y, z: t.scale(0.3, x),
    "add_scale": lambda t, x, y, z: t.add_scale(x, 0.3, y),
    "vdot": lambda t, x, y, z: t.vdot(x, y),
    "sum": lambda t, x, y, z: t.sum(x),
    "sum in pairs": lambda t, x, y, z: t.sum(x, associative_reduction=True),
    "norm": lambda t, x, y, z: t.norm(x),
    "norm 2 squared": lambda t, x, y, z: t.norm(x, 2, squared=True),
    "norm 1": lambda t, x, y, z: t.norm(x, 1),
    "norm 1 squared": lambda t, x, y, z: t.norm(x, ord=1, squared=True),
    "clip": lambda t, x, y, z: t.clip(x, -0.5, 0.25),
    "clip below": lambda t, x, y, z: t.clip(x, min_value=0.1),
    "where": lambda t, x, y, z: t.where(jnp.array(False), x, y),
    "conj": lambda t, x, y, z: t.conj(x),
    "real": lambda t, x, y, z: t.real(x),
    "zeros_like": lambda t, x, y, z: t.zeros_like(x),
    "ones_like": lambda t, x, y, z: t.ones_like(x, dtype=jnp.int32),
    "full_like": lambda t, x, y, z: t.full_like(x, 7.0),
    "cast": lambda t, x, y, z: t.cast(t.real(x), jnp.float16),
    "cast None": lambda t, x, y, z: t.cast(x, None),
    "cast_like": lambda t, x, y, z: t.cast_like(t.real(x), t.cast(t.real(y), jnp.float16)),
    "batch_shape": lambda t, x, y, z: t.batch_shape(x, (2, 3)),
    "size": lambda t, x, y, z: t.size(x),
    "allclose": lambda t, x, y, z: t.allclose(x, t.add_scale(x, 1e-7, y)),
    "allclose not": lambda t, x, y, z: t.allclose(x, y),
    "random_like": lambda t, x, y, z: t.random_like(jax.random.key(1), t.real(x)),
    "uniform": lambda t, x, y, z: t.random_like(jax.random.key(1), x, jax.random.uniform, jnp.float32),
    "update_moment": lambda t, x, y, z: t.update_moment(x, y, 0.9, 2),
    "update_moment 1": lambda t, x, y, z: t.update_moment(x, y, 0.9, 1),
    "per element 2": lambda t, x, y, z: t.update_moment_per_elem_norm(x, z, 0.9, 2),
    "per element 4": lambda t, x, y, z: t.update_moment_per_elem_norm(x, z, 0.9, 4),
    "infinity": lambda t, x, y, z: t.update_infinity_moment(x, z, 0.9, 1e-3),
    "bias_correction": lambda t, x, y, z: t.bias_correction(x, 0.9, 3),
    "bias_correction array": lambda t, x, y, z: t.bias_correction(x, 0.999, jnp.array(700)),
}
REAL = {"clip", "clip below"}  # an order


def close(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.shape(x) == np.shape(y) and jnp.result_type(x) == jnp.result_type(y)
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("name", CALLS)
def test_numbers_are_those_of_optax(x64, name, dtype):
    if dtype == np.complex128 and name in REAL:
        return
    x, y, z = random(0, dtype), random(1, dtype), random(2, positive=True)
    close(CALLS[name](gc.tree, x, y, z), CALLS[name](optax.tree, x, y, z))


@pytest.mark.parametrize("name", ["max", "min", "norm"])
def test_largest_and_smallest(x64, name):
    x = {k: v for k, v in random(3).items() if k != "c"}  # Optax takes no empty arrays there
    args = (jnp.inf,) if name == "norm" else ()
    close(getattr(gc.tree, name)(x, *args), getattr(optax.tree, name)(x, *args))
    if name == "norm":
        close(gc.tree.norm(x, "inf", squared=True), optax.tree.norm(x, "inf", squared=True))


def test_keys_are_those_of_optax():
    x, key = random(0, np.float32), jax.random.key(3)
    ours, theirs = gc.tree.split_key_like(key, x), optax.tree.split_key_like(key, x)
    unwrap = gc.tree.unwrap_random_key_data
    close(unwrap(ours), optax.tree.unwrap_random_key_data(theirs))
    close(unwrap({"key": key, "x": 1.0, "y": jnp.ones(2)})["y"], jnp.ones(2))


def test_names_of_tree_utils_are_those_of_tree():
    for _, name in (row for row in NAMES if row[0] == "tree_utils"):
        assert getattr(gc.tree_utils, name) is getattr(gc.tree, name.removeprefix("tree_"))
    assert gc.tree_utils.NamedTupleKey is gc.tree.NamedTupleKey


def test_no_leaves_python_numbers_and_none():
    t = gc.tree
    assert (t.sum({}), t.size({}), t.max({}), t.min({}), t.norm({}), t.norm({}, 1)) == (
        0,
        0,
        -jnp.inf,
        jnp.inf,
        0,
        0,
    )
    assert t.vdot({}, {}) == 0 and t.allclose({}, {}) and t.dtype({}) == jnp.float32
    assert t.add({"a": 1.0}, {"a": 2.0}, {"a": 3}) == {"a": 6.0} and t.norm({"a": 3.0, "b": [4]}) == 5
    assert t.add_scale({"a": None, "b": 1.0}, 2.0, {"a": jnp.ones(2), "b": 3.0}) == {"a": None, "b": 7.0}
    moments = gc.update_moment({"a": None, "b": jnp.ones(2)}, {"a": None, "b": jnp.ones(2)}, 0.9, 2)
    assert moments["a"] is None
    assert (
        t.sum({"a": jnp.arange(3)}).dtype == jnp.int32
        and t.sum([jnp.ones(4, jnp.float16)]).dtype == jnp.float32
    )


def test_sums_of_short_numbers_are_made_in_float32():
    x = [jnp.full(4096, 0.1, jnp.bfloat16)] * 3
    exact = 3 * 4096 * float(jnp.bfloat16(0.1))
    np.testing.assert_allclose(gc.tree.sum(x), exact, rtol=1e-6)
    np.testing.assert_allclose(gc.tree.norm(x, 1), exact, rtol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: gc.tree.norm(x),
        lambda x: gc.tree.norm(x, squared=True),
        lambda x: gc.tree.norm(x, 1),
        lambda x: gc.tree.norm(x, jnp.inf, squared=True),
        lambda x: gc.tree.sum(gc.update_moment_per_elem_norm(x, gc.tree.real(x), 0.9, 1)),
        lambda x: gc.tree.sum(gc.update_moment_per_elem_norm(x, gc.tree.real(x), 0.9, 3)),
        lambda x: gc.tree.sum(gc.update_moment_per_elem_norm(x, gc.tree.real(x), 0.9, 1.5)),
        lambda x: gc.tree.sum(gc.update_infinity_moment(x, gc.tree.real(x), 0.9, 1e-3)),
        lambda x: gc.tree.sum(gc.update_moment(gc.tree.real(x), gc.tree.real(x), 0.9, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.complex64])
def test_derivatives_at_zero_are_finite(f, dtype):
    grads = jax.grad(f)({"a": jnp.zeros(3, dtype), "b": jnp.zeros((), dtype)})
    assert gc.tree.all_finite(grads)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("order", [1, 1.5, 2, 3, 5])
def test_moments_of_sizes(x64, order, dtype):
    """|g|^order for real numbers as well, where Optax has g^order, which is negative or NaN for some."""
    x, m = random(0, dtype), random(1, positive=True)
    expected = jax.tree.map(lambda g, m: 0.9 * m + 0.1 * np.abs(g) ** order, x, m)
    close(gc.update_moment_per_elem_norm(x, m, 0.9, order), expected)


def test_bias_correction_keeps_digits():
    m, t = jnp.float32(1.0), 3
    exact = 1 / -np.expm1(t * np.log(0.9999))
    assert abs(float(gc.bias_correction(m, 0.9999, t)) / exact - 1) < 2e-7


def test_random_like_is_placed_as_the_target():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    x = jnp.zeros((16, 2))
    drawn = gc.tree.random_like(jax.random.key(0), {"a": jax.device_put(x, split)})["a"]
    assert drawn.sharding == split
    np.testing.assert_array_equal(drawn, gc.tree.random_like(jax.random.key(0), {"a": x})["a"])


def test_dtypes_that_differ():
    f16, f32 = jnp.ones(2, jnp.float16), jnp.ones(2)
    mixed = {"a": f32, "b": f16}
    assert gc.tree.dtype({"a": f16, "b": [f16]}) == jnp.float16
    for handler in ("promote", "highest", "lowest"):
        assert gc.tree.dtype(mixed, handler) == optax.tree.dtype(mixed, handler)
    with pytest.raises(ValueError, match=r"'a' is float32, 'b' is float16.*promote"):
        gc.tree.dtype(mixed)
    neither = {"a": f16, "b": jnp.ones(2, jnp.bfloat16)}
    assert gc.tree.dtype(neither, "promote") == jnp.float32
    with pytest.raises(ValueError, match="none of the leaves' dtypes is the lowest"):
        gc.tree.dtype(neither, "lowest")
    with pytest.raises(ValueError, match=r"mixed_dtype_handler is 'max'.*'highest'"):
        gc.tree.dtype(mixed, "max")


def test_errors():
    with pytest.raises(ValueError, match="norm: ord is 3; expected None, 1, 2 or inf"):
        gc.tree.norm({"a": jnp.ones(2)}, 3)
    with pytest.raises(ValueError, match=r"allclose: a .* and b .* differ: 'x' is in a but not in b"):
        gc.tree.allclose({"x": 1.0}, {"y": 1.0})


# Averages of parameters, and derivatives scaled -------------------------------------------------------------


def test_incremental_update(x64):
    x, y = random(0), random(1)
    close(gc.incremental_update(x, y, 0.01), optax.incremental_update(x, y, 0.01))
    close(jax.jit(gc.incremental_update)(x, y, 0.01), optax.incremental_update(x, y, 0.01))
    short = gc.tree.cast(y, jnp.bfloat16)
    assert gc.tree.dtype(gc.incremental_update(x, short, 0.01)) == jnp.bfloat16
    assert gc.incremental_update(jnp.array(3), jnp.array(1), 0.5) == 2.0


@pytest.mark.parametrize("step", [0, 1, 2, 3, 6])
def test_periodic_update(step):
    x, y = random(0, np.float32), random(1, np.float32)
    close(gc.periodic_update(x, y, jnp.array(step), 3), optax.periodic_update(x, y, jnp.array(step), 3))
    close(gc.periodic_update(x, y, step, 3), x if step % 3 == 0 else y)


@pytest.mark.parametrize("scale", [0, 0.0, 1, 0.5, -2.0])
def test_scale_gradient(scale):
    f = lambda x: jnp.sum(gc.scale_gradient({"a": x, "n": 3}, scale)["a"] ** 3)  # noqa: E731
    x = jnp.array([1.0, -2.0, 0.0])
    np.testing.assert_array_equal(f(x), jnp.sum(x**3))
    np.testing.assert_allclose(jax.grad(f)(x), scale * 3 * x**2)
    np.testing.assert_allclose(jax.jvp(f, (x,), (x,))[1], jnp.sum(scale * 3 * x**3), rtol=1e-6)
    theirs = lambda x: jnp.sum(optax.scale_gradient({"a": x}, scale)["a"] ** 3)  # noqa: E731
    np.testing.assert_allclose(jax.grad(f)(x), jax.grad(theirs)(x))


def test_scale_gradient_takes_a_traced_scale_and_stops_infinities():
    grad = jax.jit(jax.grad(lambda x, s: gc.scale_gradient(x, s) ** 2))
    assert grad(3.0, 0.5) == 3.0
    assert jax.grad(lambda x: jnp.sqrt(gc.scale_gradient(x, 0)))(0.0) == 0
