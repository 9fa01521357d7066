"""What rounding costs in quality: a small language model trained with each way to store state and parameters.

`python -m benchmarks quality`. The byte-level transformer of examples/ learns Python's standard library with
AdamW; everything but the storage is the same in all variants, and by seed also the first weights and the
order of the data. So a variant is compared with fp32 of the same seed. Each finished run is a line of
results/quality/runs.csv, and is not made again unless that line is removed; results/quality.csv tells what
they come to.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import gradchain as gc
from benchmarks import results

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
from lm import data
from lm.model import ModelConfig, Transformer
from lm.training import loss_fn

POINTS = 50  # of a loss curve
LAST = 0.05  # part of the steps whose mean loss is the final one
SETTLED = 0.2  # part of the steps after which a high loss is a spike
HELD_OUT = 2048  # windows
SIZES = ModelConfig(layers=2, width=96, heads=4)  # 344,640 parameters
Make = Callable[[gc.Transform, int], gc.Transform]  # (AdamW, seed of the noise) -> the variant


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all variants have in common."""

    steps: int = 2000
    batch: int = 8
    length: int = 64  # bytes
    sizes: ModelConfig = SIZES
    learning_rate: float = 3e-3  # at its peak
    weight_decay: float = 0.1

    def adamw(self) -> gc.Transform:
        """A twentieth of warmup, then half a cosine to a hundredth: steps too small for bfloat16."""
        rate = gc.warmup_cosine_decay_schedule(
            0.0, self.learning_rate, self.steps // 20, self.steps, 0.01 * self.learning_rate
        )
        return gc.adamw(rate, weight_decay=self.weight_decay)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to store; `kind` is what the figure groups by."""

    kind: str
    make: Make
    dtype: Any = jnp.float32  # of the parameters
    start: Any = None  # the type that the first parameters are rounded to, if another


class with_zeros(gc.codecs.int8_linear):
    """Even steps without the library's care for squares: below half a step they become zero."""

    name = "int8_linear_with_zeros"

    def _smallest(self) -> jax.Array:
        return jnp.zeros((), jnp.int32)


def stored(codec: Any, kind: str = "state") -> Variant:
    """float32 parameters, state in a codec."""
    return Variant(kind, lambda tx, seed: gc.stored(tx, codec, seed=seed))


def bf16(last: Callable[[int], gc.Transform], codec: Any = None) -> Variant:
    """bfloat16 parameters and the last link that writes them."""

    def make(tx: gc.Transform, seed: int) -> gc.Transform:
        return gc.chain(tx if codec is None else gc.stored(tx, codec, seed=seed), last(seed))

    return Variant("parameters", make, jnp.bfloat16)


VARIANTS = {
    "fp32": Variant("fp32", lambda tx, seed: tx),
    # The same again from weights 0.1 % away: how far two runs end apart by chance alone.
    "fp32, start rounded": Variant("fp32", lambda tx, seed: tx, start=jnp.bfloat16),
    "log8": stored("log8"),
    "log4": stored("log4"),
    "int8": stored("int8"),
    "int8_linear nu": stored({"nu": "int8_linear"}),
    "fp8": stored("fp8"),
    "bfloat16": stored("bfloat16"),
    "bfloat16_stochastic": stored("bfloat16_stochastic"),
    "rank_one nu": stored({"nu": gc.codecs.rank_one(64)}),
    "bf16 p, split_weights": bf16(lambda seed: gc.split_weights()),
    "bf16 p, split_weights(8)": bf16(lambda seed: gc.split_weights(bits=8)),
    "bf16 p, kahan": bf16(lambda seed: gc.kahan()),
    "bf16 p, round_stochastically": bf16(lambda seed: gc.round_stochastically(seed=seed)),
    "bf16 p, split_weights, log8": bf16(lambda seed: gc.split_weights(), "log8"),
    "int8_linear nu, zeros": stored({"nu": with_zeros()}, "control"),
    "bf16 p, nothing": Variant("control", lambda tx, seed: tx, jnp.bfloat16),
}


def nbytes(tree: Any) -> int:
    """Bytes of all arrays."""
    return sum(gc.numerics.nbytes(x.shape, x.dtype) for x in jax.tree.leaves(tree))


def train(
    variant: Variant, seed: int, setup: Setup, corpus: data.Corpus, tick: Callable[[int, float], None]
) -> dict[str, Any]:
    """One run; `tick(steps, loss)` is called as it goes on."""
    model = Transformer(setup.sizes, nnx.Rngs(seed))
    graph, first, rest = nnx.split(model, nnx.Param, ...)
    first = jax.tree.map(lambda p: p.astype(variant.start or variant.dtype), nnx.to_pure_dict(first))
    params = jax.tree.map(lambda p: p.astype(variant.dtype), first)
    tx = variant.make(setup.adamw(), seed)

    def loss_of(params, windows):
        # Computed in float32: a CPU emulates products in bfloat16 slowly.
        full = jax.tree.map(lambda p: p.astype(jnp.float32), params)
        return loss_fn(nnx.merge(graph, full, rest), windows)

    def step(carry, windows):
        params, state = carry
        loss, grads = jax.value_and_grad(loss_of)(params, windows)
        params, state = tx.step(grads, state, params)
        return (params, state), loss

    @functools.partial(jax.jit, donate_argnums=0)
    def several(carry, windows):  # windows: [steps, batch, length + 1]
        return jax.lax.scan(step, carry, windows)

    carry = params, jax.jit(tx.init)(params)
    count = sum(x.size for x in jax.tree.leaves(params))
    sizes = [nbytes(part) / count for part in carry]
    part, losses, start = setup.steps // POINTS, [], time.perf_counter()
    for i in range(POINTS):
        order = range(i * part, (i + 1) * part)
        batches = [corpus.batch(seed, j, setup.batch, setup.length) for j in order]
        carry, loss = several(carry, np.stack(batches))
        losses.append(np.asarray(loss, np.float64))
        tick(part, float(losses[-1].mean()))
    seconds = time.perf_counter() - start
    held_out = np.stack(corpus.held_out(setup.batch, setup.length, HELD_OUT))
    validation = jax.jit(lambda params: jnp.mean(jax.lax.map(lambda w: loss_of(params, w), held_out)))
    flat = np.concatenate(losses)
    return {
        "parameter_bytes": sizes[0],  # of a parameter, and so for the state
        "state_bytes": sizes[1],
        "loss": float(flat[-round(LAST * setup.steps) :].mean()),  # nats per byte of text
        "validation": float(validation(carry[0])),
        "worst": float(flat[round(SETTLED * setup.steps) :].max()),  # a single step's loss, NaN if one is
        "seconds": seconds,
        "curve": " ".join(f"{x.mean():.4f}" for x in losses),
    }


