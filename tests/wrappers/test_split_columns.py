"""split_columns: blocks of a fused kernel, as leaves of their own."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from tests.rules.steps import close, problem, take

P = PartitionSpec
SHAPES = {"qkv/kernel": (6, 12), "out/kernel": (4, 6)}


@pytest.mark.parametrize(
    "blocks", [pytest.param(3, marks=pytest.mark.slow), (6, 3, 3)], ids=["equal", "shared_keys"]
)
def test_blocks_are_matrices(blocks):
    params, grads = problem(SHAPES, 2)
    ends = [4, 8] if blocks == 3 else [6, 9]
    found = take(gc.split_columns(gc.normuon(0.1), {"**/qkv/*": blocks}), params, grads).params
    apart = lambda x: {str(i): p for i, p in enumerate(jnp.split(x["qkv/kernel"], ends, 1))}  # noqa: E731
    alone = take(gc.normuon(0.1), apart(params), [apart(g) for g in grads]).params
    close(found["qkv/kernel"], jnp.concatenate(list(alone.values()), 1))
    assert found["out/kernel"].shape == (4, 6)


def test_a_flat_kernel_is_the_fused_one():
    """[d, 3 * heads * dim] in 3 * heads blocks is [d, 3, heads, dim] with a matrix for each head."""
    params, grads = problem({"qkv/kernel": (4, 3, 2, 2)}, 1)
    flat = lambda tree: {"qkv/kernel": tree["qkv/kernel"].reshape(4, 12)}  # noqa: E731
    fused = take(gc.with_axes(gc.muon(0.1), {"**/kernel": "rbbc"}), params, grads).params
    found = take(
        gc.split_columns(gc.muon(0.1), {"**/kernel": 6}), flat(params), [flat(g) for g in grads]
    ).params
    close(found, flat(fused))


def test_names_of_blocks():
    params, _ = problem(SHAPES, 0)
    state = gc.split_columns(gc.adam(0.1), {"qkv/*": 3}).init(params)
    assert [x.shape for x in state["scale_by_adam"].mu["qkv/kernel"]] == [(6, 4)] * 3
    with pytest.raises(
        ValueError, match=r"split_columns: 'qkv/kernel' has 12 columns, which are not 5 blocks"
    ):
        gc.split_columns(gc.adam(0.1), {"qkv/*": 5}).init(params)


@pytest.mark.parametrize("blocks", [3, pytest.param(2, marks=pytest.mark.slow)], ids=["divided", "gathered"])
def test_on_a_mesh(blocks: int):
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)
    put = lambda tree: {k: jax.device_put(x, NamedSharding(mesh, P(None, "data"))) for k, x in tree.items()}  # noqa: E731
    params, grads = problem({"qkv/kernel": (6, 24)} if blocks == 3 else {"qkv/kernel": (6, 12)}, 1)
    tx = gc.split_columns(gc.muon(0.1), {"**/kernel": blocks})
    here = put(params)
    found, _ = jax.jit(tx.update)(put(grads[0]), tx.init(here), here)
    close(found, jax.jit(tx.update)(grads[0], tx.init(params), params)[0], 1e-5)
    assert found["qkv/kernel"].sharding == here["qkv/kernel"].sharding
    spec = P(None, "data") if blocks == 3 else P(None, None)  # 8 columns on four devices, or 6
    assert {x.sharding.spec for x in jax.tree.leaves(tx.init(here)) if x.ndim == 2} == {spec}
    assert "qkv/kernel/1" in str(gc.layout(tx, here))
