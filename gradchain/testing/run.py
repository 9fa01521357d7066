"""check: every law that applies to a transform, run; and the laws of one transform, to be parametrised by."""

from __future__ import annotations

import dataclasses
import difflib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from gradchain.testing import derivatives, dtypes, meshes, programs, promotion, recipes, trees, values
from gradchain.testing.law import Broken, Law
from gradchain.testing.subjects import Subject, subject

laws: tuple[Law, ...] = (
    *recipes.LAWS,
    *dtypes.LAWS,
    *promotion.LAWS,
    *trees.LAWS,
    *programs.LAWS,
    *values.LAWS,
    *derivatives.LAWS,
    *meshes.LAWS,
)


@dataclasses.dataclass(frozen=True)
class Case:
    """A law and the transform that it is about; case() raises an AssertionError where it is broken."""

    law: Law
    subject: Subject

    @property
    def __name__(self) -> str:  # pytest's name of the parameter
        return self.law.name

    def __call__(self) -> None:
        """Run the law."""
        self.law(self.subject)

    def __repr__(self) -> str:
        return f"{self.law.name} of {self.subject.name}"


@dataclasses.dataclass(frozen=True)
class Row:
    """What came of one law."""

    law: str
    reason: str = ""  # why it does not apply
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it was run."""
        return not self.reason


@dataclasses.dataclass(frozen=True)
class Report:
    """What `check` did: a row for every law; printed, it is a table."""

    tx: Any
    rows: tuple[Row, ...]

    @property
    def passed(self) -> tuple[str, ...]:
        """The names of the laws that were run."""
        return tuple(row.law for row in self.rows if row.passed)

    @property
    def not_applicable(self) -> dict[str, str]:
        """The other laws, with the reason."""
        return {row.law: row.reason for row in self.rows if row.reason}

    def __str__(self) -> str:
        width = max((len(row.law) for row in self.rows), default=0)
        said = [f"not applicable: {row.reason}" if row.reason else "passed" for row in self.rows]
        lines = [f"{row.law:<{width}}  {text}" for row, text in zip(self.rows, said, strict=True)]
        return "\n".join([f"{self.tx.recipe!r}: {len(self.passed)} of {len(self.rows)} laws", *lines])


def excused(exempt: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """The laws that a caller leaves out, with the reasons."""
    found = dict(exempt) if isinstance(exempt, Mapping) else dict.fromkeys(exempt, "left out")
    names = [law.name for law in laws]
    for name in found:
        if name not in names:
            near = difflib.get_close_matches(name, names, 3, 0.4)
            hint = f"did you mean {' or '.join(near)}?" if near else f"laws are {', '.join(names)}"
            raise ValueError(f"exempt: no law {name!r}; {hint}")
    return found


def laws_for(tx: Any, *, extras=None, params=None, traits=(), exempt=()) -> list[Case]:
    """The laws that apply to a transform, each a function without arguments; arguments are those of `check`.

    @pytest.mark.parametrize("law", laws_for(my_transform))
    def test_law(law):
        law()
    """
    found, left_out = subject(tx, traits=traits, params=params, extras=extras), excused(exempt)
    return [Case(law, found) for law in laws if law.name not in left_out and not law.excuse(found)]


def check(
    tx: Any,
    *,
    extras: Mapping[str, Any] | None = None,
    params: Any = None,
    traits: Iterable[str] = (),
    exempt: Mapping[str, str] | Iterable[str] = (),
) -> Report:
    """Run every law that applies to a transform, to a registered factory's example, or to one by its name.

    extras: what extra arguments of update are, by name: a value, or a function (params, grads) -> value.
    params: a tree whose shapes are trained; by default a matrix and a vector. traits: what the transform is,
    besides what its factory declares (`testing.TRAITS`). exempt: laws to leave out, {name: reason}.
    Returns a report to print. Where laws are broken, an AssertionError names each, the leaf, what was found
    and what to do. It takes some seconds, most of them compilation.
    """
    found, left_out = subject(tx, traits=traits, params=params, extras=extras), excused(exempt)
    rows, broken = [], []
    for law in laws:
        reason = left_out.get(law.name) or law.excuse(found)
        start = time.perf_counter()
        try:
            if not reason:
                law(found)
        except Broken as error:
            broken.append(error)
        rows.append(Row(law.name, reason, time.perf_counter() - start))
    if broken:
        text = "\n".join(map(str, broken))
        raise Broken(f"{found.tx.recipe!r} breaks {len(broken)} of {len(laws)} laws\n{text}") from broken[0]
    return Report(found.tx, tuple(rows))
