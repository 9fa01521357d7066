"""What a device of so many GiB has room for, as data and as a table; `describe(..., budget=12)` fills it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from gradchain.core import words
from gradchain.report import text

GIB, WIDTH = 2**30, 100  # bytes; columns
CAST = 'params = gc.tree.cast(params, "bfloat16")'


@dataclasses.dataclass(frozen=True)
class Choice:
    """A storage: bytes on a device of parameters, gradients, state and scratch memory, and how to get it."""

    name: str
    steps: str  # beside those of float32: the same, rounded, another rule
    code: str  # one line after `import gradchain as gc`; "" for the optimizer as it is
    params: int
    gradients: int
    state: int
    host: int  # of state in the host's memory
    scratch: int | None = None  # of the compiled update, None where it was not compiled

    @property
    def total(self) -> int:
        """Bytes on a device."""
        return self.params + self.gradients + self.state + (self.scratch or 0)

    @property
    def least(self) -> int:
        """Bytes that a step moves at least: gradients read, parameters and state read and written."""
        return self.gradients + 2 * (self.params + self.state + self.host)


@dataclasses.dataclass(frozen=True, repr=False)
class Budget:
    """The choices for a limit, the first of them the optimizer as it is; it prints as a table."""

    limit: int  # bytes
    choices: tuple[Choice, ...]
    parameters: int  # numbers on a device
    operations: int | None  # numbers that the step's formulas compute on a device; None: not traced
    compiled_for: str = ""  # the machine of the scratch memory
    traffic: float | None = None  # of the compiled program as it is, bytes of memory traffic on a device
    computed: int | None = None  # and the numbers that it computes

    @property
    def fitting(self) -> tuple[Choice, ...]:
        """The choices that fit."""
        return tuple(c for c in self.choices if c.total <= self.limit)

    @property
    def smallest(self) -> Choice:
        """The choice that needs least."""
        return min(self.choices, key=lambda c: c.total)

    def __repr__(self) -> str:
        return "\n".join([*self._needs(), "", text.aligned(self._cells(), RIGHT), "", *self.verdict()])

    def _needs(self) -> Iterator[str]:
        yield from self._work("a step needs at least", self.choices[0].least, self.operations)
        if self.traffic is not None:
            yield from self._work("this program has", self.traffic, self.computed)

    def _work(self, what: str, moved: float, computed: int | None) -> Iterator[str]:
        n = max(self.parameters, 1)
        each, total = f"{text.number(moved / n)} bytes of memory traffic", f"{gib(moved)} GiB"
        if computed is not None:
            each += f" and {text.number(computed / n)} operations"
            total += f" and {computed:.3g} operations"
        yield f"{what} {each} for each parameter,"
        yield f"  {total} on a device"

    def _cells(self) -> list[list[str]]:
        rows = [list(HEAD)]
        for c in self.choices:
            sizes = [gib(c.params), gib(c.gradients), gib(c.state), gib(c.host) if c.host else ""]
            sizes += ["" if c.scratch is None else gib(c.scratch), gib(c.total)]
            rows.append([c.name, *sizes, "yes" if c.total <= self.limit else "no", c.steps])
        rows.append(["budget", "", "", "", "", "", gib(self.limit), "", ""])
        return rows

    def verdict(self) -> Iterator[str]:
        """What fits and the lines that do it; or how far off the smallest is."""
        if self.compiled_for:
            yield f"scratch: of the update compiled for {self.compiled_for}, where the rest fits"
        else:
            yield "scratch memory of the update comes on top: describe(..., scratch=True) compiles it here,"
            yield "python -m gradchain.aot --budget for TPU and H100"
        if not self.fitting:
            least, over = self.smallest, self.smallest.total - self.limit
            yield f"nothing fits: the smallest, {least.name},"
            yield f"needs {gib(least.total)} GiB, {gib(over)} more than there are"
            yield from _lines([least])
            yield "then: zero(..., stage=3) on a mesh of more devices, gradient_release, or a smaller model"
            return
        if self.choices[0] in self.fitting:
            yield "it fits as it is"
        yield from _lines(self.fitting)


def _lines(choices: Sequence[Choice]) -> Iterator[str]:
    """The code of choices by name, those with parameters in bfloat16 last."""
    lines = [(c.name, c.code) for c in choices if c.code]
    width = max((len(name) for name, _ in lines), default=0)
    for start in ("", CAST):
        here = [(n, c.removeprefix(f"{CAST}; ")) for n, c in lines if c.startswith(CAST) == bool(start)]
        if here and start:
            yield f"with {CAST}:"
        for name, code in here:
            fits = width + 2 + len(code) <= WIDTH
            yield from [f"{name.ljust(width)}  {code}"] if fits else [name, f"  {code}"]


HEAD: Sequence[str] = (
    "GiB on a device",
    "params",
    "grads",
    "state",
    "host",
    "scratch",
    "together",
    "fits",
    "steps",
)
RIGHT = (False, True, True, True, True, True, True, False, False)


def gib(n: float) -> str:
    """Bytes in GiB."""
    return f"{n / GIB:.3f}"


def limit_of(budget: Any, who: str) -> int:
    """The bytes of a number of GiB; an error that repeats it where it is none above 0."""
    number = isinstance(budget, int | float) and not isinstance(budget, bool)
    if not number or not 0 < budget < math.inf or round(budget * GIB) < 1:
        raise ValueError(
            f"{who}: budget is {words.show(budget)}; expected the GiB (2^30 bytes) of memory that a device "
            "has, a number above 0"
        )
    return round(budget * GIB)
