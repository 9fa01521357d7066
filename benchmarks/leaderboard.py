"""Steps to a loss for every optimizer, at its best rate: `python -m benchmarks leaderboard`.

The problems and the tuning are those of examples/compare_optimizers.py. Each tuned optimizer is a line of
results/leaderboard/runs.jsonl, and is not run again unless that line is removed, or by --anew NAME. Tables
and figures of docs/leaderboard.md are made of these lines alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from benchmarks.results import RESULTS

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
from compare import report
from compare.problems import PROBLEMS, Problem
from compare.tuning import Tuned
from compare_optimizers import candidates, compare

ROOT = Path(__file__).resolve().parent.parent
FOLDER = RESULTS / "leaderboard"
PAGE = ROOT / "docs" / "leaderboard.md"
REFERENCE = "adamw"
SEEDS = {"regression": 3, "digits": 5, "language": 3}
# The language model takes a minute for each optimizer: one of each family, and what people ask for.
LANGUAGE = (
    *("adafactor", "adamw", "ademamix", "adopt", "dion", "lion", "mars", "muon", "normuon"),
    *("psgd_kron", "schedule_free_adamw", "scion", "sgd", "shampoo", "soap"),
)
Runs = dict[tuple[str, str], Tuned]  # by problem and optimizer
SECTION = re.compile(r"(<!-- leaderboard: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def names_of(problem: str) -> list[str]:
    """Which optimizers run on a problem."""
    known = candidates()
    return [n for n in LANGUAGE if n in known] if problem == "language" else sorted(known)


def load(path: Path | None = None) -> Runs:
    """What has been run: (problem, optimizer) -> its best."""
    path = path or FOLDER / "runs.jsonl"
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        row = json.loads(line)
        tried = {float(rate): _number(end) for rate, end in row["tried"].items()}
        curves = np.asarray([[_number(x) for x in curve] for curve in row["curves"]])
        one = Tuned(row["optimizer"], row["rate"], curves, tried, row["bracketed"], row["state"])
        found[row["problem"], row["optimizer"]] = one
    return found


def save(found: Runs) -> None:
    """Write all of it, a line for each."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = []
    for (problem, name), one in sorted(found.items()):
        row = {
            "problem": problem,
            "optimizer": name,
            "rate": float(f"{one.rate:.4g}"),
            "bracketed": one.bracketed,
            "state": round(one.state, 3),
            "tried": {f"{rate:.4g}": _short(end) for rate, end in one.tried.items()},
            "curves": [[_short(x) for x in curve] for curve in one.curves],
        }
        lines.append(json.dumps(row))
    (FOLDER / "runs.jsonl").write_text("\n".join(lines) + "\n")


def _short(x: Any) -> float | None:
    return float(f"{x:.4g}") if np.isfinite(x) else None


def _number(x: float | None) -> float:
    return np.inf if x is None else x


def measure(problem: Problem, names: Iterable[str], found: Runs, console: Console) -> None:
    """Tune what is not there yet, and keep it as it comes."""
    known = candidates()
    missing = {name: known[name] for name in names if (problem.name, name) not in found}

    def keep(one: Tuned) -> None:
        found[problem.name, one.name] = one
        save(found)

    _, failed = compare(problem, missing, SEEDS[problem.name], console, keep)
    for name, why in failed.items():
        console.print(f"{problem.name}: {name} could not be run: {why}")


def render(text: str, found: Runs) -> str:
    """The page with its sections filled."""

    def fill(match: re.Match) -> str:
        problem = PROBLEMS[match[2]]()
        mine = [one for (where, _), one in found.items() if where == problem.name]
        if not any(one.name == REFERENCE for one in mine):
            return match[1] + match[3]
        lines = [
            f"{problem.title[0].upper()}{problem.title[1:]}; {SEEDS[problem.name]} seeds; {problem.unit}.",
            f"![{problem.name}](../benchmarks/results/leaderboard/{problem.name}.png)",
            markdown(report.rows(problem, mine, REFERENCE)),
        ]
        return match[1] + "\n" + "\n\n".join(lines) + "\n\n" + match[3]

    return SECTION.sub(fill, text)


def markdown(made: Sequence[dict[str, Any]]) -> str:
    """Rows as a table."""
    lines = [
        "| optimizer | rate | loss | steps | against adamw | state |",
        "| --- | ---: | ---: | ---: | --- | ---: |",
    ]
    for row in made:
        rate = f"{row['rate']:.2g}" + ("" if row["bracketed"] else " *")
        steps = f"{row['steps']:.0f}" if np.isfinite(row["steps"]) else "-"
        steps += f" ± {row['steps_sd']:.0f}" if np.isfinite(row["steps_sd"]) else ""
        name = f"[`{row['optimizer']}`](reference.md#gradchain.{row['optimizer']})"
        lines.append(
            f"| {name} | {rate} | {report.spread(row)} | {steps} | {row['against']} | {row['state']:.3g} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    """Run what is missing, write the page and the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks leaderboard")
    parser.add_argument("--problem", choices=list(SEEDS), action="append", help="one alone; may be repeated")
    parser.add_argument("--anew", nargs="*", default=[], help="optimizers to run again")
    parser.add_argument("--page", action="store_true", help="run nothing, write page and figures")
    args = parser.parse_args(argv)
    console = Console(highlight=False)
    found = {key: one for key, one in load().items() if key[1] not in args.anew}
    for name in () if args.page else args.problem or SEEDS:
        measure(PROBLEMS[name](), names_of(name), found, console)
        jax.clear_caches()
    found = load()  # with the digits that are kept
    for name in SEEDS:
        mine = [one for (where, _), one in found.items() if where == name]
        if any(one.name == REFERENCE for one in mine):
            report.figure(PROBLEMS[name](), mine, REFERENCE, FOLDER / f"{name}.png")
    PAGE.write_text(render(PAGE.read_text("utf-8"), found), "utf-8")
    console.print(f"wrote {PAGE.relative_to(ROOT)}")