def record(row: Mapping[str, Any], folder: Path) -> None:
    """Append a finished run to runs.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "runs.csv").open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if not file.tell():
            writer.writeheader()
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def summary(runs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each variant, compared with fp32 by seed, in the order of VARIANTS.

    Of the final and of the validation loss: the mean over seeds; apart, the mean difference from fp32 of the
    same seed; error, the standard error of that; sds, apart in standard deviations of fp32's seeds.
    """
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for run in runs:
        found.setdefault(run["name"], {})[run["seed"]] = run
    rows = []
    for name in sorted(found, key=[*VARIANTS].index):
        mine = [*found[name].values()]
        row = {"name": name, "kind": VARIANTS[name].kind}
        row["bytes"] = mine[0]["parameter_bytes"] + mine[0]["state_bytes"]
        for metric, prefix in (("loss", ""), ("validation", "validation_")):
            base = {seed: run[metric] for seed, run in found.get("fp32", {}).items()}
            row |= {metric: mean([run[metric] for run in mine])}
            row |= {prefix + "sd": deviation([run[metric] for run in mine])}
            apart = [run[metric] - base[run["seed"]] for run in mine if run["seed"] in base]
            row |= {
                prefix + "apart": mean(apart),
                prefix + "error": deviation(apart) / len(apart or [0]) ** 0.5,
            }
            row |= {prefix + "sds": mean(apart) / deviation([*base.values()])}
        row["worst"] = float(np.max([run["worst"] for run in mine]))  # NaN if one is
        rows.append(row | {"seeds": len(mine), "steps": mine[0]["steps"]})
    return rows


def mean(values: Sequence[float]) -> float:
    """The mean, NaN of nothing."""
    return statistics.fmean(values) if values else math.nan


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample; NaN of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def make_runs(
    names: Sequence[str], seeds: Sequence[int], setup: Setup, corpus: data.Corpus, folder: Path | None
) -> list[dict[str, Any]]:
    """The runs that are not in the folder yet, seed by seed, each recorded there as it ends; all runs."""
    runs = results.runs(setup.steps, folder) if folder else []
    text = corpus.fingerprint["sha256"]
    if other := {run["text"] for run in runs} - {text}:
        sys.exit(f"runs.csv was made with another text, {other.pop()} and not {text}: use that or remove it")
    done = {(run["name"], run["seed"]) for run in runs}
    due = [(name, seed) for seed in seeds for name in names if (name, seed) not in done]
    console = Console(highlight=False)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("", total=len(due) * setup.steps, loss=math.nan)
        for name, seed in due:
            progress.update(task, description=f"{name} #{seed}")
            tick = lambda n, loss: progress.update(task, advance=n, loss=loss)  # noqa: E731
            row = {"name": name, "seed": seed, "steps": setup.steps}
            row |= train(VARIANTS[name], seed, setup, corpus, tick)
            curve = row.pop("curve")
            row |= {"text": text, "jax": jax.__version__, "curve": curve}
            if folder:
                record(row, folder)
            runs.append(row)
            console.print(
                f"{name:29} #{seed}  loss {row['loss']:.4f}  validation {row['validation']:.4f}  "
                f"worst {row['worst']:.2f}  {row['seconds']:.0f} s",
                soft_wrap=True,
            )
    return runs


def main(argv: Sequence[str] | None = None) -> Path | None:
    """Make the runs that are missing, print the summary, and write results/quality.csv: its path, if kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks quality", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=range(5))
    parser.add_argument("--steps", type=int, default=2000, help=f"a multiple of {POINTS}")
    parser.add_argument("--batch", type=int, default=Setup.batch, help="windows in a step")
    parser.add_argument("--text", help="a file or folder to learn instead of Python's standard library")
    parser.add_argument("--no-save", action="store_true", help="begin anew, and only print")
    args = parser.parse_args(argv)
    if args.steps < POINTS or args.steps % POINTS:
        parser.error(f"--steps {args.steps} is not a multiple of {POINTS}")
    setup, other = Setup(steps=args.steps, batch=args.batch), args.batch != Setup.batch
    name = f"quality_batch{args.batch}" if other else "quality"
    folder = None if args.no_save else results.RUNS.with_name(name)
    names = dict.fromkeys(["fp32", *args.only])  # what the others are compared with
    rows = summary(make_runs([*names], args.seeds, setup, data.load(args.text), folder))
    print(results.table(rows))
    return results.write(name, rows) if folder else None
