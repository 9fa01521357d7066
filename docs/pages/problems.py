"""The small functions of two variables that algorithms are drawn on."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

LOW, HIGH = (-2.0, -1.0), (2.0, 3.0)  # the corners that are shown
START = (-1.5, 1.0)
NORM = math.hypot(*START)


class Problem(NamedTuple):
    """A bowl (x - a)^2 + 4 (y - b)^2, or the bent valley, and where an algorithm may go."""

    goal: tuple[float, float]  # the minimum
    start: tuple[float, float] = START
    bent: bool = False
    note: str = ""  # where the algorithm stays, in words
    drawn: tuple[tuple[float, ...], ...] = ()  # circles (radius,) around 0, lines (x, y, x, y)

    def terms(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The two terms of the function."""
        if self.bent:
            return (1 - x) ** 2, 10 * (y - x**2) ** 2
        return (x - self.goal[0]) ** 2, 4 * (y - self.goal[1]) ** 2

    @property
    def formula(self) -> str:
        """The function as readers see it."""
        if self.bent:
            return "(1 − x)² + 10 (y − x²)²"
        return " + ".join(_square(*part) for part in (("", "x", self.goal[0]), ("4 ", "y", self.goal[1])))

    def contour(self, level: float) -> list[tuple[float, float]]:
        """Points around f = level."""
        root, turn = math.sqrt(level), [math.pi * i / 100 for i in range(101)]
        if not self.bent:
            (a, b), every = self.goal, [*turn, *(math.pi + t for t in turn[1:])]
            return [(a - root * math.cos(t), b + root / 2 * math.sin(t)) for t in every]
        # f = level solves to y = x^2 +- sqrt((level - (1 - x)^2) / 10), |x - 1| up to sqrt(level).
        xs = [1 - root * math.cos(t) for t in turn]
        half = [math.sqrt(max(level - (1 - x) ** 2, 0) / 10) for x in xs]
        up = [(x, x**2 + h) for x, h in zip(xs, half, strict=True)]
        down = [(x, x**2 - h) for x, h in zip(xs, half, strict=True)]
        return [*up, *reversed(down)]


def _square(factor: str, letter: str, at: float) -> str:
    if not at:
        return f"{factor}{letter}²"
    return f"{factor}({letter} {'−' if at > 0 else '+'} {abs(at):.3g})²"


def _on_circle(radius: float, degrees: float) -> tuple[float, float]:
    turn = math.radians(degrees)
    return round(radius * math.cos(turn), 2), round(radius * math.sin(turn), 2)


VALLEY = Problem((1.0, 1.0), bent=True)
_ON_CIRCLE = _on_circle(NORM, 40)
CIRCLE = Problem(
    _ON_CIRCLE,
    note="The rule keeps the norm that it begins with: the dashed circle, on which the minimum was put.",
    drawn=((NORM,),),
)
PERPENDICULAR = Problem(
    _ON_CIRCLE,
    note="Steps are perpendicular to the parameters, so that short ones follow the circle of the first norm, "
    "dashed, on which the minimum was put.",
    drawn=((NORM,),),
)
UNIT = Problem(
    _on_circle(1, 40),
    (START[0] / NORM, START[1] / NORM),
    note="The rule keeps matrices orthogonal: those of 2 × 1 are the dashed unit circle, on which the "
    'minimum was put. Here Newton-Schulz runs to its end: ns_coeffs="polar_express", ns_steps=8.',
    drawn=((1.0,),),
)
_HALF = 0.5**0.5  # the radius 1 times sqrt(columns / rows)
SPECTRAL = Problem(
    _on_circle(_HALF, 40),
    (_HALF * START[0] / NORM, _HALF * START[1] / NORM),
    note="The rule keeps the spectral norm of matrices: those of 2 × 1 are the dashed circle, on which the "
    "minimum was put.",
    drawn=((_HALF,),),
)
LINE = Problem(
    (0.2, -0.7),
    note="The mean of the two numbers stays: the dashed line, on which the minimum was put.",
    drawn=((-2.0, 1.5, 0.5, -1.0),),
)
AXES = Problem(
    (1.2, 0.0),
    note="One of the two numbers is zero: the dashed lines, on which the minimum was put.",
    drawn=((-2.0, 0.0, 2.0, 0.0), (0.0, -1.0, 0.0, 3.0)),
)
_GRID = "both numbers are levels of one grid, ±c or ±c/3: the dashed lines, on which the minimum was put."
_LINES = (
    *((-1.0, -1.0, 2.0, 2.0), (1.0, -1.0, -2.0, 2.0)),
    *((-2.0, -2 / 3, 2.0, 2 / 3), (2.0, -2 / 3, -2.0, 2 / 3)),
    *((-1 / 3, -1.0, 1.0, 3.0), (1 / 3, -1.0, -1.0, 3.0)),
)
GRID = Problem((1.2, 1.2), note=f"After each step {_GRID}", drawn=_LINES)
GRID_LATER = Problem((1.2, 1.2), note=f"In the end {_GRID}", drawn=_LINES)

OF: dict[str, Problem] = {  # algorithms that keep a norm, project or prune: where they can go
    **dict.fromkeys(("muonh", "adamh", "step_on_sphere"), CIRCLE),
    "orthograd": PERPENDICULAR,
    **dict.fromkeys(("spel", "step_on_stiefel"), UNIT),
    **dict.fromkeys(("spectral_sphere", "step_on_spectral_sphere"), SPECTRAL),
    "centralize": LINE,
    "prune_by_magnitude": AXES,
    "quantize_params": GRID,
    "parq": GRID_LATER,
}
# Arguments of examples that their problem asks for.
GIVEN = {name: {"ns_coeffs": "polar_express", "ns_steps": 8} for name in ("spel", "step_on_stiefel")}


def of(name: str) -> Problem:
    """The problem that an algorithm is drawn on."""
    return OF.get(name, VALLEY)
