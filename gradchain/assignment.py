"""The linear assignment problem: which row gets which column, at the least total cost."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

__all__ = ["base_hungarian_algorithm", "hungarian_algorithm"]


class _Duals(NamedTuple):
    rows: Array  # u [n]
    columns: Array  # v [m]; costs - u - v >= 0, and 0 where assigned
    row_of: Array  # [m], the row of each column, -1 for none
    column_of: Array  # [n], the column of each row, -1 for none


class _Search(NamedTuple):
    row: Array  # whose columns are looked at next
    column: Array  # the last one reached
    distance: Array  # to it, from the row where the search began
    shortest: Array  # [m], to each column, along what was looked at
    before: Array  # [m], the row from which each column is reached
    reached: Array  # [m], columns whose distance is final


def hungarian_algorithm(cost_matrix: ArrayLike) -> tuple[Array, Array]:
    """Rows i, ascending, and their columns j, so that the total cost_matrix[i, j].sum() is the least.

    The matrix is [n, m]; min(n, m) pairs are found, by shortest augmenting paths in O(min(n, m)^2 max(n, m)).
    A cost of infinity, or NaN, is a pair to avoid; where it cannot be avoided, the rest need not be the
    cheapest. Exact for integers whose range is below 2^29, and to rounding for floats (16-bit ones in
    float32); of several best assignments any. Works under jit and vmap.

    Crouse 2016, Jonker and Volgenant 1987.
    """
    costs = jnp.asarray(cost_matrix)
    if costs.ndim != 2 or jnp.iscomplexobj(costs):
        raise ValueError(
            f"hungarian_algorithm: cost_matrix is {costs.dtype}{list(costs.shape)}; "
            f"expected a real matrix [rows, columns]; use jax.vmap for several"
        )
    return _assign(costs)


def base_hungarian_algorithm(cost_matrix: ArrayLike) -> tuple[Array, Array]:
    """The same function as `hungarian_algorithm`: Optax has two."""
    return hungarian_algorithm(cost_matrix)


@jax.jit
def _assign(costs: Array) -> tuple[Array, Array]:
    n, m = costs.shape
    if n > m:
        columns, rows = _assign(costs.T)
        order = jnp.argsort(rows)
        return rows[order], columns[order]
    if not n:
        return jnp.zeros(0, jnp.int32), jnp.zeros(0, jnp.int32)
    costs, infinity = _from_zero(costs)
    start = _Duals(jnp.zeros(n, costs.dtype), jnp.zeros(m, costs.dtype), jnp.full(m, -1), jnp.full(n, -1))
    duals = lax.fori_loop(0, n, lambda row, duals: _add_row(costs, infinity, row, duals), start)
    return jnp.arange(n, dtype=jnp.int32), duals.column_of.astype(jnp.int32)


def _from_zero(costs: Array) -> tuple[Array, Array]:
    """Costs less the least one, so that none is negative, and the number that stands for infinity.

    In differences, duals and distances nothing exceeds three times the largest cost, so integers stay exact.
    """
    if jnp.issubdtype(costs.dtype, jnp.floating):
        costs = costs.astype(jnp.float32) if costs.dtype.itemsize < 4 else costs
        known = jnp.where(jnp.isnan(costs), jnp.inf, costs)
        least = jnp.min(known)
        return known - jnp.where(jnp.isfinite(least), least, 0), jnp.asarray(jnp.inf, costs.dtype)
    dtype = jnp.int64 if costs.dtype.itemsize == 8 else jnp.int32
    costs = costs.astype(dtype) if costs.dtype.itemsize < 4 or costs.dtype == bool else costs
    return (costs - jnp.min(costs)).astype(dtype), jnp.asarray(jnp.iinfo(dtype).max, dtype)


def _add_row(costs: Array, infinity: Array, row: Array, duals: _Duals) -> _Duals:
    """Assign one more row: along the shortest path from it to a free column, all in it are exchanged."""
    m = costs.shape[1]
    free = duals.row_of < 0

    def look(s: _Search) -> _Search:
        over = costs[s.row] - duals.rows[s.row] - duals.columns
        length = jnp.where(costs[s.row] == infinity, infinity, over + s.distance)
        nearer = ~s.reached & (length < s.shortest)
        shortest = jnp.where(nearer, length, s.shortest)
        before = jnp.where(nearer, s.row, s.before)
        open_ = jnp.where(s.reached, infinity, shortest)
        # Of columns that are equally near a free one ends the search.
        least = jnp.min(open_)
        nearest = ~s.reached & (open_ == least)
        found = least < infinity
        ends = jnp.where(found, nearest & free, free)
        column = jnp.where(jnp.any(ends), jnp.argmax(ends), jnp.argmax(nearest))
        return _Search(
            jnp.where(free[column], s.row, duals.row_of[column]),
            column,
            jnp.where(found, least, s.distance),
            shortest,
            before.at[column].set(jnp.where(found, before[column], s.row)),
            s.reached.at[column].set(True),
        )

    nowhere = jnp.asarray(-1, duals.row_of.dtype)
    begin = _Search(
        row.astype(nowhere.dtype),
        nowhere,
        jnp.zeros((), costs.dtype),
        jnp.full(m, infinity),
        jnp.full(m, nowhere),
        jnp.zeros(m, bool),
    )
    s = lax.while_loop(lambda s: (s.column < 0) | ~free[s.column], look, begin)
    # Only what was reached on the way moves: the distance to it is smaller than that to the end.
    gain = jnp.where(s.reached, s.distance - jnp.minimum(s.shortest, s.distance), 0)
    columns = duals.columns - gain
    rows = duals.rows.at[row].add(s.distance)
    at = jnp.where(s.reached & ~free, duals.row_of, costs.shape[0])
    rows = rows.at[at].add(gain, mode="drop")

    def exchange(carry):
        column, row_of, column_of = carry
        row_here = s.before[column]
        then = column_of[row_here]
        return (
            jnp.where(row_here == row, nowhere, then),
            row_of.at[column].set(row_here),
            column_of.at[row_here].set(column),
        )

    _, row_of, column_of = lax.while_loop(
        lambda c: c[0] >= 0, exchange, (s.column, duals.row_of, duals.column_of)
    )
    return _Duals(rows, columns, row_of, column_of)
