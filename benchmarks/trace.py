"""What an optimizer costs before its first step: `python -m benchmarks trace`.

trace and lower are measured cold (no cache of JAX or of gradchain holds anything) and trace warm (another
function with the same optimizer, as in a second training loop). Seconds are processor time of all threads.
Equations of the traced step: `distinct` counts those at the top and those of each inner jaxpr once, which is
what tracing costs; `inlined` counts inner ones as often as they are called, which is what XLA sees. Sizes of
text are those of the lowered and of the compiled program.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from benchmarks import results
from benchmarks.aot.measure import step_of
from benchmarks.aot.optimizers import GRADCHAIN, optax_rows
from benchmarks.aot.shapes import SHAPES
from benchmarks.timing import Spread, ratio, rounds, worked
from gradchain.core import engine

NAMES = ("adamw", "clip+adamw")
TREES = ("equal-30", "equal-300", "distinct-300", "equal-1000", "gpt2")


def _inner(eqn: Any) -> Iterator[Jaxpr]:
    for value in eqn.params.values():
        for x in value if isinstance(value, tuple | list) else [value]:
            if isinstance(x, ClosedJaxpr):
                yield x.jaxpr
            elif isinstance(x, Jaxpr):
                yield x


def distinct(jaxpr: Jaxpr, seen: set[int] | None = None) -> int:
    """Equations at the top and of each inner jaxpr, counted once however often it is called."""
    seen = set() if seen is None else seen
    seen.add(id(jaxpr))
    inner = (j for eqn in jaxpr.eqns for j in _inner(eqn) if id(j) not in seen)
    return len(jaxpr.eqns) + sum(distinct(j, seen) for j in inner if id(j) not in seen)


def inlined(jaxpr: Jaxpr, known: dict[int, int] | None = None) -> int:
    """Equations with every inner jaxpr in the place of the equation that calls it."""
    known = {} if known is None else known
    if id(jaxpr) not in known:
        known[id(jaxpr)] = sum(
            sum(inlined(j, known) for j in inner) if (inner := list(_inner(eqn))) else 1 for eqn in jaxpr.eqns
        )
    return known[id(jaxpr)]


@dataclasses.dataclass
class Subject:
    """One optimizer on one tree: its stages, run anew each time."""

    step: Callable
    args: tuple
    traced: Any = None
    lowered: Any = None
    compiled: Any = None

    @classmethod
    def of(cls, tx: Any, params: Any) -> Subject:
        """The step of a transformation on abstract parameters."""
        return cls(step_of(tx), (params, jax.eval_shape(tx.init, params), params))

    def _fresh(self) -> Callable:
        """A function that JAX has not seen."""
        step = self.step
        return lambda params, state, grads: step(params, state, grads)

    def trace_cold(self) -> float:
        """Processor seconds to trace with every cache empty."""
        jax.clear_caches()
        engine.clear_caches()
        return self.trace_warm()

    def trace_warm(self) -> float:
        """Processor seconds to trace a new function that takes the same step."""

        def trace():
            self.traced = jax.jit(self._fresh(), donate_argnums=(0, 1)).trace(*self.args)

        return worked(trace)

    def lower(self) -> float:
        """Processor seconds to lower what was traced."""

        def lower():
            self.lowered = self.traced.lower()

        return worked(lower)

    def compile(self) -> float:
        """Processor seconds to compile the program, lowered anew: JAX keeps what it has compiled."""
        self.trace_cold()
        self.lower()

        def compile():
            self.compiled = self.lowered.compile()

        return worked(compile)


def collect(names: Sequence[str], trees: Sequence[str], repeats: int, compiles: int) -> Iterator[dict]:
    """Rows of medians, for each tree, optimizer and library."""
    for tree in trees:
        for name in names:
            makes = {"gradchain": GRADCHAIN[name], "optax": optax_rows()[name]}
            subjects = {k: Subject.of(make(), SHAPES[tree]()) for k, make in makes.items()}
            found: dict[str, dict[str, list[float]]] = {k: {} for k in subjects}

            def both(subject: Subject, stages: dict[str, list[float]]) -> Callable[[], float]:
                def run() -> float:
                    cold = subject.trace_cold()
                    stages.setdefault("trace", []).append(cold)
                    stages.setdefault("lower", []).append(subject.lower())
                    stages.setdefault("trace_warm", []).append(subject.trace_warm())
                    return cold

                return run

            rounds({k: both(s, found[k]) for k, s in subjects.items()}, repeats)
            for k, seconds in rounds({k: s.compile for k, s in subjects.items()}, compiles).items():
                found[k]["compile"] = seconds
            for stages in found.values():
                stages["trace_lower"] = [a + b for a, b in zip(stages["trace"], stages["lower"], strict=True)]
            for k, s in subjects.items():
                jaxpr = s.traced.jaxpr.jaxpr
                spread = Spread.of(found[k]["trace_lower"])
                yield {
                    "name": f"{name}, {tree}",
                    "library": k,
                    "trace_lower": spread.median,
                    "low": spread.low,
                    "high": spread.high,
                    "ratio": ratio(found[k]["trace_lower"], found["optax"]["trace_lower"]),
                    **{
                        stage: Spread.of(found[k][stage]).median for stage in ("trace", "lower", "trace_warm")
                    },
                    "compile": Spread.of(found[k]["compile"]).median if compiles else math.nan,
                    "distinct": distinct(jaxpr),
                    "inlined": inlined(jaxpr),
                    "lowered_bytes": len(s.lowered.as_text()),
                    "compiled_bytes": len(s.compiled.as_text()) if compiles else 0,
                    "repeats": repeats,
                    "jax": jax.__version__,
                }


def main(argv: Sequence[str] | None = None) -> Path | None:
    """Measure, print, and write results/trace.csv: its path, if it is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks trace", description=__doc__)
    parser.add_argument("--optimizers", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--trees", nargs="+", choices=sorted(SHAPES), default=TREES)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--compiles", type=int, default=1, help="how often each program is compiled; 0: not")
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args(argv)
    rows = []
    for row in collect(args.optimizers, args.trees, args.repeats, args.compiles):
        rows.append(row)
        print(
            f"{row['name']:26} {row['library']:>9}  trace+lower {row['trace_lower']:.3f} s "
            f"({row['ratio']:.2f} of Optax)  warm trace {row['trace_warm']:.3f} s  "
            f"compile {row['compile']:.1f} s  {row['distinct']} equations, {row['inlined']} inlined",
            flush=True,
        )
    return None if args.no_save else results.write("trace", rows)
