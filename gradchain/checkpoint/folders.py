"""A folder of checkpoints: which are complete, who may write, what killed processes left there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np

from gradchain.checkpoint.disk import STALE, failed
from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.locks import Lock

LOCK = ".gradchain-lock"  # held by who writes
ASIDE = "damaged"  # put before the step of a checkpoint that cannot be read
UNFINISHED = "*orbax-checkpoint-tmp*"
OS_CODE = re.compile(r"os_error_code='(\d+)'|OS error (\d+)")  # as tensorstore tells of it


def steps(folder: Path) -> list[int]:
    """The steps of the complete checkpoints, in order."""
    if not folder.is_dir():
        return []
    names = [p.name for p in folder.iterdir() if p.name.isdecimal() and p.is_dir()]
    return sorted(int(name) for name in names if name == str(int(name)))


def unfinished(folder: Path) -> list[str]:
    """The names of those that are being written, or never were to the end."""
    return sorted(p.name for p in folder.glob(UNFINISHED)) if folder.is_dir() else []


def claim(folder: Path, who: str) -> Lock:
    """Make the folder, take the right to write there, and remove what killed processes left."""
    lock, holder = Lock(folder / LOCK), ""
    with system_errors(f"{who}: {str(folder)!r} cannot be written to", "Nothing in it was changed."):
        folder.mkdir(parents=True, exist_ok=True)
        if jax.process_index() == 0:
            holder = lock.take()
            if not holder:
                sweep(folder, lock.sure)
    taken = bool(holder)
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        taken = bool(multihost_utils.broadcast_one_to_all(np.int32(taken)))
    if taken:
        raise CheckpointError(
            f"{who}: {holder or 'another process'} writes to {str(folder)!r}; expected one writer for "
            "a folder. Wait for it, close it, or use another folder"
        )
    return lock


def sweep(folder: Path, sure: bool) -> None:
    """Remove what is unfinished: all, for who has the lock, or what is old, where there are no locks."""
    for name in unfinished(folder):
        with contextlib.suppress(OSError):  # Orbax removes one that is in its way
            newest = max(p.stat().st_mtime for p in (folder / name, *(folder / name).rglob("*")))
            if sure or time.time() - newest > STALE:
                shutil.rmtree(folder / name)


def set_aside(folder: Path, damaged: list[int]) -> None:
    """Rename the checkpoints that could not be read, so that their steps can be saved again."""
    for step in damaged if jax.process_index() == 0 else ():
        if (folder / str(step)).exists():
            (folder / str(step)).rename(folder / f"{ASIDE}-{step}-{os.urandom(3).hex()}")
    if damaged and jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("gradchain.Checkpointer: damaged checkpoints set aside")


def agreed(found: list[int]) -> list[int]:
    """The steps that the first process sees: folders may look different from elsewhere for a while."""
    if jax.process_count() == 1:
        return found
    from jax.experimental import multihost_utils

    n = int(multihost_utils.broadcast_one_to_all(np.int32(len(found))))
    seen = [(step >> 32, step & 0xFFFFFFFF) for step in (found + [0] * n)[:n]]
    if not n:
        return []
    seen = np.asarray(multihost_utils.broadcast_one_to_all(np.asarray(seen, np.uint32)))
    return [int(high) << 32 | int(low) for high, low in seen]


# Errors ----------------------------------------------------------------------------------------------------


def os_code(error: BaseException | None) -> int | None:
    """The operating system's number of what went wrong, also where a library tells of it in its text."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(2, "").errno
        if found := OS_CODE.search(str(error)):
            return int(found[1] or found[2])
        error = error.__cause__ or error.__context__
    return None


@contextlib.contextmanager
def system_errors(
    what: Callable[[], str] | str, after: str, undo: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """What the system does not let happen, in words; any other error with a note of what was being done."""
    try:
        yield
    except CheckpointError:
        undo()
        raise
    except Exception as error:
        undo()
        what = what if isinstance(what, str) else what()
        if code := os_code(error):
            raise failed(what, OSError(code, os.strerror(code)), after) from error
        error.add_note(f"{what}. {after}")
        raise
