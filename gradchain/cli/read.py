"""The commands describe and config: what an optimizer keeps, and its configuration in other forms."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from gradchain.cli import output
from gradchain.cli.given import UsageError, shapes
from gradchain.config.files import SUFFIXES, write_text
from gradchain.config.given import FORMS, made, optimizer
from gradchain.config.place import ConfigError
from gradchain.config.write import to_config
from gradchain.core.transform import Transform
from gradchain.report.table import describe
from gradchain.storage.stored import stored


def add_to(commands: Any) -> None:
    """The parsers of the commands."""
    one = commands.add_parser("describe", help="links, state and bytes of an optimizer for parameters")
    one.add_argument("optimizer", metavar="OPTIMIZER", help=FORMS)
    one.add_argument("--shapes", metavar="SHAPES", help="SHAPES.json as of gradchain.aot, JSON, or "
                     "kernel=1024x4096,bias=4096:bfloat16 (default: one matrix of 1024 x 4096)")  # fmt: skip
    one.add_argument("--stored", metavar="CODEC", help="keep the state in fewer bits: log8, bfloat16, ...")
    one.add_argument("--leaves", action="store_true", help="one row for each array")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=run_describe)
    two = commands.add_parser("config", help="validate or convert a configuration")
    actions = two.add_subparsers(dest="action", required=True, metavar="validate|convert")
    check = actions.add_parser("validate", help="say what is wrong with it, and where")
    check.set_defaults(run=run_validate)
    convert = actions.add_parser("convert", help="print it as JSON or YAML, in gradchain's or Hydra's form")
    convert.add_argument("--to", choices=("json", "yaml", "expression"), help="default json, or by --output")
    convert.add_argument(
        "--hydra", action="store_true", help="in the form that hydra.utils.instantiate takes"
    )
    convert.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to FILE.json or .yaml")
    convert.set_defaults(run=run_convert)
    for action in (check, convert):
        action.add_argument("config", metavar="CONFIG", help=FORMS)
    check.add_argument("--json", action="store_true", help="print JSON")


def run_describe(args: argparse.Namespace) -> int:
    """Print the table of `gradchain.describe`."""
    tx = optimizer(args.optimizer)
    tx = stored(tx, args.stored) if args.stored else tx
    found = describe(tx, shapes(args.shapes), leaves=args.leaves)
    if args.json:
        rows = [{**dataclasses.asdict(row), "hyperparams": {k: _plain(v) for k, v in row.hyperparams}}
                for row in found.rows]  # fmt: skip
        output.as_json({
            "optimizer": repr(tx), "parameters": found.params, "leaves": found.leaves,
            "total_bytes": found.total_bytes, "bytes_per_param": found.bytes_per_param, "rows": rows,
        })  # fmt: skip
        return 0
    head, *rows, total = found._cells()
    output.table(head, rows, right=("bytes", "per device"))
    print(f"\n{total[5]}, {total[7]} of state, {total[-1]}")
    return 0


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool) or value is None else repr(value)


def run_validate(args: argparse.Namespace) -> int:
    """Print that a configuration is in order, or what is wrong."""
    try:
        found, error = made(args.config), None
    except (ConfigError, OSError) as wrong:
        found, error = None, str(wrong)
    if args.json:
        output.as_json({"valid": error is None, "error": error, "expression": repr(found) if found else None})
    elif error:
        print(error, file=sys.stderr)
    else:
        print(f"valid: {found!r}")
    return 1 if error else 0


def run_convert(args: argparse.Namespace) -> int:
    """Print or write a configuration in another form."""
    tx = made(args.config)
    by_name = SUFFIXES.get(args.output.suffix.lower()) if args.output else "json"
    kind = args.to or by_name
    if kind is None:
        raise UsageError(f"--output {args.output}: expected a file that ends in {', '.join(SUFFIXES)}")
    if kind == "expression":
        written = repr(tx)
    elif not isinstance(tx, Transform):
        raise UsageError(f"{tx!r} is a schedule; a configuration is of an optimizer")
    else:
        written = write_text(to_config(tx, form="hydra" if args.hydra else "plain"), kind)
    if args.output:
        args.output.write_text(written + "\n", encoding="utf-8")
        print(f"wrote {args.output}")
    else:
        print(written)
    return 0
