"""Work on the matrices of a tree: alike ones together, short side first, spread over a mesh."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import AbstractMesh, AxisType

from gradchain.core import place
from gradchain.core.slots import Leaf
from gradchain.matrices.across import across
from gradchain.matrices.due import Chosen, Due, Job, Row
from gradchain.matrices.stacks import Stacked, Stacks, leaf_of, on_rows, on_stacks, sides, stack_of

__all__ = ["Due", "leaf_of", "on_stacks", "per_matrix", "sides", "stack_of"]


def per_matrix(
    f: Stacked,
    arrays: Sequence[Any],
    leaves: Sequence[Any],
    *,
    padding: bool = False,
    turning: bool = False,
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
    Of one array alone: `padding` says that f takes no notice of rows and columns of zeros, and keeps them;
    `turning` that f(x^T) is f(x)^T, so that square matrices may be turned to travel with others.
    """
    single = not any(isinstance(x, tuple) for x in arrays)
    own = [(x,) if single else x for x in arrays], [(p,) if single else p for p in leaves]
    rows = [Row(*row) for row in zip(*own, due or [None] * len(arrays), strict=True)]
    g, turned = ((lambda x: (f(x),)), None) if single else (f, False)
    job = Job(g, tuple(shared), tuple(results), turned, padding and single, turning and single)
    made = _per_row(job, rows)
    return [ys[0] for ys in made] if single else made


def _per_row(job: Job, rows: Sequence[Row]) -> list[Stacks]:
    out: list[Any] = [tuple(row.arrays[r] for r in job.results) for row in rows]
    meshes: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        if not row.arrays[0].size:
            continue
        if any(_unknown(x, leaf) for x, leaf in zip(row.arrays, row.leaves, strict=True)):
            (out[i],) = _here(job, [row])
            continue
        mesh = _mesh_of(row)
        kind = tuple(x.dtype for x in row.arrays)
        meshes.setdefault(None if mesh is None else (tuple(mesh.shape.items()), kind), []).append(i)
    for key, at in meshes.items():
        own = [rows[i] for i in at]
        made = _here(job, own) if key is None else across(_mesh_of(own[0]), job, own)
        for i, ys in zip(at, made, strict=True):
            out[i] = ys
    return out


def _here(job: Job, rows: Sequence[Row]) -> list[Stacks]:
    """On one device."""
    begun = [_begin(row.arrays, row.first, _how(job, row)) for row in rows]
    made = on_rows(lambda *xs: job.f(*xs, *job.shared), begun)
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


def _mesh_of(row: Row) -> Any:
    """The mesh that a leaf is known to be on; None where it has one device, or is within a shard_map."""
    x, leaf = row.arrays[0], row.leaves[0]
    found = place.of(x) or leaf.sharding
    if found is None or leaf.sharding is None or AxisType.Manual in found.mesh.axis_types:
        return None
    return found.mesh if found.mesh.size > 1 else None


def _unknown(x: Array, leaf: Leaf) -> bool:
    """Whether nothing says how a leaf is split: a trace on a mesh with automatic axes, and no plan for it."""
    home = leaf.sharding
    empty = home is None or (isinstance(home.mesh, AbstractMesh) and not any(home.spec))
    return place.is_blind(x) and empty
