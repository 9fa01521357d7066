"""A step on an NVIDIA card: time, bytes a second, memory, and whether losses are those of a CPU.

`python -m benchmarks gpu`, under 8 minutes. gradchain, Optax and PyTorch's fused AdamW take turns on the same
shapes; parameters and state are donated. What does not fit into --budget seconds is named and left out, what
does not fit into the card's memory is a row that says so.
"""

from __future__ import annotations

import argparse
import gc as garbage
import importlib.util
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks import cards, losses, results
from benchmarks.aot.measure import average_floor
from benchmarks.aot.optimizers import PERIODS, registered
from benchmarks.aot.shapes import SHAPES, gpt2, nbytes, size
from benchmarks.contestants import contestants, filled
from benchmarks.timing import Spread, ratio, rounds

TREES: dict[str, Callable[[], Any]] = {"124M": SHAPES["gpt2"], "1.5B": SHAPES["gpt2-xl"]}
TINY: dict[str, Callable[[], Any]] = {"tiny": lambda: gpt2(8, 1, 33, 4)}
# What comes first is measured first; names that the registry has not (yet) are passed over.
NAMES = ("adamw", "adamw+log8", "clip+adamw", "adamw+bfloat16", "lion", "adafactor", "accumulate(adamw, 8)")
NAMES += ("muon", "soap")
SHOWN = ("name", "library", "status", "ms", "ratio", "must_gb", "gb_per_s", "of_copy", "program_gb")
SHOWN += ("compile", "apart")
BUDGET = 420.0  # seconds
LONG = 0.05  # seconds that one measurement takes at least, so that starting it does not count


def count_of(step: Callable[[int], float], every: int) -> int:
    """How many steps take long enough to be measured, a multiple of `every`."""
    step(every)
    return every * max(1, math.ceil(LONG / max(step(every) * every, 1e-6)))


