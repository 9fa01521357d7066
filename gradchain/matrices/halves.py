"""Newton-Schulz as kernels for TPU: half of each symmetric product is computed, the rest is its mirror image.

The only module that needs Pallas, which JAX calls experimental; `linalg` imports it when it is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from gradchain.matrices.tiles import GRAM, VMEM, Chain, Q, Tiles, Triple, products, tiles

SHORT = jnp.bfloat16  # dtype of the factors, which a TPU rounds to anyway; sums are float32
_BY_ROWS = (((1,), (1,)), ((), ()))  # x y^T
_BY_COLS = (((1,), (0,)), ((), ()))  # x y


def _at(i: Any, size: int) -> Any:
    return pl.ds(pl.multiple_of(i * size, size), size)


def _times(x: Array, y: Array, axes: Any = _BY_ROWS) -> Array:
    return lax.dot_general(x, y, axes, preferred_element_type=jnp.float32)


def _lower(tile: Tiles, make: Callable, write: Callable) -> None:
    """write(i, j, rows, columns, make(rows, columns)) for each block on and below the diagonal.

    Two or three are made before the first is written: while one is transposed the next is multiplied.
    """
    together = next(d for d in (2, 3, 1) if tile.blocks % d == 0)

    def some(_, place):
        made = []
        for _ in range(together):
            i, j = place
            at, to = _at(i, tile.side), _at(j, tile.side)
            made.append((i, j, at, to, make(at, to)))
            place = jnp.where(i == j, i + 1, i), jnp.where(i == j, 0, j + 1)
        for block in made:
            write(*block)
        return place

    lax.fori_loop(0, tile.blocks // together, some, (jnp.int32(0), jnp.int32(0)))


def _loop(start: Any, end: Any, f: Callable[[Any], None]) -> None:
    """f(start), ..., f(end - 1)."""

    def turn(i, carry):
        f(i)
        return carry

    lax.fori_loop(start, end, turn, 0)


def _below(side: int) -> Array:
    """How far each element of a block is below its diagonal."""
    return lax.broadcasted_iota(jnp.int32, (side, side), 0) - lax.broadcasted_iota(jnp.int32, (side, side), 1)


def _mirror(ref: Any, i: Any, j: Any, at: Any, to: Any, y: Array) -> None:
    """Write a block and its transpose; of a block on the diagonal the lower half, twice."""
    turned = y.T
    ref[to, at] = turned.astype(ref.dtype)
    ref[at, to] = jnp.where((_below(len(y)) >= 0) | (i != j), y, turned).astype(ref.dtype)


def _gram(x: Any, r: Any, tile: Tiles) -> None:
    """Add x x^T to the lower blocks of r."""

    def add(i, j, at, to, y):
        r[at, to] += y

    _lower(tile, lambda at, to: _times(x[at, :], x[to, :]), add)


def _chain(table: Any, numbers: Any, start: Any, end: Any, r: Any, w: Any, tile: Tiles):
    """Products `start` to `end` of the tables, from the lower blocks of r; w[Q] is the factor then."""
    _lower(tile, lambda at, to: r[at, to], functools.partial(_mirror, w.at[GRAM]))

    def product(n):
        x, y, out, full = (table[n, c] for c in range(4))
        a, b, c = (numbers[n, c] for c in range(3))

        def make(at, to):
            return _times(w[x, at, :], w[y, to, :])

        def write(i, j, at, to, z):
            old = r[at, to]
            unit = jnp.where((_below(tile.side) == 0) & (i == j), a, jnp.float32(0))
            z = unit + (b * old + c * z)
            r[at, to] = jnp.where(out == GRAM, z, old)
            _mirror(w.at[out], i, j, at, to, z)

        @pl.when(full == 0)
        def _():
            _lower(tile, make, write)

        @pl.when(full > 0)
        def _():
            across = tile.rows // tile.width

            def block(i):
                at, to = _at(lax.div(i, across), tile.side), _at(lax.rem(i, across), tile.width)
                z = make(at, to)

                @pl.when(full == 1)
                def _():
                    w[out, at, to] = z.astype(w.dtype)

                @pl.when(full == 2)
                def _():
                    w[out, to, at] = z.T.astype(w.dtype)

            _loop(0, tile.rows // tile.side * across, block)

    _loop(start, end, product)


def _factor(table, numbers, x, out, r, w, done, *, n: int, tile: Tiles):
    """A turn adds the Gram matrix of some columns of x; the last one of a matrix makes its factor of it."""
    k, turn, turns = pl.program_id(0), pl.program_id(1), pl.num_programs(1)

    @pl.when(turn == 0)
    def _():
        r[...] = jnp.zeros_like(r)

    _gram(x, r, tile)

    @pl.when(turn + 1 == turns)
    def _():
        _chain(table, numbers, 0, n, r, w, tile)
        copy = pltpu.make_async_copy(w.at[Q], out.at[k], done)
        copy.start()
        copy.wait()


def _iterate(table, numbers, ends, scale, x, out, xs, r, w, *, tile: Tiles):
    """All blocks of steps of one matrix, x times its two scales in xs[0] and then in xs[1], xs[0], ..."""
    side, rows, cols, depth = tile
    (power, factor), across = (scale[pl.program_id(0), c] for c in range(2)), cols // depth
    blocks = ends.shape[0] - 1

    def scaled(i):
        at = _at(i, side)
        xs[0, at, :] = (x[at, :] * power * factor).astype(xs.dtype)

    _loop(0, rows // side, scaled)

    def block(n):
        now = lax.rem(n, 2)
        r[...] = jnp.zeros_like(r)

        def gram(d):
            _gram(xs.at[now, :, _at(d, depth)], r, tile)

        _loop(0, across, gram)
        _chain(table, numbers, ends[n], ends[n + 1], r, w, tile)

        def last(i):
            at, to = _at(lax.div(i, across), side), _at(lax.rem(i, across), depth)
            y = _times(w[Q, at, :], xs[now, :, to], _BY_COLS)

            @pl.when(n + 1 == blocks)
            def _():
                out[at, to] = y.astype(out.dtype)

            @pl.when(n + 1 < blocks)
            def _():
                xs[1 - now, at, to] = y.astype(xs.dtype)

        _loop(0, rows // side * across, last)

    _loop(0, blocks, block)


def _padded(x: Array, tile: Tiles) -> Array:
    return jnp.pad(x, ((0, 0), (0, tile.rows - x.shape[1]), (0, tile.cols - x.shape[2])))


def _tables(chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The products of all blocks: their buffers, their numbers, and where each block begins and ends."""
    found = [products(steps) for steps in chain]
    rows = [p for block in found for p in block]
    ends = np.cumsum([0, *map(len, found)])
    buffers, numbers = [p[:4] for p in rows], [p.numbers for p in rows]
    return np.array(buffers, np.int32), np.array(numbers, np.float32), ends.astype(np.int32)


