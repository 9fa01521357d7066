"""Compile an optimizer's update for a machine that need not be there, and say what is wrong with it.

The update is the program that each device runs after its backward pass: gradients arrive as partial sums of
its share of the batch, parameters and state are donated. Printed are the bytes of parameters, gradients and
state on a device, memory traffic, kernels, the collectives beside the least that could be moved, and what is
wrong, each with what to do about it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence

from gradchain.aot import model
from gradchain.aot.report import Report
from gradchain.aot.run import UsageError, check
from gradchain.aot.table import show
from gradchain.aot.targets import MissingCompiler
from gradchain.config.given import FORMS, optimizer
from gradchain.core import words
from gradchain.storage.stored import stored

EPILOG = """
SHAPES         a file .json or .yaml, or its JSON: {"encoder/kernel": {"shape": [768, 3072], "dtype":
               "bfloat16", "spec": [null, "model"]}, "encoder/bias": [3072]}; nested mappings are understood,
               dtype is float32 and spec nothing unless said. gradchain.aot.shapes(params) makes it.
               In short: kernel=1024x4096,bias=4096:bfloat16
OPTIMIZER      a file .json or .yaml of what gradchain.to_config(tx) returns, or its JSON:
               {"adamw": {"learning_rate": 0.0003}}; an expression: 'adamw(3e-4)'; - for what is piped in
TOPOLOGY       v5e:2x4, v5e:16x16, v5p:4x4x4, v6e:8x8, h100:8, h100:4x8 (hosts x GPUs), cpu:8

exit code: 0 nothing is wrong, 1 something is, 2 the input cannot be read or the compiler is missing
"""


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = argparse.ArgumentParser(
        prog="python -m gradchain.aot", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = made.add_argument
    add("--params", required=True, metavar="SHAPES", help="the parameters of the model")
    add("--optimizer", required=True, metavar="OPTIMIZER", help=FORMS)
    add("--topology", required=True, metavar="TOPOLOGY", help="the machine to compile for")
    add(
        "--zero",
        type=int,
        choices=(0, 1, 2, 3),
        default=0,
        metavar="STAGE",
        help="split over the data axes: 1, 2, 3",
    )
    add("--stored", metavar="CODEC", help="keep the state in fewer bits: log8, bfloat16, ...")
    add(
        "--model",
        type=int,
        default=1,
        metavar="N",
        help='devices in the axis "model" of the mesh (default 1)',
    )
    add("--mesh", metavar="NAME=N,...", help="axes of the mesh instead, such as data0=16,data1=4,model=4")
    add(
        "--batch-axis", metavar="NAME,...", help='axes that split the batch (default "data", or "data0", ...)'
    )
    add(
        "--budget",
        type=float,
        metavar="GIB",
        help="memory of a device: which storages fit into it, and the line that gets each",
    )
    add("--json", action="store_true", help="print the report as JSON")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    args = parser().parse_args(argv)
    try:
        report = _run(args)
    except (ValueError, TypeError, MissingCompiler, ImportError, OSError) as error:
        print(f"python -m gradchain.aot: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report.json(), indent=2) if args.json else show(report))
    return 1 if report.findings else 0


def _run(args: argparse.Namespace) -> Report:
    if args.model < 1:
        raise UsageError(f"--model {args.model}: expected the devices of an axis, 1 or more")
    try:
        leaves = model.given(args.params)
    except model.ShapesError as error:
        raise UsageError(f"--params {error}") from error
    tx = optimizer(args.optimizer)
    tx = stored(tx, args.stored) if args.stored else tx
    return check(
        tx, leaves, args.topology, zero=args.zero, mesh=_axes(args.mesh), model=args.model,
        batch=tuple(args.batch_axis.split(",")) if args.batch_axis else "data", budget=args.budget, say=_say,
    )  # fmt: skip


def _axes(text: str | None) -> dict[str, int]:
    """data=16,model=4 as a mapping."""
    if not text:
        return {}
    parts = [part.partition("=") for part in text.split(",")]
    named = all(name and re.fullmatch("0*[1-9][0-9]{0,8}", n) for name, _, n in parts)
    if not named or len({name for name, _, _ in parts}) < len(parts):
        shown = words.plain(text)
        raise UsageError(f"--mesh {shown}: expected axes and their devices, data0=16,data1=4,model=4")
    return {name: int(n) for name, _, n in parts}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
