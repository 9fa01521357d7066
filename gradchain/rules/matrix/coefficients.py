"""Coefficients of Newton-Schulz iterations: what singular values become, by name or as given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from gradchain.core import words
from gradchain.core.recipe import ErrorInput
from gradchain.matrices.linalg import QUINTIC, Triple

Coefficients = Triple | Sequence[Triple] | Literal["standard", "dion", "polar_express", "cans"]
NAMED: dict[str, Triple | Sequence[Triple]] = {
    "standard": QUINTIC,
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}
# Tables of which ns_steps says how many steps are taken, the last one again and again. Each step is the odd
# quintic nearest to 1 on the interval where the steps before leave singular values, of [1e-3, 1] at first.
# Five steps of "cans", arXiv:2506.10935, leave them within 0.114 of 1: no five quintics are nearer.
# "polar_express", arXiv:2505.16932, treats an interval's lowest 2.4 % as its end, and all but the last step
# divide by 1.01, so that rounding pushes none beyond it. Five steps: 0.846 to 1.124; six: within 0.0056.
TABLES: dict[str, tuple[Triple, ...]] = {
    "polar_express": (
        (8.2051604, -22.9019350, 16.4607247),
        (4.0663952, -2.8611543, 0.5184005),
        (3.9095949, -2.8233517, 0.5250370),
        (3.2855640, -2.4153019, 0.4852941),
        (2.2778733, -1.6198218, 0.3984808),
        (1.8725757, -1.2307043, 0.3585162),
        (1.8564371, -1.2132396, 0.3567997),
        (1.8750000, -1.2500000, 0.3750000),
    ),
    "cans": (
        (8.4703288, -25.1080747, 18.6292756),
        (4.1828342, -3.1087011, 0.5806067),
        (3.9618573, -2.9540637, 0.5629761),
        (3.2865862, -2.4647201, 0.5073577),
        (2.2737500, -1.6446604, 0.4161909),
        (1.8887162, -1.2651572, 0.3765189),
        (1.8750009, -1.2500010, 0.3750001),
        (1.8750000, -1.2500000, 0.3750000),
    ),
}
MAX_STEPS = 100  # of Newton-Schulz: five are usual, each one is part of the program


def errors() -> Iterator[ErrorInput]:
    """Arguments that factories with coefficients refuse."""
    yield ErrorInput({"ns_steps": 0}, ValueError, ("ns_steps=0", f"1 to {MAX_STEPS}"))
    yield ErrorInput({"ns_steps": 2**31}, ValueError, ("ns_steps=2147483648", f"1 to {MAX_STEPS}"))
    for bad in ((1.0, 2.0), [], [(1.0, 2.0)], [[1.0, "x", 2.0]], (1e300, 0.0, 0.0)):
        yield ErrorInput({"ns_coeffs": bad}, ValueError, ("ns_coeffs=", "three numbers (a, b, c)"))
    yield ErrorInput({"ns_coeffs": {"x": 1}}, TypeError, ("ns_coeffs is {'x': 1}", "expected a"))


def steps_of(ns_coeffs: Coefficients, ns_steps: int, who: str = "scale_by_muon") -> tuple[Triple, ...]:
    """The coefficients of every step: one triple for all of them, or one for each; or the name of these."""
    table: Any = NAMED.get(ns_coeffs) if isinstance(ns_coeffs, str) else ns_coeffs
    if table is None:
        whole = TABLES[str(ns_coeffs)]
        table = [whole[min(i, len(whole) - 1)] for i in range(min(ns_steps, MAX_STEPS + 1))]
    one = bool(table) and isinstance(table[0], int | float)
    count = ns_steps if one else len(table)
    given: Any = [table] if one else list(table)
    if not 1 <= count <= MAX_STEPS or not all(map(_is_triple, given)):
        raise ValueError(
            f"{who}: ns_coeffs={words.show(ns_coeffs)}, ns_steps={words.show(ns_steps)}: expected "
            "three numbers "
            f"(a, b, c) for ns_steps steps, 1 to {MAX_STEPS}, or a list of such triples, one for each step"
        )
    steps = tuple((float(a), float(b), float(c)) for a, b, c in given)
    return steps * count if one else steps


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(isinstance(c, int | float | np.number) and abs(c) < 1e30 for c in value)
    )