def _limits(turns: int) -> Any:
    return pltpu.CompilerParams(
        dimension_semantics=("arbitrary",) * turns,
        vmem_limit_bytes=VMEM + 6 * 2**20,  # for what the compiler spills
    )


_SCALARS = pl.BlockSpec(memory_space=pltpu.SMEM)


def _folded(f: Callable[..., Array]) -> Callable[..., Array]:
    """A function of stacks [k, ...] whose vmap is itself on a longer stack."""

    @jax.custom_batching.custom_vmap
    def g(*xs):
        with jax.enable_x64(False):  # indices are int32 on a TPU
            return f(*xs)

    @g.def_vmap
    def _(size, batched, *xs):
        found = [
            x if on else jnp.broadcast_to(x, (size, *x.shape)) for x, on in zip(xs, batched, strict=True)
        ]
        y = g(*(x.reshape(-1, *x.shape[2:]) for x in found))
        return y.reshape(size, -1, *y.shape[1:]), True

    return g


@functools.partial(jax.jit, static_argnames=("steps", "interpret"))
def factor(x: Array, steps: tuple[Triple, ...], interpret: Any = False) -> Array:
    """q [k, m, m], so that q x is what a block of steps makes of each x of [k, m, n]; in x's dtype."""
    _, m, n = x.shape
    tile = tiles(m, n)
    table, numbers, _ = _tables((steps,))
    square = (tile.rows, tile.rows)

    def run(x: Array) -> Array:
        k = len(x)
        moved = k * tile.rows * (tile.cols + tile.rows) * x.dtype.itemsize
        return pl.pallas_call(
            functools.partial(_factor, n=len(table), tile=tile),
            grid=(k, tile.cols // tile.depth),
            in_specs=[
                *[_SCALARS] * 2,
                pl.BlockSpec((None, tile.rows, tile.depth), lambda i, j: (i, 0, j)),
            ],
            out_specs=pl.BlockSpec(memory_space=pl.ANY),
            out_shape=jax.ShapeDtypeStruct((k, *square), x.dtype),
            scratch_shapes=[
                pltpu.VMEM(square, jnp.float32),
                pltpu.VMEM((4, *square), x.dtype),
                pltpu.SemaphoreType.DMA,
            ],
            compiler_params=_limits(2),
            cost_estimate=pl.CostEstimate(
                flops=k * tile.flops(steps), transcendentals=0, bytes_accessed=moved
            ),
            interpret=interpret,
        )(table, numbers, x)

    return _folded(run)(_padded(x, tile))[:, :m, :m]


@functools.partial(jax.jit, static_argnames=("chain", "short", "interpret"))
def iterate(x: Array, scale: Array, chain: Chain, short: Any, interpret: Any = False) -> Array:
    """What all blocks of steps make of x [k, m, n] times scale [k, 2], with factors in the dtype `short`.

    x is multiplied by one scale after the other: their product may be too small for a number.
    """
    _, m, n = x.shape
    tile = tiles(m, n)
    _, rows, cols, _ = tile
    matrix = pl.BlockSpec((None, rows, cols), lambda i: (i, 0, 0))
    flops = sum(tile.flops(steps) + tile.flops_of_last for steps in chain)

    def run(x: Array, scale: Array) -> Array:
        k = len(x)
        return pl.pallas_call(
            functools.partial(_iterate, tile=tile),
            grid=(k,),
            in_specs=[*[_SCALARS] * 4, matrix],
            out_specs=matrix,
            out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
            scratch_shapes=[
                pltpu.VMEM((2, rows, cols), short),
                pltpu.VMEM((rows, rows), jnp.float32),
                pltpu.VMEM((4, rows, rows), short),
            ],
            compiler_params=_limits(1),
            cost_estimate=pl.CostEstimate(
                flops=k * flops, transcendentals=0, bytes_accessed=2 * x.size * x.dtype.itemsize
            ),
            interpret=interpret,
        )(*_tables(chain), scale, x)

    return _folded(run)(_padded(x, tile), scale)[:, :m, :n]
