"""Which axes of a leaf are a stack, rows and columns: by its name, or as with_axes says."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core.slots import Axes, default_axes


@pytest.mark.parametrize(
    ("path", "shape", "letters"),
    [
        ("dense/kernel", (4, 8), "rc"),
        ("layers/dense/kernel", (3, 4, 8), "brc"),  # stacked for scan
        ("conv/kernel", (3, 3, 4, 8), "rrrc"),
        ("attention/query/kernel", (8, 2, 4), "rcc"),
        ("attention/out/kernel", (2, 4, 8), "rrc"),
        ("layers/attention/out/kernel", (5, 2, 4, 8), "brrc"),
        ("embed/embedding", (50, 8), "rc"),
        ("layers/norm/scale", (3, 8), "bc"),
        ("dense/bias", (8,), "c"),
    ],
)
def test_flax_names(path, shape, letters):
    assert default_axes(path, shape) == Axes.parse(letters)


def params():
    key = jax.random.key(0)
    return {
        "qkv": jax.random.normal(key, (16, 3, 2, 8)),
        "dense": {"kernel": jax.random.normal(key, (16, 8))},
    }


def test_with_axes_reads_what_it_names():
    tx = gc.with_axes(gc.scale_by_factored_rms(min_dim_size_to_factor=1), {"qkv": "rbcc"})
    slots = tx.slots(params())["scale_by_factored_rms"]
    assert slots.v_row["qkv"].shape == (16, 3) and slots.v_col["qkv"].shape == (3, 2, 8)
    assert slots.v_row["dense"]["kernel"].shape == (16,)


def test_with_axes_counts_in_the_update():
    """Three stacked matrices are updated as three matrices are."""
    inner = gc.scale_by_factored_rms(min_dim_size_to_factor=1)
    stacked, alone = params(), [params()["qkv"][:, i].reshape(16, 16) for i in range(3)]
    tx = gc.with_axes(inner, {"qkv": "rbcc"})
    found, _ = tx.update(stacked, tx.init(stacked), stacked)
    wanted, _ = inner.update(alone, inner.init(alone), alone)
    stack = jnp.stack(wanted, axis=1).reshape(16, 3, 2, 8)
    assert jnp.allclose(found["qkv"], stack, rtol=1e-6)


def test_the_outer_of_two_is_asked_last():
    tx = gc.with_axes(
        gc.with_axes(gc.scale_by_factored_rms(min_dim_size_to_factor=1), {"qkv": "rbcc"}), {"**": "rccc"}
    )
    with pytest.raises(ValueError, match="axes 'rccc' for 'dense/kernel': 4 letters"):
        tx.init(params())
    assert tx.replace(axes={"qkv": "rccc"}).slots(params())["scale_by_factored_rms"].v_row["qkv"].shape == (
        16,
        3,
    )


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"qkv": "rxc"}, "one letter per axis"),
        ({"qkv": "rc"}, "axes 'rc' for 'qkv': 2 letters, shape"),
        ({"other": "rc"}, "no leaf matches 'other'; there are 'dense/kernel', 'qkv'"),
    ],
)
def test_errors(axes, message):
    with pytest.raises(ValueError, match=message):
        gc.with_axes(gc.scale_by_adam(), axes).init(params())
