"""The command line: `gradchain COMMAND ...`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import jax

import gradchain as gc
from gradchain.cli import catalogue, doctor, read, schedules
from gradchain.cli.given import UsageError
from gradchain.config.place import ConfigError
from gradchain.core import words

EPILOG = """examples:
  gradchain search sign momentum
  gradchain show adamw
  gradchain describe 'chain(clip_by_global_norm(1.0), adamw(1e-3))' --shapes kernel=1024x4096,bias=4096
  gradchain plot-schedule 'warmup_cosine_decay_schedule(0.0, 1e-3, 100, 1000)' -o schedule.png
  gradchain config convert optimizer.yaml --hydra

An optimizer is given as an expression, JSON, a file .json or .yaml, or - for what is piped in. Nothing in it
is evaluated or imported.

exit code: 0 done; 1 nothing was found, or something is wrong with what was checked; 2 bad input
"""
AOT = "aot"


class Parser(argparse.ArgumentParser):
    """A parser whose errors name what is near."""

    def error(self, message: str) -> NoReturn:
        """Exit with what is wrong, and one line of help."""
        if "invalid choice: " in message and "choose from " in message:
            given = message.split("invalid choice: ")[1].split(" (choose")[0].strip("'")
            known = message.split("choose from ")[1].strip(")").replace("'", "").split(", ")
            message = f"no command {words.show(given)}; {words.meant(given, known)}"
        self.exit(2, f"{self.prog}: {message}\n{self.prog} --help says what there is\n")


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    made = Parser(
        prog="gradchain",
        description="Optimizers for JAX: what there is, what it keeps, schedules and configurations.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument("--version", action="version", version=f"gradchain {gc.__version__}")
    commands: Any = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for part in (catalogue, read, schedules, doctor):
        part.add_to(commands)
    aot = commands.add_parser(
        AOT, help="compile an update for a machine that need not be there", add_help=False
    )
    aot.set_defaults(run=None)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == [AOT]:  # has a parser of its own
        from gradchain.aot import cli

        return cli.main(argv[1:])
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UsageError, ConfigError, ValueError, TypeError, ImportError, OSError) as error:
        print(f"gradchain {args.command}: {error}", file=sys.stderr)
        return 2


def run() -> NoReturn:
    """The program: its process touches no accelerator, which another may be using."""
    if sys.argv[1:2] != [AOT]:
        jax.config.update("jax_platforms", "cpu")
    sys.exit(main())
