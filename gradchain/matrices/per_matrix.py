"""Work on the matrices of a tree: alike ones together, short side first, spread over a mesh."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AbstractMesh, AxisType, PartitionSpec

from gradchain.core import place, versions
from gradchain.core.slots import Axes, Leaf
from gradchain.matrices.carry import Carrier
from gradchain.matrices.due import Chosen, Due, Row, Stacks, numbers_of, width
from gradchain.matrices.spread import Shipment, Tiling, plan, tiling

Stacked = Callable[..., Any]  # [k, m, n] -> [k, m, n], each matrix by itself; of several arrays a tuple
TPU_ALONE = 2**16  # elements of a matrix, from which on XLA for TPU is given one at a time


def sides(shape: Sequence[int], axes: Axes) -> tuple[int, int, int]:
    """How many matrices a leaf holds, their rows and columns."""
    batch, rows, cols = (math.prod(shape[i] for i in group) for group in (axes.batch, axes.rows, axes.cols))
    return batch, rows, cols


def stack_of(x: Array, axes: Axes, turned: bool | None = None) -> Array:
    """A leaf as its matrices with the short side first, [k, m, n], m <= n; or with `turned` as it says."""
    k, rows, cols = sides(x.shape, axes)
    stack = x.transpose(*axes.batch, *axes.rows, *axes.cols).reshape(k, rows, cols)
    return jnp.swapaxes(stack, 1, 2) if (rows > cols if turned is None else turned) else stack


def leaf_of(stack: Array, shape: Sequence[int], axes: Axes, turned: bool | None = None) -> Array:
    """The leaf that these are the matrices of."""
    order = (*axes.batch, *axes.rows, *axes.cols)
    _, rows, cols = sides(shape, axes)
    stack = jnp.swapaxes(stack, 1, 2) if (rows > cols if turned is None else turned) else stack
    back = sorted(range(len(order)), key=order.__getitem__)
    return stack.reshape([shape[i] for i in order]).transpose(back)


def _together(f: Stacked, rows: Sequence[Stacks], groups: Sequence[Sequence[int]]) -> list[Stacks]:
    """f on the stacks of each group, as one."""
    out: list[Any] = [None] * len(rows)
    for group in groups:
        made = f(
            *(
                jnp.concatenate(xs) if len(xs) > 1 else xs[0]
                for xs in zip(*(rows[i] for i in group), strict=True)
            )
        )
        made = [lax.split(y, [1] * len(group)) if len(group) > 1 else [y] for y in made]
        for k, i in enumerate(group):
            out[i] = tuple(y[k] for y in made)
    return out


def _on_rows(f: Stacked, rows: Sequence[Stacks]) -> list[Stacks]:
    """`on_stacks` for several arrays of each matrix; f returns a tuple."""
    alike: dict[Any, list[int]] = {}
    for i, xs in enumerate(rows):
        key = tuple((x.shape[1:], x.dtype) for x in xs) if xs[0].shape[0] == 1 else i
        alike.setdefault(key, []).append(i)
    groups = list(alike.values())
    if all(len(group) == 1 for group in groups):
        return [f(*xs) for xs in rows]
    fine = [
        part
        for group in groups
        for part in ([group] if math.prod(rows[group[0]][0].shape[1:]) <= TPU_ALONE else [[i] for i in group])
    ]
    if fine == groups:
        return _together(f, rows, groups)

    def on(groups):
        return lambda *rows: _together(f, rows, groups)

    return lax.platform_dependent(*rows, tpu=on(fine), default=on(groups))


def on_stacks(f: Stacked, stacks: Sequence[Array]) -> list[Array]:
    """f on stacks of matrices; single ones of one shape together, on TPU only small ones.

    There a matrix by itself stays in fast memory from one product to the next, and 16 kernels of a large one
    cost no more than one of 16; elsewhere a kernel for each of them would leave most of the device idle.
    """
    return [y for (y,) in _on_rows(lambda x: (f(x),), [(x,) for x in stacks])]


def per_matrix(
    f: Stacked,
    arrays: Sequence[Any],
    leaves: Sequence[Any],
    *,
    padding: bool = False,
    results: Sequence[int] = (0,),
    due: Sequence[Due | None] | None = None,
    shared: Sequence[Array] = (),
) -> list[Any]:
    """f on every matrix of some leaves, each whole on one device; results have the leaves' shapes and places.

    `arrays` and `leaves` are one for each leaf, and f takes [k, m, n] with m <= n. Or they are tuples, of all
    that belongs to the matrices of a leaf (gradient, factors, ...): f takes that many stacks, with rows and
    columns as their leaves have them, and returns a tuple of as many as `results` names, in the shapes and
    places of these operands. `due`: the matrices worked on; results of the others are their operands.
    `shared`: numbers that f takes behind the stacks; a counter on a mesh may not be closed over.
    Leaves on a mesh are spread over all its devices (`spread.plan`): an all-to-all along each mesh axis
    brings every device whole matrices, and another takes the results back; f itself communicates nothing.
    Over an axis that does not split a leaf each device takes its matrices out of its copy, and results are
    gathered. A leaf of which a trace cannot know how it is split is left to XLA, by itself.
    `padding` says that f takes no notice of rows and columns of zeros, and keeps them (of one array alone).
    """
    single = not any(isinstance(x, tuple) for x in arrays)
    own = [(x,) if single else x for x in arrays], [(p,) if single else p for p in leaves]
    rows = [Row(*row) for row in zip(*own, due or [None] * len(arrays), strict=True)]
    g, turned = ((lambda x: (f(x),)), None) if single else (f, False)
    job = Job(g, tuple(shared), tuple(results), turned, padding and single)
    made = _per_row(job, rows)
    return [ys[0] for ys in made] if single else made


class Job(NamedTuple):
    """What is done to the matrices of some rows."""

    f: Stacked  # [k, m, n] of each operand, and what is shared -> a tuple of results
    shared: tuple[Array, ...]
    results: tuple[int, ...]  # the operands in whose shapes and places results are
    turned: bool | None  # how all operands are read; None: short side first
    padding: bool


def _per_row(job: Job, rows: Sequence[Row]) -> list[Stacks]:
    out: list[Any] = [tuple(row.arrays[r] for r in job.results) for row in rows]
    meshes: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        if not row.arrays[0].size:
            continue
        if any(_unknown(x, leaf) for x, leaf in zip(row.arrays, row.leaves, strict=True)):
            (out[i],) = _here(job, [row])
            continue
        mesh = _mesh_of(row.arrays[0], row.leaves[0])
        kind = tuple(x.dtype for x in row.arrays)
        meshes.setdefault(None if mesh is None else (tuple(mesh.shape.items()), kind), []).append(i)
    for key, at in meshes.items():
        own = [rows[i] for i in at]
        for i, ys in zip(at, _here(job, own) if key is None else _spread(job, own), strict=True):
            out[i] = ys
    return out


def _here(job: Job, rows: Sequence[Row]) -> list[Stacks]:
    """On one device."""
    begun = [_begin(row.arrays, row.first, _how(job, row)) for row in rows]
    made = _on_rows(lambda *xs: job.f(*xs, *job.shared), begun)
    return [_end(ys, row.arrays, row.first, _how(job, row)) for ys, row in zip(made, rows, strict=True)]


class _How(NamedTuple):
    """How the matrices of a row are read, and results written: known when a program is made."""

    leaves: tuple[Leaf, ...]
    every: int | None
    turned: bool | None
    results: tuple[int, ...]

    def chosen(self, stacks: Stacks, first: Array) -> Chosen:
        """Which of the matrices are due."""
        row = Row(stacks, self.leaves, None if self.every is None else Due(first, self.every))
        return Chosen.of(row, jnp.arange(stacks[0].shape[0]))


def _how(job: Job, row: Row) -> _How:
    every = None if row.due is None else row.due.every
    return _How(tuple(leaf.bare() for leaf in row.leaves), every, job.turned, job.results)


@functools.partial(jax.jit, static_argnums=2)
def _begin(arrays: Stacks, first: Array, how: _How) -> Stacks:
    """The matrices of a row that are worked on."""
    stacks = tuple(stack_of(x, p.axes, how.turned) for x, p in zip(arrays, how.leaves, strict=True))
    return how.chosen(stacks, first).taken(stacks)


@functools.partial(jax.jit, static_argnums=3)
def _end(ys: Stacks, arrays: Stacks, first: Array, how: _How) -> Stacks:
    """The arrays with results in the places of these matrices."""
    old = tuple(stack_of(arrays[r], how.leaves[r].axes, how.turned) for r in how.results)
    own = how._replace(leaves=tuple(how.leaves[r] for r in how.results))
    whole = own.chosen(old, first).given_back(ys, old) if old else ()
    leaves = zip(whole, how.results, strict=True)
    return tuple(leaf_of(y, arrays[r].shape, how.leaves[r].axes, how.turned) for y, r in leaves)


def _mesh_of(x: Array, leaf: Leaf) -> Any:
    """The mesh that a leaf is known to be on; None where it has one device, or is within a shard_map."""
    found = place.of(x) or leaf.sharding
    if found is None or leaf.sharding is None or AxisType.Manual in found.mesh.axis_types:
        return None
    return found.mesh if found.mesh.size > 1 else None


def _unknown(x: Array, leaf: Leaf) -> bool:
    """Whether nothing says how a leaf is split: a trace on a mesh with automatic axes, and no plan for it."""
    home = leaf.sharding
    empty = home is None or (isinstance(home.mesh, AbstractMesh) and not any(home.spec))
    return place.is_blind(x) and empty


class _Column(NamedTuple):
    """One operand of all rows: where its arrays are, and how they are cut."""

    homes: list[Any]
    tilings: list[Tiling]


def _column(leaves: Sequence[Leaf], mesh: Any, turned: bool | None) -> _Column:
    splits = [place.split_of(p.sharding.spec if p.sharding else (), len(p.shape)) for p in leaves]
    homes = [place.at(mesh, split) for split in splits]
    sizes = dict(mesh.shape)
    return _Column(
        homes,
        [tiling(p.shape, p.axes, split, sizes, turned) for p, split in zip(leaves, splits, strict=True)],
    )


def _spread(job: Job, rows: Sequence[Row]) -> list[Stacks]:
    results = job.results
    mesh = _mesh_of(rows[0].arrays[0], rows[0].leaves[0])
    sizes = dict(mesh.shape)
    columns = [
        _column(leaves, mesh, job.turned) for leaves in zip(*(row.leaves for row in rows), strict=True)
    ]
    main, others = columns[0], columns[1:]
    leaves = [row.leaves[0] for row in rows]
    splits = [place.split_of(h.spec, len(p.shape)) for h, p in zip(main.homes, leaves, strict=True)]
    widths = [
        sides(place.shard_shape(p.shape, home), p.axes)[0] if row.due is None else width(row, split, sizes)
        for p, home, row, split in zip(leaves, main.homes, rows, splits, strict=True)
    ]
    beside = [tuple(c.tilings[i] for c in others) for i in range(len(rows))]
    for t, more, p in zip(main.tilings, beside, leaves, strict=True):
        if any(o.home != t.home for o in more):
            raise ValueError(
                f"per_matrix: the arrays of {p.path!r} have stacks that are split over {[t.home, *more]}; "
                "expected the same mesh axes for all"
            )
    shipments = plan(main.tilings, widths, sizes, job.padding, beside)
    closed = _Closed(job, [_shapes(s, columns, rows) for s in shipments])

    def local(arrays: list[Stacks], firsts: list[Array], shared: Any, consts: list[Array]) -> list[Stacks]:
        here = [
            row._replace(due=row.due and Due(x, row.due.every)) for row, x in zip(rows, firsts, strict=True)
        ]
        stacks = [
            tuple(
                stack_of(x, p.axes, c.tilings[i].turned)
                for x, p, c in zip(xs, row.leaves, columns, strict=True)
            )
            for i, (xs, row) in enumerate(zip(arrays, rows, strict=True))
        ]
        chosen = [
            Chosen.of(row, numbers_of(p, split, sizes), split, sizes)
            for row, p, split in zip(here, leaves, splits, strict=True)
        ]
        taken = [c.taken(xs) for c, xs in zip(chosen, stacks, strict=True)]
        pieces = [[xs[j].reshape(xs[j].shape[0], -1) for xs in taken] for j in range(len(columns))]
        gone = [[Carrier(s, c.tilings, sizes) for c in columns] for s in shipments]
        worked = _on_rows(
            closed.given(shared, consts),
            [tuple(c.collect(p) for c, p in zip(cs, pieces, strict=True)) for cs in gone],
        )
        parts: list[list[dict[int, Array]]] = [[{} for _ in rows] for _ in results]
        for carriers, ys in zip(gone, worked, strict=True):
            for found, r, y in zip(parts, results, ys, strict=True):
                for leaf, first, part in carriers[r].give_back(y):
                    found[leaf][first] = part
        out = []
        for i, (row, xs, c) in enumerate(zip(rows, stacks, chosen, strict=True)):
            flat = [jnp.concatenate([found[i][k] for k in sorted(found[i])]) for found in parts]
            ys = tuple(_piece(y, columns[r].tilings[i], sizes) for y, r in zip(flat, results, strict=True))
            ys = c.given_back(ys, [xs[r] for r in results])
            out.append(
                tuple(
                    leaf_of(y, arrays[i][r].shape, row.leaves[r].axes, columns[r].tilings[i].turned)
                    for y, r in zip(ys, results, strict=True)
                )
            )
        return out

    specs = [tuple(c.homes[i].spec for c in columns) for i in range(len(rows))]
    moved = [
        tuple(
            x if place.is_blind(x) else place.put(x, c.homes[i])
            for x, c in zip(row.arrays, columns, strict=True)
        )
        for i, row in enumerate(rows)
    ]
    firsts = [row.first for row in rows]
    none = PartitionSpec()
    run = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(specs, [none] * len(rows), [none] * len(job.shared), [none] * len(closed.consts)),
        out_specs=[tuple(spec[r] for r in results) for spec in specs],
        check_vma=False,
    )
    return run(moved, firsts, list(job.shared), closed.consts)


def _shapes(shipment: Shipment, columns: Sequence[_Column], rows: Sequence[Row]) -> Any:
    """Of what a device works on at once."""
    first, k = shipment.rows[0][0][0], len(shipment.rows)
    own = [shipment.shape, *(c.tilings[first].shape for c in columns[1:])]
    return tuple(
        jax.ShapeDtypeStruct((k, *shape), x.dtype) for shape, x in zip(own, rows[first].arrays, strict=True)
    )


class _Closed:
    """A function with what it closes over as arguments: a shard_map takes nothing else on explicit axes."""

    def __init__(self, job: Job, rows: Sequence[Any]):
        self.programs: dict[Any, tuple[Any, Any, list[int]]] = {}
        self.consts: list[Any] = []

        def record(*xs):
            shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (*xs, *job.shared)]
            closed, out = jax.make_jaxpr(job.f, return_shape=True)(*shapes)
            at = []
            for const in closed.consts:
                known = [i for i, c in enumerate(self.consts) if c is const]
                self.consts += [] if known else [const]
                at.append(known[0] if known else len(self.consts) - 1)
            self.programs[self._key(xs)] = closed.jaxpr, jax.tree.structure(out), at
            return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), out)

        with place.off_mesh():  # a program that is traced on a mesh is no part of a shard_map
            jax.eval_shape(lambda rows: _on_rows(record, rows), list(rows))

    @staticmethod
    def _key(xs: Sequence[Any]) -> Any:
        return tuple((x.shape, x.dtype) for x in xs)

    def given(self, shared: Sequence[Array], consts: Sequence[Array]) -> Stacked:
        """The function, closed over these."""

        def f(*xs):
            jaxpr, treedef, at = self.programs[self._key(xs)]
            return treedef.unflatten(versions.evaluate(jaxpr, [consts[i] for i in at], *xs, *shared))

        return f


def _piece(flat: Array, t: Tiling, sizes: Mapping[str, int]) -> Array:
    """Pieces of matrices in two dimensions."""
    dims = t.local(sizes)
    rows = math.prod(dims[: len(t.rows)])
    return flat.reshape(flat.shape[0], rows, -1)
