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
        (8.205160414, -22.901934987, 16.460724910),
        (4.066395160, -2.861154087, 0.518399523),
        (3.909594904, -2.823351735, 0.525036977),
        (3.285564017, -2.415301960, 0.485294066),
        (2.277873287, -1.619821765, 0.398480787),
        (1.872575651, -1.230704257, 0.358516162),
        (1.856437110, -1.213239282, 0.356799789),
        (1.874999998, -1.249999996, 0.374999998),
    ),
    "cans": (
        (8.470328804, -25.108074707, 18.629275599),
        (4.182834183, -3.108701110, 0.580606681),
        (3.961857279, -2.954063746, 0.562976118),
        (3.286586217, -2.464720135, 0.507357694),
        (2.273749994, -1.644660368, 0.416190927),
        (1.888716197, -1.265157225, 0.376518926),
        (1.875000886, -1.250000984, 0.375000098),
        (1.874999999, -1.249999998, 0.374999999),
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
    fits = 1 <= count <= MAX_STEPS and 1 <= ns_steps <= MAX_STEPS
    if not fits or not all(map(_is_triple, given)):
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
