"""sparsity: how many parameters are exactly zero, leaf by leaf."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import words
from gradchain.core.leaves import floating
from gradchain.core.link import leaves_of
from gradchain.core.slots import Leaf
from gradchain.core.transform import PLAN
from gradchain.report import held, text

HEAD = ("leaf", "shape", "zeros", "share", "at most")
RIGHT = (False, False, True, True, False)


@dataclasses.dataclass(frozen=True)
class SparsityRow:
    """A leaf: how many of its numbers are zero, and the most that are not in any group of its inputs."""

    path: str
    shape: tuple[int, ...]
    numbers: int
    zeros: int
    most: int | None  # of a group; None where there are no groups

    @property
    def share(self) -> float:
        """Zeros for each number."""
        return self.zeros / self.numbers if self.numbers else 0.0


@dataclasses.dataclass(frozen=True, repr=False)
class Sparsity:
    """What `sparsity` found: rows as data, and a table as text or, in a notebook, as HTML."""

    rows: tuple[SparsityRow, ...]
    group: int

    @property
    def zeros(self) -> int:
        """Zeros in all leaves."""
        return sum(row.zeros for row in self.rows)

    @property
    def numbers(self) -> int:
        """Numbers in all leaves."""
        return sum(row.numbers for row in self.rows)

    @property
    def share(self) -> float:
        """Zeros for each number."""
        return self.zeros / self.numbers if self.numbers else 0.0

    def holds(self, n: int, path: str) -> bool:
        """Whether no group of the leaf's inputs has more than n numbers that are not zero."""
        row = next((row for row in self.rows if row.path == path), None)
        if row is None:
            known = [row.path for row in self.rows]
            raise ValueError(f"sparsity: there is no leaf {path!r}; {words.meant(path, known)}")
        return row.most is not None and row.most <= n

    def __repr__(self) -> str:
        return text.aligned(self._cells(), RIGHT)

    def _repr_html_(self) -> str:
        return text.as_html(self._cells(), RIGHT)

    def _cells(self) -> list[list[str]]:
        rows: list[list[str]] = [list(HEAD)]
        for row in self.rows:
            of = "" if row.most is None else f"{row.most}:{self.group}"
            rows.append([row.path, str(list(row.shape)), f"{row.zeros:,}", f"{row.share:.1%}", of])
        total = f"{self.numbers:,} numbers"
        return [*rows, [f"{len(self.rows)} leaves", total, f"{self.zeros:,}", f"{self.share:.1%}", ""]]


def sparsity(params: Any, group: int = 4) -> Sparsity:
    """The table of exact zeros: for each leaf their number and share, and whether they are n of m.

    "at most" says how many of each `group` along a matrix's inputs (rows) are not zero, at most: "2:4" is
    what sparse tensor cores take. Groups are whole ones; a leaf without rows, or shorter, has none.
    `params` are arrays, also in Flax's variables. Print it, or use `.rows`, `.share`, `.holds(2, path)`.
    """
    if not isinstance(group, int) or isinstance(group, bool) or group < 2:
        raise ValueError(f"sparsity: group is {words.show(group)}; expected a whole number, 2 or more")
    leaves = leaves_of(floating(held.arrays(params)), PLAN)
    return Sparsity(tuple(_row(leaf, group) for leaf in leaves), group)


def _row(leaf: Leaf, group: int) -> SparsityRow:
    zeros = int(jnp.sum(leaf.array == 0))
    most = None
    if leaf.axes.rows and leaf.array.size and leaf.shape[leaf.axes.rows[-1]] >= group:
        most = int(_most(leaf.array, group, leaf.axes.rows[-1]))
    return SparsityRow(leaf.path, leaf.shape, leaf.array.size, zeros, most)


def _most(x: jax.Array, group: int, axis: int) -> jax.Array:
    groups = x.shape[axis] // group
    on = jax.lax.slice_in_dim(x != 0, 0, groups * group, axis=axis)
    cut = on.reshape(*x.shape[:axis], groups, group, *x.shape[axis + 1 :])
    return jnp.max(jnp.sum(cut, axis=axis + 1))
