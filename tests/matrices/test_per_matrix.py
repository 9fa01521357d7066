"""Work on matrices: read from leaves of all kinds, planned, carried over a mesh of eight devices and back."""

import math
import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from gradchain.aot.hlo import Program
from gradchain.core import place
from gradchain.core.slots import Axes, Leaf, default_axes
from gradchain.matrices.linalg import newton_schulz
from gradchain.matrices.per_matrix import leaf_of, on_stacks, per_matrix, sides, stack_of
from gradchain.matrices.spread import Shipment, busiest, cost, plan, tiling

P = PartitionSpec
TYPES = pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
MESHES = {
    "one": ((8,), ("data",)),
    "two": ((4, 2), ("data", "model")),
    "three": ((2, 2, 2), ("x", "data", "model")),
}


def mesh_of(name: str, kind: AxisType):
    shape, names = MESHES[name]
    return jax.make_mesh(shape, names, axis_types=(kind,) * len(shape))


def leaf(path: str, shape, sharding=None) -> Leaf:
    return Leaf(path, shape, jnp.dtype("float32"), default_axes(path, shape), None, sharding)


def draw(shape, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def weighted(x):
    """Each number times one of its place: rows or columns in another order would show."""
    i, j = (jnp.arange(1.0, n + 1) for n in x.shape[1:])
    return x * (i[:, None] * j)


LEAVES = {  # on data and model: on rows, columns, both, the stack, in the middle of merged axes, not at all
    "both/kernel": ((16, 32), P("data", "model")),
    "tall/kernel": ((32, 16), P("model", "data")),
    "columns/kernel": ((16, 32), P(None, "model")),
    "rows_of_two/kernel": ((24, 24), P(("data", "model"))),
    "square/kernel": ((24, 24), P(None, "data")),
    "stack/kernel": ((4, 16, 20), P("data", None, "model")),
    "whole_stack/kernel": ((3, 16, 32), P(None, "model")),
    "split_stack/kernel": ((8, 6, 8), P(("model", "data"))),
    "query/kernel": ((16, 4, 6), P("data", "model")),
    "heads/query/kernel": ((16, 3, 8), P("data", None, "model")),
    "out/kernel": ((4, 6, 16), P(None, "model", "data")),
    "everywhere/kernel": ((10, 14), P()),
    "vector/bias": ((16,), P("data")),
    "empty/kernel": ((0, 4), P()),
}


def on_mesh(mesh, leaves=None):
    found = LEAVES if leaves is None else leaves
    here = [
        leaf(path, shape, NamedSharding(mesh, kept(mesh, shape, spec)))
        for path, (shape, spec) in found.items()
    ]
    arrays = [draw(p.shape, i) for i, p in enumerate(here)]
    return here, arrays, [jax.device_put(x, p.sharding) for x, p in zip(arrays, here, strict=True)]


def kept(mesh, shape, spec):
    """A spec without the axes that the mesh has not, and those that do not divide."""
    split = place.split_of(spec, len(shape))
    known = [tuple(n for n in names if n in mesh.axis_names) for names in split]
    sizes = [math.prod(mesh.shape[n] for n in names) for names in known]
    return place.spec_of([x if n % k == 0 else () for x, n, k in zip(known, shape, sizes, strict=True)])


@pytest.mark.parametrize("path, shape", [(p, s) for p, (s, _) in LEAVES.items()] + [("a/scalar", ())])
def test_leaf_and_stack(path, shape):
    x, axes = draw(shape), default_axes(path, shape)
    stack = stack_of(x, axes)
    assert stack.ndim == 3 and (stack.shape[1] <= stack.shape[2] or not x.size)
    assert sorted(stack.shape[1:]) == sorted(sides(shape, axes)[1:])
    np.testing.assert_array_equal(leaf_of(stack, shape, axes), x)


def test_rows_and_columns_that_are_apart():
    axes = Axes.parse("cbr")
    x = draw((5, 3, 2))
    np.testing.assert_array_equal(stack_of(x, axes)[1], x[:, 1].T)
    np.testing.assert_array_equal(leaf_of(stack_of(x, axes), x.shape, axes), x)


def test_alike_matrices_go_together():
    shapes = [(1, 4, 6), (2, 4, 6), (1, 4, 4), (1, 4, 6)]  # a stack is one already
    stacks = [draw(s, i) for i, s in enumerate(shapes)]
    seen = []

    def f(x):
        seen.append(x.shape)
        return weighted(x)

    for y, x in zip(on_stacks(f, stacks), stacks, strict=True):
        np.testing.assert_array_equal(y, weighted(x))
    assert seen == [(2, 4, 6), (2, 4, 6), (1, 4, 4)]


def test_large_matrices_go_alone_on_tpu():
    stacks = [draw((1, 300, 300), i) for i in range(3)]
    program = jax.jit(lambda xs: on_stacks(newton_schulz, xs)).trace(stacks)
    products = lambda platform: program.lower(lowering_platforms=(platform,)).as_text()  # noqa: E731
    assert "tensor<3x300x300xf32>" in products("cpu") and "tensor<3x300x300xf32>" not in products("tpu")


def planned(leaves, sizes, padding=True):
    """The plan for leaves given as (path, shape, spec), and the cost of all their matrices."""
    tilings, counts, total = [], [], 0
    for path, shape, spec in leaves:
        axes, split = default_axes(path, shape), place.split_of(spec, len(shape))
        tilings.append(tiling(shape, axes, split, sizes))
        left = [n // math.prod(sizes[a] for a in names) for n, names in zip(shape, split, strict=True)]
        counts.append(sides(left, axes)[0])
        total += cost(tilings[-1].shape) * sides(shape, axes)[0]
    return plan(tilings, counts, sizes, padding), total


def test_plan_of_equal_matrices():
    leaves = [(f"{i}/kernel", (768, 3072) if i % 2 else (3072, 768), P("data")) for i in range(64)]
    shipments, total = planned(leaves, {"data": 8})
    assert sum(len(s.rows) for s in shipments) == 8 and busiest(shipments) == total / 8
    members = [m for s in shipments for row in s.rows for m in row]
    assert sorted(members) == [(i, 0) for i in range(64)]


def test_plan_of_a_transformer():
    """GPT-2's matrices over eight devices: the rows that hold unequal ones cost little."""
    kinds = {"qkv": (768, 2304), "out": (768, 768), "up": (768, 3072), "down": (3072, 768)}
    leaves = [(f"{i}/{k}/kernel", s, P("data")) for i in range(12) for k, s in kinds.items()]
    shipments, total = planned(leaves, {"data": 8})
    assert busiest(shipments) < 1.06 * total / 8
    strict, _ = planned(leaves, {"data": 8}, padding=False)
    assert busiest(strict) > busiest(shipments)
    for s in strict:
        assert len({tuple(sorted(leaves[i][1])) for row in s.rows for i, _ in row}) == 1


def test_plan_keeps_split_stacks_at_home():
    sizes = {"data": 4, "model": 2}
    shipments, total = planned([("a/kernel", (8, 16, 32), P("data", None, "model"))], sizes)
    assert shipments == [Shipment(("model",), (16, 32), (((0, 0), (0, 1)),))]
    assert busiest(shipments) == total / 8
    ((alone,), _) = planned([("a/kernel", (16, 32), P())], sizes)
    assert alone.over == ()  # what every device has is not worth carrying


# In the quick suite each kind of axes, and each number of them.
QUICK = {("one", AxisType.Auto), ("two", AxisType.Explicit), ("three", AxisType.Auto)}


@pytest.mark.parametrize(
    "name, kind",
    [
        pytest.param(n, k, marks=() if (n, k) in QUICK else pytest.mark.slow, id=f"{n}-{k.name.lower()}")
        for n in MESHES
        for k in (AxisType.Auto, AxisType.Explicit)
    ],
)
def test_everything_comes_back_to_its_place(name, kind):
    leaves, plain, arrays = on_mesh(mesh_of(name, kind))
    expected = [
        leaf_of(weighted(stack_of(x, p.axes)), x.shape, p.axes) for x, p in zip(plain, leaves, strict=True)
    ]
    for padding in (True, False):
        run = jax.jit(lambda xs, padding=padding: per_matrix(weighted, xs, leaves, padding=padding))
        for y, want, p in zip(run(arrays), expected, leaves, strict=True):
            np.testing.assert_array_equal(y, want, err_msg=p.path)
            assert y.sharding.is_equivalent_to(p.sharding, y.ndim), p.path


@TYPES
def test_as_on_one_device(kind):
    leaves, plain, arrays = on_mesh(mesh_of("two", kind))
    alone = [leaf(p.path, p.shape) for p in leaves]
    expected = jax.jit(lambda xs: per_matrix(newton_schulz, xs, alone, padding=True))(plain)
    found = jax.jit(lambda xs: per_matrix(newton_schulz, xs, leaves, padding=True))(arrays)
    for y, want, p in zip(found, expected, leaves, strict=True):
        np.testing.assert_allclose(y, want, atol=3e-6, err_msg=p.path)
    eager = per_matrix(newton_schulz, arrays[:2], leaves[:2], padding=True)
    for y, want in zip(eager, found, strict=False):
        np.testing.assert_allclose(y, want, atol=3e-6)


def products(jaxpr) -> int:
    """Flops of all matrix products of a program on one device; of a shard_map those of one of its devices."""
    total = 0
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "dot_general":
            (contracted, _), _ = eqn.params["dimension_numbers"]
            left = eqn.invars[0].aval.shape
            total += 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)
        elif eqn.primitive.name != "cond":  # lax.platform_dependent: its branches do the same
            inner = [
                v
                for v in jax.tree.leaves(eqn.params, is_leaf=lambda v: hasattr(v, "eqns"))
                if hasattr(v, "eqns")
            ]
            total += sum(products(getattr(v, "jaxpr", v)) for v in inner)
        else:
            total += products(eqn.params["branches"][0].jaxpr)
    return total


def sixty_four(mesh):
    two = "model" in mesh.axis_names
    leaves = {}
    for i in range(16):
        leaves |= {
            f"{i}/up/kernel": ((32, 128), P("data", "model" if two else None)),
            f"{i}/down/kernel": ((128, 32), P("model" if two else None, "data")),
            f"{i}/query/proj": ((32, 32), P("data", "model" if two else None)),
            f"{i}/out/proj": ((32, 32), P("model" if two else None, "data")),
        }
    return on_mesh(mesh, leaves)


@pytest.mark.optimized
@pytest.mark.parametrize(
    "name, kind",
    [
        pytest.param("one", AxisType.Explicit, id="one-explicit"),
        pytest.param("one", AxisType.Auto, id="one-auto", marks=pytest.mark.slow),
        pytest.param("two", AxisType.Auto, id="two-auto", marks=pytest.mark.slow),
        pytest.param("two", AxisType.Explicit, id="two-explicit", marks=pytest.mark.slow),
    ],
)
def test_sixty_four_matrices_over_eight_devices(name, kind):
    """Each device does an eighth of the work, and the only communication is all-to-all, in and out."""
    leaves, plain, arrays = sixty_four(mesh_of(name, kind))
    run = jax.jit(lambda xs: per_matrix(newton_schulz, xs, leaves, padding=True, turning=True))
    alone = [leaf(p.path, p.shape) for p in leaves]
    one = jax.jit(lambda xs: per_matrix(newton_schulz, xs, alone, padding=True, turning=True))
    compiled = run.lower(arrays).compile()
    for y, want in zip(compiled(arrays), one(plain), strict=True):
        np.testing.assert_allclose(y, want, atol=3e-6)
    assert products(run.trace(arrays).jaxpr.jaxpr) <= 1.05 * products(one.trace(plain).jaxpr.jaxpr) / 8

    text = compiled.as_text()
    found = re.findall(
        r" (all-[a-z-]+?|reduce-scatter|collective-[a-z-]+?|ragged-[a-z-]+?)(?:-start)?\(", text
    )
    axes = len(MESHES[name][0])
    assert Counter(found) == {"all-to-all": 2 * 2 * axes}  # two shapes, in and out along each mesh axis
    running = [(i.op, i.bytes) for _, i, _ in Program(text).running()]
    moved = [bytes_ for op, bytes_ in running if op.startswith("all-to-all")]
    assert sum(moved) == 2 * axes * sum(x.nbytes for x in plain) / 8


def test_specs_that_a_trace_cannot_see():
    """On a mesh with automatic axes a leaf without a plan is left to XLA: right, and in its place."""
    leaves, plain, arrays = on_mesh(mesh_of("two", AxisType.Auto))

    def run(xs):
        here = [leaf(p.path, p.shape, place.of(x)) for p, x in zip(leaves, xs, strict=True)]
        assert all(p.sharding is not None and not any(p.sharding.spec) for p in here)
        return per_matrix(weighted, xs, here, padding=True)

    expected = per_matrix(weighted, plain, [leaf(p.path, p.shape) for p in leaves])
    for y, want, p in zip(jax.jit(run)(arrays), expected, leaves, strict=True):
        np.testing.assert_array_equal(y, want, err_msg=p.path)
        assert p.path not in ("both/kernel", "everywhere/kernel") or y.sharding.is_equivalent_to(
            p.sharding, y.ndim
        )


def test_within_a_shard_map():
    """A program that is one device's already has whole matrices, or does not mean to be moved."""
    mesh = mesh_of("one", AxisType.Explicit)

    def local(x):
        return per_matrix(weighted, [x], [leaf("a/kernel", x.shape, place.of(x))])[0]

    x = draw((4, 6))
    found = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=P(), out_specs=P()))(x)
    np.testing.assert_array_equal(found, weighted(x[None])[0])
