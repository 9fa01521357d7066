"""The command line: a table of flags gives the parser, the defaults and what a resumed run keeps."""

import argparse
import difflib
import json
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from lm import UserError
from lm.files import read_json
from lm.optimizers import SCHEDULES, STORED, setting


def whole(least: int):
    """A whole number of at least `least` that fits 32 bits."""

    def read(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or not least <= int(text) < 2**31:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {2**31 - 1}")
        return int(text)

    return read


def between(low: float, high: float):
    """A number from `low` to below `high`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value < high:
            span = f"of at least {low:g}" + (f" and below {high:g}" if high < float("inf") else "")
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {span}")
        return value

    return read


def hyperparameter(text: str) -> tuple[str, Any]:
    """NAME=VALUE."""
    try:
        return setting(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def json_file(text: str) -> dict:
    """The contents of a config file."""
    try:
        found = read_json(Path(text).read_text("utf-8"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {text}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'{text} holds no optimizer: expected {{"name": {{arguments}}}}')
    return found


def path(text: str) -> Path:
    """A file or folder; no name is not the folder one is in."""
    if not text:
        raise argparse.ArgumentTypeError("no name is given; for the folder you are in write .")
    return Path(text)


INFINITE = float("inf")
# group: (flag, default, how it is read, what it does)
Table = dict[str, list[tuple[str, Any, Any, str]]]
FLAGS: Table = {
    "data": [
        ("text", None, path, "a file, or a folder of files, to learn (default: Python's standard library)"),
        ("seq-len", 128, whole(1), "bytes of context"),
        ("batch", 8, whole(1), "windows per gradient"),
        ("seed", 0, whole(0), "of the initial parameters and the order of the data"),
    ],
    "model": [
        ("layers", 2, whole(1), "transformer blocks"),
        ("width", 128, whole(1), "features per position"),
        ("heads", 2, whole(1), "attention heads"),
    ],
    "optimizer": [
        ("optimizer", "adamw", str, "any optimizer by name, see --list-optimizers"),
        ("lr", None, between(0, INFINITE), "peak learning rate (default: what suits the optimizer)"),
        ("schedule", "warmup_cosine", SCHEDULES, "of the learning rate"),
        ("warmup", None, whole(0), "steps of warmup (default: a tenth of --steps)"),
        ("weight-decay", None, between(0, INFINITE), "of the matrices (default: what suits the optimizer)"),
        (
            "set",
            None,
            hyperparameter,
            "NAME=VALUE: any other argument of the optimizer, as b2=0.95; may be repeated",
        ),
        ("clip", 1.0, between(0, INFINITE), "largest global gradient norm; 0 for none"),
        ("config", None, json_file, "a JSON file with the optimizer, instead of the flags above"),
        ("accumulate", 1, whole(1), "gradients averaged for one step"),
        ("ema", 0.0, between(0, 1), "decay of an average of the parameters, which is then what is validated"),
        ("stored", None, STORED, "keep the optimizer's state in fewer bits"),
        ("skip", False, bool, "leave out steps whose gradient is not finite"),
    ],
    "run": [
        ("steps", 1600, whole(1), "steps of the optimizer"),
        ("eval-every", 200, whole(1), "steps between validations, each of which saves a checkpoint"),
        ("out", None, path, "folder for checkpoints, metrics and curves (default: runs/lm-1, lm-2, ...)"),
        ("resume", False, bool, "go on from the checkpoint in --out; the other flags are remembered"),
        ("overwrite", False, bool, "replace the run in --out"),
        ("quiet", False, bool, "print only where the results are"),
        ("list-optimizers", False, bool, "print the optimizers and leave"),
    ],
}
# Where a run goes, and on what machine, is not its own.
NOT_REMEMBERED = (
    "out", "resume", "overwrite", "quiet", "list_optimizers", "mesh", "devices", "layout",
    "processes", "coordinator", "process_id", "num_processes", "distributed",
)  # fmt: skip
# These make another optimizer, so that a resumed run with any of them builds and compares it.
OPTIMIZER = {name.replace("-", "_") for name, *_ in FLAGS["optimizer"]} | {"steps"}
BY_NAME = ("optimizer", "lr", "schedule", "warmup", "weight_decay", "set", "clip")


class Program(NamedTuple):
    """A program of this folder: its name, its flags and what it does."""

    name: str
    about: str
    flags: Table


TRAIN_LM = Program("train_lm", "Train a byte-level transformer with any of gradchain's optimizers.", FLAGS)
PROGRAM = TRAIN_LM.name


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message} (--help lists the flags)\n")
        raise SystemExit(2)


def parser(program: Program = TRAIN_LM) -> Parser:
    """The parser; it leaves out what is not on the command line, so that a resumed run can fill it in."""
    made = Parser(
        prog=program.name,
        description=program.about,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for title, flags in program.flags.items():
        group = made.add_argument_group(title)
        for name, default, read, text in flags:
            text = f"{text} (default: {default})" if default and read is not bool else text
            if read is bool:
                group.add_argument(f"--{name}", action="store_true", help=text)
            elif isinstance(read, tuple):
                group.add_argument(f"--{name}", choices=read, help=text)
            elif name == "set":
                group.add_argument(f"--{name}", action="append", type=read, metavar="NAME=VALUE", help=text)
            else:
                metavar = {str: "NAME", path: "PATH", json_file: "FILE"}.get(read, "N")
                group.add_argument(f"--{name}", type=read, metavar=metavar, help=text)
    return made


def defaults(program: Program = TRAIN_LM) -> dict[str, Any]:
    """Every flag's default, under its attribute name."""
    every = [flag for flags in program.flags.values() for flag in flags]
    return {name.replace("-", "_"): default for name, default, _, _ in every} | {"set": {}}


def parse(argv: list[str] | None, program: Program = TRAIN_LM) -> dict[str, Any]:
    """What the command line says, and nothing else."""
    made = parser(program)
    found, unknown = made.parse_known_args(argv)
    given = vars(found)
    if unknown:
        known = [f"--{name}" for flags in program.flags.values() for name, *_ in flags]
        near = difflib.get_close_matches(unknown[0], known, 2)
        made.error(
            f"unknown argument {unknown[0]}" + (f"; did you mean {' or '.join(near)}?" if near else "")
        )
    if "set" in given:
        given["set"], pairs = dict(given["set"]), given["set"]
        if len(given["set"]) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(f"--set: {twice} stands twice; give it once")
    if "text" in given:
        given["text"] = str(given["text"].absolute())
    if "config" in given and (clash := [name for name in BY_NAME if name in given]):
        raise UserError(f"--config says all about the optimizer: leave out --{clash[0].replace('_', '-')}")
    if given.get("resume") and given.get("overwrite"):
        raise UserError("--resume and --overwrite exclude each other")
    if given.get("resume") and "out" not in given:
        raise UserError("--resume needs --out DIR, the folder of the run to go on with")
    return given


def complete(
    given: dict[str, Any], remembered: dict[str, Any], program: Program = TRAIN_LM
) -> argparse.Namespace:
    """All flags: what is given, else what the run to be resumed was given, else the defaults."""
    if any(name in given for name in BY_NAME):
        remembered = {**remembered, "config": None}
    return argparse.Namespace(**(defaults(program) | remembered | given))


def to_remember(flags: argparse.Namespace) -> dict[str, Any]:
    """The flags that a resumed run takes over."""
    return {name: value for name, value in vars(flags).items() if name not in NOT_REMEMBERED}


def remembered(given: dict[str, Any]) -> str:
    """The flags on the command line that a resumed run need not be given."""
    return " ".join(f"--{name.replace('_', '-')}" for name in given if name not in NOT_REMEMBERED)


def again(folder: Path) -> str:
    """The command that goes on with the run in a folder."""
    python = Path(sys.executable)
    python = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else "python"
    return shlex.join([str(python), sys.argv[0], "--resume", "--out", str(folder)])
