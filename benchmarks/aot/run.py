"""Bytes and kernels of every optimizer's step on one target: `python -m benchmarks.aot tpu`."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks import results
from benchmarks.aot import TARGETS, floors, shapes
from benchmarks.aot.measure import average_floor, measure
from benchmarks.aot.optimizers import PERIODS, RENEWALS, optax_rows, registered
from gradchain.aot.targets import MissingCompiler


def collect(
    target_name: str, shapes_name: str, only: str, libraries: Sequence[str]
) -> tuple[list[dict], list[str]]:
    """A row for each optimizer whose name matches the pattern, and what could not be compiled and why."""
    target, tree = TARGETS[target_name], shapes.SHAPES[shapes_name]
    makes = {"gradchain": registered, "optax": optax_rows}
    rows, failed = [], []
    for library in libraries:
        for name, make in makes[library]().items():
            if not any(fnmatch.fnmatch(name, pattern) for pattern in only.split(",")):
                continue
            try:
                figures = measure(target, make, tree)
            except (TypeError, ValueError, NotImplementedError) as error:
                failed.append(f"{library} {name}: {type(error).__name__}: {str(error).splitlines()[0]}")
                continue
            every = PERIODS.get(name, 1)
            average = figures.average(RENEWALS.get(name, every))
            row = {"name": name, "library": library, "average": average}
            row["average_floor"] = average_floor(figures.floor, every)
            rows.append({**row, **figures._asdict(), "jax": jax.__version__})
            print(
                f"{library:>9} {name:24} {figures.bytes:7.2f} B/parameter (floor {figures.floor:.2f}) "
                f"{figures.kernels:5} kernels {figures.copies:4} copies, "
                f"compiled in {figures.compile_seconds:.1f} s",
                flush=True,
            )
    return rows, failed


def kept(name: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the last run that this one, of some optimizers only, has not measured anew."""
    if not (results.RESULTS / f"{name}.csv").exists():
        return []
    fresh = {(row["name"], row["library"]) for row in rows}
    old = [row for row in results.read(name) if (row["name"], row["library"]) not in fresh]
    return [{**dict.fromkeys(rows[0], ""), **row} for row in old]  # of a table that had fewer columns


def main(argv: Sequence[str] | None = None) -> Path | None:
    """Compile, print, and write results/aot_<target>_<shapes>.csv: its path, if it is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aot", description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--shapes", choices=list(shapes.SHAPES), default="gpt2")
    parser.add_argument("--only", default="*", help="names or patterns of optimizers, separated by commas")
    parser.add_argument(
        "--libraries", nargs="+", choices=("gradchain", "optax"), default=("gradchain", "optax")
    )
    parser.add_argument(
        "--floors", action="store_true", help="instead of all that, every transform on three leaves"
    )
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args(argv)
    try:
        if args.floors:
            name, rows = f"floors_{args.target}", floors.table(TARGETS[args.target], args.only)
            if args.no_save or not rows:
                return None
            return results.write(name, sorted(rows + kept(name, rows), key=lambda row: row["name"]))
        rows, failed = collect(args.target, args.shapes, args.only, args.libraries)
    except MissingCompiler as error:
        sys.exit(str(error))
    for line in failed:
        print(f"not compiled: {line}")
    if not rows:
        sys.exit("nothing was compiled")
    if args.no_save:
        return None
    name = f"aot_{args.target}_{args.shapes}"
    rows += kept(name, rows)
    order = list(dict.fromkeys(row["name"] for row in rows))
    rows.sort(key=lambda row: (order.index(row["name"]), row["library"]))
    return results.write(name, rows)
