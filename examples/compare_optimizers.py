"""Compare optimizers, each at its best learning rate, over several seeds: a table, a figure, a CSV.

python examples/compare_optimizers.py                                    # a few, on digits, in two minutes
python examples/compare_optimizers.py adamw soap muon --problem language --seeds 3
python examples/compare_optimizers.py --all --problem regression --out runs/regression
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from compare import report
from compare.problems import PROBLEMS, Problem
from compare.tuning import ASKED, Make, Tuned, tune
from lm import UserError
from lm.files import naming
from lm.optimizers import required
from lm.report import print_anything
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import gradchain as gc
from gradchain.core.transform import example

USUAL = ("sgd", "adamw", "lion", "adafactor", "muon", "schedule_free_adamw")
AVERAGING = ("schedule_free", "gpa", "asgd")  # which want a constant rate
START = 0.01  # the first grid is around it


def candidates() -> dict[str, Make]:
    """The registered optimizers that need no more than a learning rate and what a run can give them."""
    found: dict[str, Make] = {}
    for name, factory in sorted(gc.REGISTRY.items()):
        if factory.kind != "optimizer" or not {*required(factory)} <= {"learning_rate"}:
            continue
        if "learning_rate" not in factory.signature.parameters or not example(name).body.needs <= {*ASKED}:
            continue
        found[name] = functools.partial(_made, name)
    return found


def _made(name: str, rate: Any) -> gc.Transform:
    """The optimizer at a schedule of rates; those that average along the way at its first value."""
    return getattr(gc, name)(learning_rate=rate.init_value if name.startswith(AVERAGING) else rate)


def chosen(names: list[str], everything: bool) -> dict[str, Make]:
    """The optimizers of the command line; an error that suggests near names."""
    known = candidates()
    if everything:
        return known
    for name in names:
        if name not in known:
            near = gc.search(name, kind="optimizer").names[:3]
            raise UserError(f"{name}: not among the optimizers to compare; near: {', '.join(near) or 'none'}")
    return {name: known[name] for name in names or USUAL}


def compare(
    problem: Problem,
    makes: dict[str, Make],
    seeds: int,
    console: Console,
    done: Callable[[Tuned], None] = lambda tuned: None,
) -> tuple[list[Tuned], dict[str, str]]:
    """Tune them one after another, with progress, and tell `done` of each; what failed, and why."""
    found, failed = [], {}
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(makes))
        for name, make in makes.items():
            told = lambda text, name=name: progress.update(task, description=f"{name}, rates {text}")  # noqa: E731
            try:
                found.append(tune(problem, name, make, START, seeds, told))
                done(found[-1])
            except (TypeError, ValueError, jax.errors.JAXTypeError) as error:
                failed[name] = str(error).strip().split("\n")[0]
            progress.advance(task)
            jax.clear_caches()  # programs of the last optimizer are not run again
    return found, failed


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    print_anything()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("optimizers", nargs="*", help=f"their names; {', '.join(USUAL)} if none")
    parser.add_argument("--problem", choices=sorted(PROBLEMS), default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="every optimizer that needs only a rate")
    parser.add_argument("--reference", default="adamw", help="which one the others are held against")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="folder of figure and table")
    args = parser.parse_args(argv)
    console = Console(highlight=False)
    try:
        return run(args, console)
    except UserError as error:
        print(f"compare_optimizers.py: {error}", file=sys.stderr)
        return 1


def run(args: Any, console: Console) -> int:
    """Compare, show, and write; the exit code."""
    if args.seeds < 1:
        raise UserError(f"--seeds {args.seeds}: expected 1 or more")
    makes = chosen(args.optimizers, args.all)
    makes = {**chosen([args.reference], False), **makes}
    problem = PROBLEMS[args.problem]()
    found, failed = compare(problem, makes, args.seeds, console)
    if not any(one.name == args.reference for one in found):
        raise UserError(f"{args.reference} could not be run: {failed.get(args.reference)}")
    made = report.rows(problem, found, args.reference)
    console.print(report.table(problem, made, args.reference, args.seeds))
    for name, why in failed.items():
        console.print(f"{name} could not be run: {why}")
    with naming(args.out):
        gc.writers.table(args.out / f"{problem.name}.csv", made)
    report.figure(problem, found, args.reference, args.out / f"{problem.name}.png")
    console.print(f"figure and table: {args.out / problem.name}.png, .csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
