"""Every registered transform's step on a few leaves: how far its traffic is from its floor, and why.

The floor is gradients, parameters and state read once, parameters and state written once. An elementwise
transform is at it, in one kernel for each leaf. What needs a number of several elements first reads something
again: `ABOVE` says how many bytes for each parameter, and why. `python -m benchmarks.aot.floors tpu`.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

import gradchain as gc
from benchmarks import results
from benchmarks.aot import TARGETS
from benchmarks.aot.measure import extras, floor
from benchmarks.aot.shapes import few, size
from gradchain.aot.hlo import Program, type_bytes
from gradchain.aot.targets import MissingCompiler, Target
from gradchain.core.transform import Transform
from gradchain.testing.subjects import links, subject

PyTree = Any
LARGE = 2**16  # bytes of an array that counts as one of a leaf, not as one of its rows or as scalars

NORM = "a norm of the gradients first"
NORMS = "norms of each leaf first"
DUE = "decided before the step, of all gradients"
SUMS = "inner products of all leaves first"
COPIED = "; XLA for GPU copies what a reduction's kernel has written into the state's place"

# Bytes for each parameter beyond the floor, for TPU v5e and H100.
ABOVE: dict[str, tuple[float, float, str]] = {}

# Not compiled here, or not by this measure.
LEFT_OUT: dict[str, str] = {
    "dpsgd": "reads a gradient for each example",
    "differentially_private_aggregate": "reads a gradient for each example",
    "lbfgs": "the search evaluates the user's function as often as it must",
    "scale_by_backtracking_linesearch": "evaluates the user's function as often as it must",
    "scale_by_zoom_linesearch": "evaluates the user's function as often as it must",
    "hutchinson_estimator_diag_hessian": "differentiates the user's function",
    "sophia": "differentiates the user's function",
    "scale_by_sophia": "differentiates the user's function",
    "muon": "matrix products, which have a test of their own",
    "scale_by_muon": "matrix products, which have a test of their own",
    "galore": "a singular value decomposition, which the TPU compiler takes a minute for",
    "scale_by_galore": "a singular value decomposition, which the TPU compiler takes a minute for",
    "zero": "needs several devices, and has tests of its own",
    "offload": "keeps state in the host's memory, and has tests of its own",
}


class Row(NamedTuple):
    """One compiled step."""

    floor: float  # bytes for each parameter
    bytes: float
    passes: float  # instructions that read or write an array of the size of a leaf, for each leaf
    temp: float


def is_elementwise(tx: Transform) -> bool:
    """Whether each element's step depends on nothing but its own gradient, state and parameter."""
    found = subject(tx)
    return found.per_leaf and not found.declares("matrices")


def registered() -> list[str]:
    """The names of what is measured: links that an optimizer's example has in it are left to that."""
    made = {name: subject(name).tx for name in gc.REGISTRY if name not in LEFT_OUT}
    optimizers = [tx for tx in made.values() if tx.recipe.factory.kind == "optimizer"]
    within = {part.name for tx in optimizers for part in links(tx) if part.name != tx.name}
    return sorted(n for n, tx in made.items() if tx.recipe.factory.kind != "transform" or n not in within)


def passes(program: Program, name: str = "") -> int:
    """Instructions over whole leaves: fusions, copies and all else that moves memory, loops taken once."""
    count, sizes = 0, {}
    for i in program.computations[name or program.entry]:
        sizes[i.name] = max((type_bytes(m) for m in i.result.replace("(", "").split(" ")), default=0.0)
        if i.free:
            continue
        if i.op == "while":
            count += sum(passes(program, part) for part in i.bodies)
        elif i.op in ("call", "conditional", "async-start"):
            count += sum(passes(program, part) for part in i.called)
        else:
            count += max([sizes[i.name], *(sizes.get(o, 0.0) for o in i.operands)]) >= LARGE
    return count


@functools.lru_cache(maxsize=512)
def measure(target: Target, tx: Transform) -> Row:
    """Compile a step on a few leaves, parameters and state donated."""
    params = few()
    state, extra = jax.eval_shape(tx.init, params), extras(tx)

    def step(params, state, grads, extra):
        return tx.step(grads, state, params, **extra)

    made = target.compile(step, params, state, params, extra, donate=(0, 1))
    program, n = Program(made.text), size(params)
    leaves = len(jax.tree.leaves(params))
    return Row(floor(params, state), program.cost.bytes / n, passes(program) / leaves, made.temp / n)


def main(argv: Sequence[str] | None = None) -> Path:
    """Compile all, print, and write results/floors_<target>.csv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aot.floors", description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    target = TARGETS[parser.parse_args(argv).target]
    rows = []
    for name in registered():
        try:
            row = measure(target, subject(name).tx)
        except MissingCompiler as error:
            sys.exit(str(error))
        rows.append({"name": name, **row._asdict(), "why": ABOVE.get(name, ("", "", ""))[2]})
        print(f"{name:36} {row.bytes:7.2f} (floor {row.floor:.2f}), {row.passes:.2f} passes", flush=True)
    return results.write(f"floors_{target.name}", rows)


if __name__ == "__main__":
    main()
