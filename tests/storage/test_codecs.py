"""The codecs: what they keep, what they refuse, and that nothing that is no number becomes one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from codec_cases import codecs, leaf, noise, slot, there_and_back, variants, wide_values

import gradchain as gc
from gradchain.core.slots import Slot

CASES = list(variants())
every = pytest.mark.parametrize(("name", "codec", "positive"), CASES, ids=[f"{n}-{p}" for n, _, p in CASES])


def test_the_cases_are_all_there():
    assert {name for name, _, _ in CASES} == {*codecs.CODECS, *codecs.SHORT}
    assert {name for name, _, positive in CASES if not positive} >= {
        "log8",
        "int8",
        "fp8",
        "bfloat16",
        "float16",
    }


@every
def test_zeros_are_kept_as_zeros(name, codec, positive):
    """A state can begin as zeros without encoding any."""
    for part in jax.jit(lambda: codec.encode(jnp.zeros((256, 256)), noise((256, 256))))():
        assert np.all(np.asarray(part.astype(jnp.float32)) == 0)
    kept = codec.slots(slot(positive, 256, 256))
    assert np.all(codec.decode(*(s.make() for s in kept)) == 0)


@every
def test_slots_say_what_encode_makes(name, codec, positive):
    shape = (256, 1000)
    fitted = codecs.codec_of(name).fit(slot(positive, *shape))
    made = jax.eval_shape(lambda: fitted.encode(jnp.ones(shape), noise(shape)))
    for described, x in zip(fitted.slots(slot(positive, *shape)), made, strict=True):
        assert (described.shape, described.dtype) == (x.shape, x.dtype)
        assert len(described.axes) == x.ndim


@every
def test_what_has_been_kept_once_is_kept_again(name, codec, positive):
    """Decoding and encoding again changes nothing, with other noise as well."""
    x = jnp.abs(wide_values((256, 256), positive)) if positive else wide_values((256, 256), positive)
    x = x.at[:, 0].set(32.0)  # the largest of a block is positive: the dynamic map has 1, but not -1
    first = codec.encode(x, noise(x.shape, 0))
    again = codec.encode(codec.decode(*first), noise(x.shape, 1))
    if codec.delayed:  # with other scales, where the largest of a row or column has been rounded down
        np.testing.assert_array_equal(codec.decode(*first), codec.decode(*again))
        return
    tolerance = 1e-5 if name in ("rank_one", "fp8", "float16") else 0
    for a, b in zip(first, again, strict=True):
        if tolerance:
            np.testing.assert_allclose(a.astype(jnp.float32), b.astype(jnp.float32), rtol=tolerance)
        else:
            np.testing.assert_array_equal(a, b)


BOUND = {"float32": 0, "bfloat16": 2**-8, "bfloat16_stochastic": 2**-7, "float16": 2**-9, "log8": 0.25}


@every
def test_errors_are_bounded(name, codec, positive):
    """Relative to each value, or for blocks to the largest of the block."""
    x = wide_values((256, 256), positive)
    off = jnp.abs(there_and_back(codec, x) - x)
    if name in BOUND:
        inside = jnp.abs(x) > 2.0**-14 if name == "float16" and not positive else jnp.ones(x.shape, bool)
        assert np.max(np.where(inside, off / jnp.abs(x), 0)) <= BOUND[name]
    elif name == "log4":  # to the neighbour above or below, the first code for what is below it
        cover = jnp.minimum(*(jnp.max(jnp.abs(x), axis, keepdims=True) for axis in (0, 1)))
        assert np.all(off <= np.maximum(jnp.abs(x), cover * 2.0 ** (2 - (14 if positive else 7))))
    elif name != "rank_one":
        largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
        step = {
            "int8_linear": 1 / (255 if positive else 254),
            "int8": 0.9 / 128,
            "fp8": 2**-3 if positive else 2**-4,
        }[name]
        assert np.max(off / largest) <= step * 1.001


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_never_becomes_one(name, codec, positive, bad):
    x = np.ones((256, 256), np.float32)
    x[3, 5] = bad
    found = np.asarray(there_and_back(codec, x))
    assert not np.isfinite(found[3, 5])
    if len(codec.parts) == 1:
        assert np.sum(~np.isfinite(found)) == 1


@every
def test_positive_values_are_never_zero(name, codec, positive):
    if not positive or name == "rank_one":
        return
    x = jnp.asarray(np.geomspace(1e-30, 1, 256 * 256).reshape(256, 256), jnp.float32)
    assert np.all(there_and_back(codec, x) > 0)


@every
def test_noise_does_not_depend_on_the_sharding(name, codec, positive):
    x = wide_values((256, 256), positive)
    mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    encode = jax.jit(lambda x: codec.encode(x, noise(x.shape)))
    whole = encode(x)
    for spec in (("a", "b"), ("b", None), (None, ("a", "b"))):
        placed = jax.device_put(x, jax.NamedSharding(mesh, jax.P(*spec)))
        for one, many in zip(whole, encode(placed), strict=True):
            if name == "rank_one":  # sums over devices
                np.testing.assert_allclose(one, many, rtol=1e-6)
            else:
                np.testing.assert_array_equal(one, many)


def dynamic_map(positive):
    """The 256 values in order: of each decade the middles of even steps, 2^(6 - d) of them, and 0 and 1."""
    found = [0.0, 1.0]
    for d in range(7):
        ends = np.linspace(0.1, 1, 2 ** (6 - d + positive) + 1)
        middles = (ends[1:] + ends[:-1]) / 2 * 10.0**-d
        found += [*middles] if positive else [*middles, *-middles]
    return np.sort(found)


@pytest.mark.parametrize("positive", [False, True])
def test_the_dynamic_map(positive):
    """The codec computes what the papers' implementations look up: all values, and the nearest of them."""
    codec, table, scale = codecs.int8(block=256, positive=positive), dynamic_map(positive), jnp.ones(1)
    codes = jnp.arange(256).astype(jnp.uint8)
    values = np.asarray(codec.decode(codes, scale), np.float64)
    np.testing.assert_allclose(np.sort(values), table, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(codec.encode(jnp.asarray(values, jnp.float32), None)[0], codes)
    x = wide_values((400, 256), positive, octaves=(-26, 0))
    x = x.at[:, 0].set(1.0)
    value = np.asarray(x, np.float64)
    above = np.clip(np.searchsorted(table, value), 1, table.size - 1)
    nearest = np.where(value - table[above - 1] <= table[above] - value, table[above - 1], table[above])
    off = np.abs(np.asarray(jax.jit(lambda x: codec.decode(*codec.encode(x, None)))(x)) - nearest)
    if positive:  # never rounded to zero
        off = np.where(nearest == 0, 0, off)
    other = off / np.maximum(np.abs(nearest), 1e-7) > 1e-5
    assert np.mean(other) < 1e-4  # float32 halfway between two values


@pytest.mark.parametrize("name", ["int8", "int8_linear", "fp8"])
@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_blocks_need_not_divide_the_axis(name, n):
    codec = codecs.codec_of(name).fit(slot(False, 3, n))
    x = wide_values((3, n), False, octaves=(-3, 0))
    codes, scale = jax.jit(lambda x: codec.encode(x, noise(x.shape)))(x)
    assert codes.shape == (3, n) and scale.shape == (3, -(-n // 256))
    assert np.max(np.abs(jax.jit(codec.decode)(codes, scale) - x)) < 0.07


def test_blocks_do_not_see_each_other():
    codec = codecs.int8(block=4).fit(slot(False, 8))
    x = jnp.asarray([1e-6, 2e-6, -1e-6, 0, 1e6, 1, 0, 0], jnp.float32)
    np.testing.assert_allclose(there_and_back(codec, x)[:4], x[:4], rtol=0.01)


def test_what_codecs_refuse():
    integers = Slot((8, 8), jnp.dtype(jnp.int32), (0, 1), leaf=leaf(8, 8))
    complexes = Slot((8, 8), jnp.dtype(jnp.complex64), (0, 1), leaf=leaf(8, 8))
    for name in [*codecs.CODECS, *codecs.SHORT]:
        for bad in (integers, complexes):
            with pytest.raises(codecs.CodecError, match="real floating-point numbers, and the slot is"):
                codecs.codec_of(name).fit(bad)
    for one in (
        codecs.log8(positive=True),
        codecs.float16(positive=True),
        codecs.int8(positive=True),
        codecs.rank_one(),
    ):
        with pytest.raises(codecs.CodecError, match="holds squares, and the slot is signed"):
            one.fit(slot(False, 256, 256))
    for one in (codecs.log8(positive=False), codecs.int8(positive=False), codecs.float16(positive=False)):
        with pytest.raises(codecs.CodecError, match="may round to zero, and the slot is of squares"):
            one.fit(slot(True, 256, 256))
    with pytest.raises(ValueError, match="block is 0"):
        codecs.int8(block=0)


def test_a_codec_of_ones_own():
    """A small value that others can write: here, every number as one of three signs."""
    import dataclasses
    from typing import ClassVar

    @dataclasses.dataclass(frozen=True, repr=False)
    class Ternary(codecs.Codec):
        name: ClassVar[str] = "ternary"

        def fit(self, slot):
            return None if slot.positive else self

        def slots(self, slot):
            return (dataclasses.replace(slot, dtype=jnp.dtype(jnp.int8)),)

        def encode(self, x, bits):
            return (jnp.sign(x).astype(jnp.int8),)

        def decode(self, kept):
            return 0.01 * kept.astype(jnp.float32)

    params = {"w": jnp.ones((8, 8))}
    tx = gc.stored(gc.adam(0.1), Ternary(), min_size=0)
    state = tx.init(params)
    assert state["scale_by_adam"].mu["w"].dtype == jnp.int8
    assert state["scale_by_adam"].nu["w"].dtype == jnp.float32
    params, state = tx.step({"w": jnp.full((8, 8), -2.0)}, state, params)
    assert np.all(state["scale_by_adam"].mu["w"] == -1) and np.allclose(params["w"], 1.1)
