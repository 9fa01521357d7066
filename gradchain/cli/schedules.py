"""The command plot-schedule: values of schedules as a table, and as a figure."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gradchain.cli import output
from gradchain.cli.given import UsageError
from gradchain.config.given import FORMS, made
from gradchain.core import words
from gradchain.core.transform import Transform
from gradchain.report import text
from gradchain.schedules import Schedule

ROWS = 11  # of the table
LONGEST = 2**24  # steps that are looked at for the end of a schedule


def add_to(commands: Any) -> None:
    """The parser of the command."""
    one = commands.add_parser(
        "plot-schedule", help="the values of a schedule, or of an optimizer's schedules"
    )
    one.add_argument("schedule", metavar="SCHEDULE", help=FORMS)
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="a figure: .png, .svg or .pdf")
    one.add_argument("--steps", type=int, metavar="N", help="default: until the values stay as they are")
    one.add_argument("--log", action="store_true", help="a logarithmic axis of values")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the values, and draw them where a file is named."""
    found = numbered(schedules(made(args.schedule)))
    if not found:
        raise UsageError(f"there is no schedule in {words.plain(args.schedule)}; expected one, such as "
                         "'cosine_decay_schedule(0.1, 1000)'")  # fmt: skip
    if args.steps is not None and args.steps < 1:
        raise UsageError(f"--steps {args.steps}: expected 1 or more")
    steps = args.steps or max(ends(schedule) for schedule in found.values())
    counts = np.unique(np.linspace(0, steps, ROWS).astype(int))
    columns = {name: values(schedule, counts) for name, schedule in found.items()}
    if args.json:
        output.as_json({"step": counts.tolist(), **{k: v.tolist() for k, v in columns.items()}})
    else:
        rows = [(str(n), *(text.number(float(v[i])) for v in columns.values())) for i, n in enumerate(counts)]
        output.table(("step", *columns), rows, right=("step", *columns))
    if args.output:
        draw(found, steps, args.output, args.log)
        if not args.json:
            print(f"\nwrote {args.output}")
    return 0


def schedules(found: Any, name: str = "value") -> Iterator[tuple[str, Any]]:
    """The schedules of an optimizer by link and argument, or one schedule alone."""
    if isinstance(found, Transform):
        for argument, value in found.args.items():
            parts = value.values() if isinstance(value, dict) else value
            for part in parts if isinstance(value, dict | list | tuple) else [value]:
                yield from schedules(part, f"{found.name}.{argument}")
    elif isinstance(found, Schedule):
        yield name, found
    elif isinstance(found, tuple | list):  # a link with its name
        for part in found:
            yield from schedules(part, name)


def numbered(found: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Schedules by name; a second of one name is "name (2)"."""
    named: dict[str, Any] = {}
    for name, schedule in found:
        again = sum(other.partition(" (")[0] == name for other in named)
        named[f"{name} ({again + 1})" if again else name] = schedule
    return named


def values(schedule: Any, counts: np.ndarray) -> np.ndarray:
    """The values at these steps."""
    return np.asarray(schedule(counts.astype(np.int32)))


def ends(schedule: Any) -> int:
    """The step after which a schedule stays as it is and a tenth more; 10,000 where it never does."""
    counts = np.unique(np.geomspace(1, LONGEST, 600).astype(int))
    found = values(schedule, counts)
    moving = np.flatnonzero(found != found[-1])
    if not len(moving):
        return 100
    low, high = int(counts[moving[-1]]), int(counts[moving[-1] + 1])
    if high >= LONGEST // 2:
        return 10_000
    while high - low > 1:  # the first step with the last value
        middle = (low + high) // 2
        same = values(schedule, np.asarray([middle]))[0] == found[-1]
        low, high = (low, middle) if same else (middle, high)
    return round(high * 1.1)


def draw(found: dict[str, Any], steps: int, path: Path, log: bool) -> None:
    """A figure of schedules."""
    from gradchain.plot.schedules import schedules as figure_of

    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--output {path}: expected a file that ends in .png, .svg or .pdf")
    figure_of(found, steps, log=log).savefig(path)
