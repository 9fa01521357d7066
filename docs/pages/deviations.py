"""How far each algorithm is from what it is compared with: python -m docs.pages.deviations [NAME ...]

Runs the golden tests and those of `held.HELD`, looks at what they compare, and writes deviations.json: for
each test the largest difference of a number, and the largest over the largest entry of what is expected (of
golden tests over that entry + 0.01). With names of golden cases or algorithms only those are run.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import gradchain as gc
from docs.pages import compared
from docs.pages.held import HELD
from gradchain import testing
from gradchain.core.transform import Transform

TESTS = Path(__file__).resolve().parent.parent.parent / "tests"
BOUND = 1e-3  # where more is allowed, a test bounds a size
TRAJECTORY = "golden/test_golden.py::test_trajectory"


class Seen:
    """The comparisons made so far: the largest difference, absolute and relative, what is allowed."""

    def __init__(self) -> None:
        self.difference = self.deviation = self.allowed = 0.0
        self.dtype, self.count = "float32", 0

    def add(self, found: Any, expected: Any, allowed: Callable[[float], float]) -> None:
        """Take a pair of arrays into account; `allowed` is of the size of what is expected."""
        x, y = np.asarray(found), np.asarray(expected)
        if not x.size or not np.issubdtype(x.dtype, np.inexact):
            return
        with np.errstate(all="ignore"):
            far, size = float(np.nanmax(np.abs(x - y))), float(np.nanmax(np.abs(y)))
        if not size or allowed(size) > BOUND:
            return
        self.count += 1
        self.dtype = "float64" if x.dtype.itemsize >= 8 else self.dtype
        self.difference = max(self.difference, far)
        self.deviation = max(self.deviation, far / size)
        self.allowed = max(self.allowed, allowed(size))

    def numbers(self) -> dict[str, Any]:
        """What is kept of it."""
        short = {k: float(f"{getattr(self, k):.2g}") for k in ("difference", "deviation", "allowed")}
        return {**short, "dtype": self.dtype}


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """See what numpy's assert_allclose and the golden tests' `distance` are given in the meantime."""
    seen, close, distance = Seen(), np.testing.assert_allclose, testing.distance

    def seen_close(actual, desired, rtol=1e-7, atol=0, **kwargs):
        seen.add(actual, desired, lambda size: rtol + atol / size)
        return close(actual, desired, rtol, atol, **kwargs)

    def seen_distance(found, expected, rtol):
        for key, e in expected.items():
            seen.add(found[key], e, lambda size: rtol)
        units = distance(found, expected, rtol)
        seen.deviation = units * rtol  # what the golden tests count in
        return units

    np.testing.assert_allclose, testing.distance = seen_close, seen_distance
    try:
        yield seen
    finally:
        np.testing.assert_allclose, testing.distance = close, distance


def run(nodes: Sequence[str]) -> dict[str, Seen]:
    """Run tests, by their places below tests/; what each of them compares."""
    import pytest

    found, failed = {}, []

    class Recorder:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(self, item):
            with watched() as seen:
                result = yield
            found[item.nodeid.partition("tests/")[2]] = seen
            return result

        def pytest_runtest_logreport(self, report):
            if report.outcome != "passed":
                failed.append(f"{report.nodeid}: {report.outcome}")

    pytest.main(
        ["-q", "-p", "no:cacheprovider", *(f"{TESTS / node}" for node in nodes)], plugins=[Recorder()]
    )
    if failed:
        raise SystemExit("these tests did not pass:\n" + "\n".join(failed))
    return found


def inside(tx: Transform) -> Iterator[str]:
    """The registered names that an optimizer is made of, its own among them."""
    yield from (n for n in (tx.body.recipe.factory.name, tx.name) if n in gc.REGISTRY)
    for part in tx.body.inside():
        yield from inside(part.tx)


def measure(names: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Run the tests, of all or of these names; what is kept of them."""
    wanted = lambda name: not names or name in names  # noqa: E731
    cases = {case["name"]: case for case in compared.golden() if wanted(case["name"])}
    held = {name: one for name, one in HELD.items() if wanted(name)}
    places = [TRAJECTORY] if not names else [f"{TRAJECTORY}[{name}]" for name in cases]
    seen = run([*places, *sorted({one.test for one in held.values()})])
    golden, tests = {}, {}
    for name, case in cases.items():
        of = sorted(set(inside(gc.from_config(case["config"]))))
        golden[name] = {**seen[f"{TRAJECTORY}[{name}]"].numbers(), "of": of}
    for name, one in held.items():
        mine = [x for node, x in seen.items() if node.startswith(one.test) and x.count]
        found = max(mine, key=lambda x: x.deviation).numbers()
        tests[name] = {"version": version(one.library), **found}
    return {"golden": golden, "tests": tests}


def write(found: dict[str, Any]) -> None:
    """Keep it, a comparison a line."""
    parts = []
    for group, rows in found.items():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(rows[name])}" for name in sorted(rows))
        parts.append(f"{json.dumps(group)}: {{\n{lines}\n}}")
    compared.KEPT.write_text("{\n" + ",\n".join(parts) + "\n}\n", "utf-8")


if __name__ == "__main__":
    found = measure(sys.argv[1:])
    old = compared.measured() if sys.argv[1:] else {}
    write({group: {**old.get(group, {}), **rows} for group, rows in found.items()})
