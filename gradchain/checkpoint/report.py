"""What became of a checkpoint: which leaves were loaded, which began anew, what was left over."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

from gradchain.report import text

KINDS = ("loaded", "initialised", "dropped")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one leaf."""

    kind: str  # one of KINDS
    path: str  # scale_by_adam/mu/encoder/kernel
    field: str  # scale_by_adam/mu
    note: str = ""  # why, or how it was changed


@dataclasses.dataclass(frozen=True, repr=False)
class LoadReport:
    """What was loaded, initialised and dropped: paths as tuples, `notes` by path; prints as a table."""

    outcomes: tuple[Outcome, ...]
    remarks: tuple[str, ...] = ()  # of the checkpoint as a whole

    @property
    def loaded(self) -> tuple[str, ...]:
        """Paths of the leaves that come from the checkpoint."""
        return self._paths("loaded")

    @property
    def initialised(self) -> tuple[str, ...]:
        """Paths of the leaves that start as `tx.init` makes them."""
        return self._paths("initialised")

    @property
    def dropped(self) -> tuple[str, ...]:
        """Paths of what the checkpoint holds and the optimizer does not want."""
        return self._paths("dropped")

    @property
    def notes(self) -> dict[str, str]:
        """By path: why a leaf was not loaded, or what was changed in loading it."""
        return {o.path: o.note for o in self.outcomes if o.note}

    def _paths(self, kind: str) -> tuple[str, ...]:
        return tuple(o.path for o in self.outcomes if o.kind == kind)

    def __add__(self, other: LoadReport) -> LoadReport:
        return LoadReport(self.outcomes + other.outcomes, self.remarks + other.remarks)

    def __repr__(self) -> str:
        return "\n".join([text.aligned(self._cells(), RIGHT), *self.remarks])

    def _repr_html_(self) -> str:
        remarks = "".join(f"<p>{remark}</p>" for remark in self.remarks)
        return text.as_html(self._cells(), RIGHT) + remarks

    def _cells(self) -> list[list[str]]:
        rows: list[list[str]] = [list(HEAD)]
        for kind in KINDS:
            rows += self._groups(kind)
        counts = ", ".join(f"{len(self._paths(kind))} {kind}" for kind in KINDS)
        return [*rows, ["total", "", str(len(self.outcomes)), counts]]

    def _groups(self, kind: str) -> Iterator[list[str]]:
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.kind == kind:
                groups.setdefault((outcome.field, outcome.note), []).append(outcome)
        for (field, note), found in groups.items():
            name = found[0].path if len(found) == 1 else field
            yield [kind, name, str(len(found)), note]


HEAD = ("", "state", "leaves", "note")
RIGHT = (False, False, True, False)


class Restored(NamedTuple):
    """What a checkpoint gave. `params` are those that were given, where it has none.

    `aux` is like the one that was given to `load`; without one it is a dict by path, None where nothing is.
    """

    params: Any
    state: dict[str, Any]
    step: int | None
    report: LoadReport
    metadata: Any
    aux: Any = None
