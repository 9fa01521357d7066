"""The axes of a leaf by path and shape, and slots as arrays, abstract arrays and bytes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.core import select, slots
from gradchain.core.slots import Axes, Leaf, axes_rule, default_axes


@pytest.mark.parametrize(
    "path, shape, letters",
    [
        ("dense/kernel", (4, 8), "rc"),
        ("dense/bias", (8,), "c"),
        ("norm/scale", (8,), "c"),
        ("layers/norm/scale", (12, 8), "bc"),  # stacked by scan
        ("layers/dense/bias", (12, 8), "bc"),
        ("layers/dense/kernel", (12, 4, 8), "brc"),
        ("layers/experts/kernel", (12, 6, 4, 8), "bbrc"),
        ("embedding", (100, 8), "rc"),
        ("embed/embedding", (100, 8), "rc"),
        ("conv/kernel", (3, 3, 4, 8), "rrrc"),
        ("Conv_0/kernel", (5, 4, 8), "rrc"),
        ("conv/bias", (8,), "c"),
        ("layers/conv/kernel", (12, 3, 3, 3, 4, 8), "brrrrc"),
        ("attention/query/kernel", (8, 2, 4), "rcc"),
        ("attention/key/kernel", (8, 2, 4), "rcc"),
        ("attention/value/kernel", (8, 2, 4), "rcc"),
        ("attention/out/kernel", (2, 4, 8), "rrc"),
        ("layers/attention/query/kernel", (12, 8, 2, 4), "brcc"),
        ("layers/attention/out/kernel", (12, 2, 4, 8), "brrc"),
        ("attention/query/bias", (2, 4), "bc"),
        ("temperature", (), ""),
        ("", (4, 8), "rc"),
    ],
)
def test_default_axes(path, shape, letters):
    assert default_axes(path, shape) == Axes.parse(letters)


def test_every_axis_has_one_role():
    for rank in range(8):
        for path in ("kernel", "bias", "conv/kernel", "query/kernel", "out/kernel", "embedding"):
            axes = default_axes(path, (2,) * rank)
            assert sorted(axes.batch + axes.matrix) == list(range(rank)), (path, rank)


def test_axes_of_flax_modules():
    """The default is right for the parameters that Flax makes, not for shapes written down here alone."""
    import flax.linen as nn

    class Model(nn.Module):
        @nn.compact
        def __call__(self, tokens):
            x = nn.Embed(10, 8)(tokens)
            x = nn.MultiHeadDotProductAttention(2, out_features=8)(x, x)
            x = nn.LayerNorm()(nn.Dense(6)(x))
            return nn.Conv(5, (3,))(x)

    params = jax.eval_shape(Model().init, jax.random.key(0), jnp.zeros((1, 4), jnp.int32))["params"]
    found = {
        path: default_axes(path, x.shape)
        for path, x in zip(select.trees.paths(params), jax.tree.leaves(params), strict=True)
    }
    attention = "MultiHeadDotProductAttention_0"
    assert {path: axes for path, axes in found.items() if not path.endswith(("bias", "scale"))} == {
        "Embed_0/embedding": Axes.parse("rc"),
        f"{attention}/query/kernel": Axes.parse("rcc"),
        f"{attention}/key/kernel": Axes.parse("rcc"),
        f"{attention}/value/kernel": Axes.parse("rcc"),
        f"{attention}/out/kernel": Axes.parse("rrc"),
        "Dense_0/kernel": Axes.parse("rc"),
        "Conv_0/kernel": Axes.parse("rrc"),
    }


def test_overrides():
    rule = axes_rule({"**/gate": "cr", "stack/**": "bbr"}, default_axes, select.matches)
    assert rule("a/gate", (4, 8)) == Axes((), (1,), (0,))
    assert rule("stack/x", (2, 3, 4)) == Axes((0, 1), (2,), ())
    assert rule("a/kernel", (4, 8)) == default_axes("a/kernel", (4, 8))
    with pytest.raises(ValueError, match=r"axes 'cr' for 'b/gate': 2 letters, shape \(2, 4, 8\)"):
        rule("b/gate", (2, 4, 8))
    with pytest.raises(ValueError, match="axes 'rx': one letter per axis"):
        axes_rule({"a": "rx"}, default_axes, select.matches)


def leaf(dtype="float32", shape=(4, 8)) -> Leaf:
    return Leaf("kernel", shape, jnp.dtype(dtype), default_axes("kernel", shape), jnp.full(shape, 2, dtype))


@pytest.mark.parametrize(
    "dtype, kept", [("bfloat16", "float32"), ("float16", "float32"), ("float32", "float32")]
)
def test_moments_are_wide(dtype, kept):
    p = leaf(dtype)
    for maker in (slots.zeros, slots.squares, slots.copy):
        assert maker(p).dtype == kept and maker(p).shape == p.shape and maker(p).axes == (0, 1)
    assert slots.squares(p).positive and not slots.zeros(p).positive
    assert slots.typed(slots.zeros, "bfloat16")(p).dtype == jnp.bfloat16
    assert slots.typed(slots.zeros, None) is slots.zeros


def test_complex_moments():
    p = leaf("complex64")
    assert slots.zeros(p).dtype == jnp.complex64 and slots.squares(p).dtype == jnp.float32


def test_shapes_and_axes():
    p = leaf(shape=(2, 4, 8))
    assert slots.drop(p, (2,)).shape == (2, 4) and slots.drop(p, (2,)).axes == (0, 1)
    assert slots.drop(p, (0, 1)).axes == (2,)
    assert slots.gram(p, 1).shape == (4, 4) and slots.gram(p, 1).axes == (1, None)
    history = slots.stack(5, slots.zeros(p))
    assert history.shape == (5, 2, 4, 8) and history.axes == (None, 0, 1, 2)
    assert slots.zeros(p).nbytes == 256 and slots.counter().nbytes == 4 and slots.flag().nbytes == 1


def test_make():
    p = leaf("bfloat16")
    np.testing.assert_array_equal(slots.copy(p).make(), np.full((4, 8), 2, np.float32))
    np.testing.assert_array_equal(slots.filled(slots.zeros, 3)(p).make(), np.full((4, 8), 3, np.float32))
    for slot in (
        slots.zeros(p),
        slots.squares(p),
        slots.counter(),
        slots.flag(),
        slots.scalar(),
        slots.absent(p),
    ):
        made = slot.make()
        assert (made.shape, made.dtype, made.weak_type) == (slot.shape, slot.dtype, False)
        assert not np.any(made)


def test_copy_has_its_own_buffer():
    p = leaf()
    assert slots.copy(p).make().unsafe_buffer_pointer() != p.array.unsafe_buffer_pointer()


def test_abstract_parameters_cannot_be_made():
    p = Leaf(
        "kernel", (2,), jnp.float32, default_axes("kernel", (2,)), jax.ShapeDtypeStruct((2,), jnp.float32)
    )
    with pytest.raises(TypeError, match=r"use jax.eval_shape\(tx.init, params\)"):
        slots.zeros(p).make()
