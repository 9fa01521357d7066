"""The factors of torch's Adafactor along the rows and columns of a leaf here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradchain.checkpoint.cells import Cell
from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.torch_dicts import WHO, Parameter


def factors(
    ours: Mapping[str, Cell], p: Parameter, axes: tuple[int, ...], per_leaf: bool
) -> dict[str, np.ndarray]:
    """v_row, v_col and v of a leaf whose axes are these of torch's.

    torch: row_var [..., r, 1] is the mean over the last axis, col_var [..., 1, c] that over the one before.
    Here: v_row is the mean over the leaf's columns, v_col that over its rows.
    """
    slot = ours["v"].whole
    leaf: Any = slot.leaf
    nothing = np.zeros((), slot.dtype)
    whole = slot.shape == leaf.shape and not ours["v_row"].whole.shape
    if "variance" in p.held:
        if not whole:
            _fail(p, "all of the second moment", "factors of it", "Pass factored=False", leaf)
        return {"v": np.transpose(p.held["variance"], axes), "v_row": nothing, "v_col": nothing}
    if whole:
        advice = "Pass min_dim_size_to_factor=1 and factored=True to the optimizer"
        _fail(p, "factors of the second moment", "all of it", advice, leaf)
    rank = len(axes)
    last, before = axes.index(rank - 1), axes.index(rank - 2)  # here
    same = {leaf.axes.rows, leaf.axes.cols} == {(last,), (before,)}
    if not same or (leaf.axes.batch and not per_leaf):
        letters = "".join({before: "r", last: "c"}.get(i, "b") for i in range(rank))
        found = f"factors along its axes {rank - 2} and {rank - 1} of {rank}, and has one norm of all"
        expected = f"those of rows {leaf.axes.rows} and columns {leaf.axes.cols}, per_leaf={per_leaf}"
        advice = f"Use with_axes(tx, {{{leaf.path!r}: {letters!r}}}) and per_leaf=True"
        _fail(p, found, expected, advice, leaf)
    row, col = np.transpose(p.held["row_var"], axes), np.transpose(p.held["col_var"], axes)
    over = {last: np.squeeze(row, last), before: np.squeeze(col, before)}  # the axis that each is a mean over
    return {"v_row": over[leaf.axes.cols[0]], "v_col": over[leaf.axes.rows[0]], "v": nothing}


def _fail(p: Parameter, found: str, expected: str, advice: str, leaf: Any) -> None:
    raise CheckpointError(
        f"{WHO}: torch's Adafactor keeps of {p.path!r} {found}; expected {expected}. {advice}, or start anew "
        f"with initialise={'**/' + leaf.path!r}"
    )