def take_turns(steps: Mapping[str, Any], every: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of a step of each, in each round; as many steps at once for all."""
    count = max(count_of(contestant.step, every) for contestant in steps.values())
    return rounds({k: lambda s=s: s.step(count) for k, s in steps.items()}, repeats, warm=1)


def measure(
    makes: Mapping[str, Callable[[], Any]], every: int, repeats: int
) -> tuple[dict[str, list[float]], dict[str, Any], dict[str, str]]:
    """Seconds, what was measured, and what went wrong with the rest, by library.

    All together, in turns; where the memory does not suffice for all, one after the other.
    """
    steps: dict[str, Any] = {}
    try:
        for library, make in makes.items():
            steps[library] = make()
        return take_turns(steps, every, repeats), {k: facts(s, True) for k, s in steps.items()}, {}
    except Exception:  # alone each shows whose error it is
        steps.clear()
    garbage.collect()  # not before the error is gone, which holds what was being made
    seconds, found, wrong = {}, {}, {}
    for library, make in makes.items():
        try:
            step = make()
            seconds |= take_turns({library: step}, every, repeats)
            found[library] = facts(step, False)
        except Exception as error:
            text = " ".join(str(error).split())[:80]
            wrong[library] = (
                "out of memory" if cards.out_of_memory(error) else f"{type(error).__name__}: {text}"
            )
        step = None
        garbage.collect()
    return seconds, found, wrong


def facts(step: Any, together: bool) -> dict[str, Any]:
    """What is kept of a contestant when its arrays are let go of."""
    kept = {"floor": step.floor, "compile": step.compile_seconds, "program_gb": step.program}
    return kept | {"together": together, "version": step.version}


def rows_of(
    tree_name: str, name: str, tree: Any, grads: Any, torch: bool, repeats: int, copy: float
) -> Iterator[dict[str, Any]]:
    """A row for each library."""
    device, every, n = jax.devices()[0], PERIODS.get(name, 1), size(tree)
    before = cards.memory(device, "peak_bytes_in_use")
    seconds, found, wrong = measure(contestants(name, tree, grads, torch), every, repeats)
    highest = cards.memory(device, "peak_bytes_in_use")
    apart = losses.apart(name) if "gradchain" in found else math.nan
    for library in [*seconds, *wrong]:
        times = seconds.get(library, [math.nan])
        spread, fact = Spread.of(times), found.get(library, {})
        must = average_floor(fact.get("floor", math.nan), every) * n
        theirs = seconds.get("optax") if fact.get("together") else None
        yield {
            "name": f"{name}, {tree_name}",
            "library": library,
            "status": wrong.get(library, "measured"),
            "ms": 1e3 * spread.median,
            "low": 1e3 * spread.low,
            "high": 1e3 * spread.high,
            "ratio": ratio(times, theirs) if theirs else math.nan,  # to Optax, in the same rounds
            "must_gb": must / 1e9,  # the step cannot move less
            "gb_per_s": must / 1e9 / spread.median,
            "of_copy": must / 1e9 / spread.median / copy,
            "of_peak": must / 1e9 / spread.median / cards.peak(device.device_kind),
            "copy_gb_per_s": copy,
            "program_gb": fact.get("program_gb", math.nan),
            # Of all contestants of the row, with its gradients; known where it is the highest so far.
            "peak_gb": highest if highest > before else math.nan,
            "compile": fact.get("compile", math.nan),
            "apart": apart if library == "gradchain" else math.nan,  # losses, from those of the CPU
            "parameters": n,
            "repeats": repeats,
            "version": fact.get("version", ""),
        }


def collect(
    trees: Mapping[str, Callable[[], Any]], names: Sequence[str], repeats: int, budget: float
) -> Iterator[dict[str, Any] | str]:
    """Rows as they are measured, and as text what there was no time for."""
    start, longest = time.perf_counter(), 0.0
    torch = has_torch()
    copy = cards.copied(2**28 if jax.default_backend() != "cpu" else 2**20)
    yield f"{jax.devices()[0].device_kind}: a copy moves {copy:,.0f} GB/s, PyTorch {'yes' if torch else 'no'}"
    for tree_name, make in trees.items():
        tree = make()
        try:
            grads = filled(tree)
        except Exception as error:
            if not cards.out_of_memory(error):
                raise
            yield f"{tree_name}: the gradients alone are out of memory"
            continue
        for name in names:
            began = time.perf_counter()
            if began - start + longest > budget:
                left = budget - began + start
                yield f"left out: {name}, {tree_name}: {left:.0f} of {budget:.0f} s are left"
                continue
            yield f"[{began - start:3.0f} s] {name}, {tree_name}, {nbytes(tree) / 1e9:.2f} GB of parameters"
            yield from rows_of(tree_name, name, tree, grads, torch, repeats, copy)
            longest = max(longest, time.perf_counter() - began)
        del grads


def has_torch() -> bool:
    """Whether PyTorch is here and finds a card."""
    if jax.default_backend() != "gpu" or not importlib.util.find_spec("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def line(row: Mapping[str, Any]) -> str:
    """A row as it is printed when it is measured."""
    if row["status"] != "measured":
        return f"  {row['library']:>9}  {row['status']}"
    apart = "" if math.isnan(row["apart"]) else f"  losses {row['apart']:.1e} from the CPU's"
    return (
        f"  {row['library']:>9}  {row['ms']:8.3f} ms ({row['low']:.3f} to {row['high']:.3f})  "
        f"{row['gb_per_s']:7,.0f} GB/s, {row['of_copy']:4.0%} of a copy  "
        f"compiled in {row['compile']:.1f} s{apart}"
    )


def main(argv: Sequence[str] | None = None) -> Path | None:
    """Measure, print, and write results/gpu_<card>.csv: its path, if it is kept."""
    known = [name for name in NAMES if name in registered()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="NAME")
    parser.add_argument("--trees", nargs="+", choices=TREES, default=list(TREES))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds after which no row is begun")
    parser.add_argument("--tiny", action="store_true", help="tiny shapes, to try the code; nothing is kept")
    parser.add_argument("--platform", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args(argv)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory too
    if args.platform == "cuda" and jax.default_backend() != "gpu":
        sys.exit(f"no NVIDIA card: JAX shows {jax.devices()[0].device_kind}; pip install 'jax[cuda13]'")
    trees = TINY if args.tiny else {name: TREES[name] for name in args.trees}
    rows = []
    for found in collect(trees, args.only, args.repeats, args.budget):
        print(found if isinstance(found, str) else line(found), flush=True)
        rows += [] if isinstance(found, str) else [found]
    if not rows:
        sys.exit("nothing was measured: give it a larger --budget, or a card with more memory")
    print(results.table({k: short(row[k]) for k in SHOWN} for row in rows))
    wide = [row["name"] for row in rows if row["apart"] > losses.AGREE]
    path = None
    if not (args.no_save or args.tiny):
        path = results.write(f"gpu_{cards.slug(jax.devices()[0].device_kind)}", rows)
    if wide:
        print(
            f"losses differ from the CPU's by more than {losses.AGREE:g}: {', '.join(wide)}", file=sys.stderr
        )
    return path


def short(value: Any) -> Any:
    """A number with the digits that count."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
