"""The command line of `train_sharded.py`: that of `train_lm.py`, the mesh and the processes."""

import argparse
import math
import re
from collections.abc import Sequence
from typing import Any

from lm import UserError
from lm.flags import FLAGS, Program, Table, complete, parse, whole

OTHER = {"batch": 16, "heads": 8, "steps": 600, "eval-every": 100}  # defaults that suit a mesh of eight
ABOUT = {"batch": "windows per step, over all devices and microbatches"}


def axes(text: str) -> dict[str, int]:
    """data=4,model=2."""
    parts = [part.partition("=") for part in text.split(",")]
    found = {name: int(n) for name, _, n in parts if n.isdecimal() and int(n)}
    if len(found) < len(parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=N,..., as data=4,model=2")
    if odd := next((name for name in found if not re.fullmatch(r"data\d*|model", name)), None):
        raise argparse.ArgumentTypeError(
            f"{text!r} has an axis {odd!r}: there are data, data0, ... and model"
        )
    return found


def stage(text: str) -> int:
    """0, 1, 2 or 3."""
    if text not in ("0", "1", "2", "3"):
        raise argparse.ArgumentTypeError(f"{text!r} is not 0, 1, 2 or 3")
    return int(text)


def address(text: str) -> str:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as 10.0.0.1:1234")
    return text


MESH: Table = {
    "mesh": [
        ("mesh", None, axes, "axes and their sizes, as data=4,model=2 (default: all devices in data)"),
        ("devices", None, whole(1), "force so many CPU devices, over all processes"),
        ("zero", 1, stage, "stage of ZeRO over the data axes, 0 for none"),
        ("microbatches", 1, whole(1), "parts of a device's batch that are done one after the other"),
        ("offload", False, bool, "keep the optimizer's state in the host's memory"),
        ("layout", False, bool, "print where every array of the state lies"),
    ],
    "processes": [
        ("processes", 1, whole(1), "start so many processes here, on a part of --devices each"),
        ("coordinator", None, address, "HOST:PORT of process 0, where the processes are started by hand"),
        ("process-id", None, whole(0), "the number of this process"),
        ("num-processes", None, whole(1), "how many there are"),
        (
            "distributed",
            False,
            bool,
            "find the others as jax.distributed does: TPU pods, Slurm, Open MPI, ...",
        ),
    ],
}


def without_accumulate(flags: Table) -> Table:
    """The table of `train_lm`, with microbatches in the place of accumulation, and other defaults."""
    return {
        group: [
            (name, OTHER.get(name, default), read, ABOUT.get(name, text))
            for name, default, read, text in rows
            if name != "accumulate"
        ]
        for group, rows in flags.items()
    }


TRAIN_SHARDED = Program(
    "train_sharded",
    "Train a byte-level transformer on a mesh of devices, in one process or many.",
    MESH | without_accumulate(FLAGS),
)


def read(argv: list[str] | None) -> dict[str, Any]:
    """What the command line says about the run and its processes, checked."""
    given = parse(argv, TRAIN_SHARDED)
    several, by_hand = (
        given.get("processes", 1) > 1,
        [*given.keys() & {"coordinator", "process_id", "num_processes"}],
    )
    if several and by_hand:
        raise UserError("--processes starts all processes itself: leave out --coordinator and its like")
    if given.get("distributed") and (several or by_hand or "devices" in given):
        raise UserError(
            "--distributed finds the processes and devices itself: leave out the other flags for them"
        )
    if several and "devices" not in given:
        raise UserError("--processes shares out CPU devices: say how many with --devices N")
    if len(by_hand) not in (0, 3):
        raise UserError("--coordinator, --process-id and --num-processes belong together")
    if by_hand and given["process_id"] >= given["num_processes"]:
        raise UserError(
            f"--process-id {given['process_id']}: --num-processes {given['num_processes']} end before it"
        )
    count = given.get("num_processes", given.get("processes", 1))
    if given.get("devices", count) % count:
        raise UserError(f"--devices {given['devices']} cannot be shared out to {count} processes")
    if (by_hand or given.get("distributed")) and "out" not in given:
        raise UserError("several processes need --out DIR, the same folder for all of them")
    return given


def without(argv: Sequence[str], *names: str) -> list[str]:
    """The command line without some flags and their values."""
    found, dropped = [], False
    for word in argv:
        if not dropped and not any(word.startswith(f"--{name}=") or word == f"--{name}" for name in names):
            found.append(word)
        dropped = not dropped and any(word == f"--{name}" for name in names)
    return found


def settle(given: dict[str, Any], remembered: dict[str, Any]) -> argparse.Namespace:
    """All flags of a run."""
    return complete(given, remembered, TRAIN_SHARDED)


def check_mesh(given: dict[str, int] | None, devices: int) -> dict[str, int]:
    """The sizes of "data" or "data0", ... and "model": as they were given, or all devices in "data"."""
    found = {"data": devices} if given is None else given
    if set(found) == {"model"} and devices % found["model"] == 0:
        found = {"data": devices // found["model"], **found}
    if (wanted := math.prod(found.values())) != devices:
        shown = ",".join(f"{name}={size}" for name, size in found.items())
        raise UserError(
            f"--mesh {shown}: that is {wanted} devices, and there are {devices}; "
            f"--devices {wanted} forces as many on a CPU"
        )
    return found
