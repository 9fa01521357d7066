"""Seconds of one step on this machine's CPU: gradchain, Optax and PyTorch's fused AdamW, taking turns.

`python -m benchmarks step`. All three start from the same numbers, and must agree on the parameters they end
with: that they do the same work is checked, not assumed. The state and the parameters are donated to JAX.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import results, torch_adamw
from benchmarks.aot.measure import step_of
from benchmarks.aot.shapes import SHAPES, size
from benchmarks.timing import Spread, ratio, rounds, timed

CASES = {  # name -> (tree, clipped by global norm first)
    "64M in one leaf, adamw": ("matrix", False),
    "1,000 leaves of 64k, clip+adamw": ("equal-1000", True),
    "GPT-2 124M, clip+adamw": ("gpt2", True),
}
FLOOR = 28  # bytes for each parameter: gradient, parameter, moments read once, the last three written
AGREE = 2e-6  # between libraries, in parameters of 0.02 that moved by a few times 1e-3
ENVIRONMENT = (
    Path(__file__).parent.parent / ".envs" / "oracle" / "bin" / "python"
)  # which `make golden` makes


def numbers(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers to start from, the same in every library."""
    factor, period, scale = torch_adamw.PERIODS[kind]
    index = np.arange(int(np.prod(shape)), dtype=np.int64) * factor % period
    return ((index.astype(np.float32) - period // 2) * np.float32(scale)).reshape(shape)


class JaxAdamW:
    """The step of a gradchain or Optax transformation, compiled once, state and parameters donated."""

    def __init__(self, tx: Any, shapes: Any, grads: Any):
        self.step_once = jax.jit(step_of(tx), donate_argnums=(0, 1))
        self.params = jax.tree.map(lambda x: jax.device_put(numbers("params", x.shape)), shapes)
        self.state, self.grads = jax.jit(tx.init)(self.params), grads

    def step(self) -> float:
        """Seconds of one step."""

        def once():
            self.params, self.state = self.step_once(self.params, self.state, self.grads)
            jax.block_until_ready(self.params)

        return timed(once)

    def sample(self) -> list[float]:
        """Some of the parameters, to compare."""
        return np.asarray(jax.tree.leaves(self.params)[0]).reshape(-1)[:1000].tolist()

    def close(self) -> None:
        """Let go of the memory."""
        del self.params, self.state, self.grads


def transformations(clip: bool) -> dict[str, Any]:
    """AdamW of gradchain and of Optax with the hyperparameters that PyTorch is given."""
    import optax

    import gradchain

    made = {}
    for name, library in (("gradchain", gradchain), ("optax", optax)):
        tx = library.adamw(torch_adamw.LEARNING_RATE, weight_decay=torch_adamw.WEIGHT_DECAY)
        made[name] = library.chain(library.clip_by_global_norm(torch_adamw.MAX_NORM), tx) if clip else tx
    return made


def collect(cases: Sequence[str], repeats: int, torch_python: str | None, threads: int) -> Iterator[dict]:
    """A row for each case and library."""
    for case in cases:
        tree, clip = CASES[case]
        shapes = SHAPES[tree]()
        grads = jax.tree.map(lambda x: jax.device_put(numbers("grads", x.shape)), shapes)
        contestants: dict[str, Any] = {
            name: JaxAdamW(tx, shapes, grads) for name, tx in transformations(clip).items()
        }
        torch = torch_adamw.start(torch_python, [x.shape for x in jax.tree.leaves(shapes)], clip, threads)
        if torch:
            contestants["torch"] = torch
        found = rounds({k: c.step for k, c in contestants.items()}, repeats, warm=3, pause=0.05)
        samples = {k: np.asarray(c.sample()) for k, c in contestants.items()}
        apart = {k: float(np.abs(s - samples["gradchain"]).max()) for k, s in samples.items()}
        for contestant in contestants.values():
            contestant.close()
        if max(apart.values()) > AGREE:
            raise AssertionError(f"{case}: the parameters differ by {apart}; the steps are not the same")
        for name, seconds in found.items():
            spread = Spread.of(seconds)
            yield {
                "name": case,
                "library": name,
                "seconds": spread.median,
                "low": spread.low,
                "high": spread.high,
                "ratio": ratio(seconds, found["optax"]),
                "ns_per_parameter": 1e9 * spread.median / size(shapes),
                "floor": FLOOR,
                "apart": apart[name],
                "repeats": repeats,
                "threads": threads,
                "version": torch.version if torch and name == "torch" else jax.__version__,
            }


def main(argv: Sequence[str] | None = None) -> Path | None:
    """Measure, print, and write results/step.csv: its path, if it is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks step", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--torch-python", default=str(ENVIRONMENT) if ENVIRONMENT.exists() else None)
    parser.add_argument("--no-save", action="store_true", help="print only")
    args = parser.parse_args(argv)
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows = []
    for row in collect(args.cases, args.repeats, args.torch_python, threads):
        rows.append(row)
        print(
            f"{row['name']:32} {row['library']:>9}  {1e3 * row['seconds']:8.1f} ms  "
            f"{row['ratio']:.2f} of Optax  (quartiles {1e3 * row['low']:.1f} to {1e3 * row['high']:.1f})",
            flush=True,
        )
    if not any(row["library"] == "torch" for row in rows):
        print(
            "no PyTorch here: install it, or name a Python that has it with --torch-python", file=sys.stderr
        )
    return None if args.no_save else results.write("step", rows)
