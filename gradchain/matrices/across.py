"""Work on the matrices of leaves on a mesh: each carried whole to one device, and the results back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import PartitionSpec

from gradchain.core import place
from gradchain.core.slots import Leaf
from gradchain.matrices.carry import Carrier
from gradchain.matrices.due import Chosen, Due, Job, Row, numbers_of, width
from gradchain.matrices.spread import Tiling, plan, tiling
from gradchain.matrices.stacks import Stacks, leaf_of, on_rows, sides, stack_of


class _Column(NamedTuple):
    """One operand of all rows: where its arrays are, and how they are cut."""

    homes: list[Any]
    tilings: list[Tiling]


def _column(leaves: Sequence[Leaf], mesh: Any, job: Job) -> _Column:
    splits = [place.split_of(p.sharding.spec if p.sharding else (), len(p.shape)) for p in leaves]
    homes = [place.at(mesh, split) for split in splits]
    sizes = dict(mesh.shape)
    rows = zip(leaves, splits, strict=True)
    tilings = [tiling(p.shape, p.axes, split, sizes, job.turned, job.turning) for p, split in rows]
    return _Column(homes, tilings)


def across(mesh: Any, job: Job, rows: Sequence[Row]) -> list[Stacks]:
    results = job.results
    sizes = dict(mesh.shape)
    columns = [_column(leaves, mesh, job) for leaves in zip(*(row.leaves for row in rows), strict=True)]
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

    def local(arrays: list[Stacks], firsts: list[Array], shared: list[Array]) -> list[Stacks]:
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
        worked = on_rows(
            lambda *xs: job.f(*xs, *shared),
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
        in_specs=(specs, [none] * len(rows), [none] * len(job.shared)),
        out_specs=[tuple(spec[r] for r in results) for spec in specs],
        check_vma=False,
    )
    try:
        return run(moved, firsts, list(job.shared))
    except NotImplementedError as error:
        if "Closing over" not in str(error):
            raise
        raise NotImplementedError(
            f"per_matrix: the work on {leaves[0].path!r} takes a scheduled or tunable hyperparameter, which "
            "JAX keeps out of a shard_map over explicit axes; use a number, or a mesh of automatic axes"
        ) from error


def _piece(flat: Array, t: Tiling, sizes: Mapping[str, int]) -> Array:
    """Pieces of matrices in two dimensions."""
    dims = t.local(sizes)
    rows = math.prod(dims[: len(t.rows)])
    return flat.reshape(flat.shape[0], rows, -1)
