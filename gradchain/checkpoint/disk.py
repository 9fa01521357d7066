"""Files that are complete or not there at all: the calls of the operating system that write and read them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gradchain.checkpoint.errors import CheckpointError, DiskError
from gradchain.checkpoint.locks import FLAGS, UNKNOWN, fcntl, lock

STALE = 3600.0  # seconds after which nobody writes a file any more, where locks do not tell
LONGEST = 180  # bytes of a name that temporary names repeat; a name has 255 at most
HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:16] or "host"
OURS = re.compile(r"([A-Za-z0-9]+)-\d+-[0-9a-f]{8}\.tmp")  # host, process, random
EARLIER = re.compile(r"[a-z0-9_]+\.tmp")  # of versions that took no locks
WRITING: set[str] = set()  # temporary files of this process, which locks do not keep from itself

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "The disk is full: free space, or use another one"),
    errno.EFBIG: "Files may not be so large there (ulimit -f, or the file system): use another folder",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Rights are missing: change them, or use another folder"),
    errno.EROFS: "Nothing can be written there: use another folder",
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Close some files, or raise the limit (ulimit -n)"),
    errno.ENAMETOOLONG: "Use a shorter name",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "A part of the path is a file: use another path"),
    errno.ELOOP: "A symbolic link leads to itself: use another path",
    errno.EIO: "The disk reports an error: try again, or use another one",
}


def failed(what: str, error: OSError, after: str = "") -> DiskError:
    """The error in words: what could not be done, the system's reason, how things are now, what to do."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    advice = ADVICE.get(error.errno or 0, "Try again, or use another folder")
    after = f" {after}" if after else ""
    made = DiskError(f"{what}: {error.strerror or error} ({name}).{after} {advice}")
    made.errno, made.strerror, made.filename = error.errno, error.strerror, error.filename
    return made


# Writing ---------------------------------------------------------------------------------------------------


def replace(path: Path, who: str, fill: Callable[[int], None]) -> None:
    """Let `fill` write a file, by its descriptor, and put it in the place of `path` when it is on the disk.

    A file that is there keeps its mode, a symbolic link its target, and both all they hold until the new
    one is complete. What fails leaves nothing behind; what a killed process left is removed by the next.
    """
    what = f"{who}: {str(path)!r} could not be written"
    before, number, temporary = None, -1, ""
    try:
        target = os.path.realpath(path)
        before = _regular(target, f"{who}: {str(path)!r}")
        folder = Path(target).parent
        synced = {folder, *(p.parent for p in (folder, *folder.parents) if not p.exists())}
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, os.path.basename(target))
        number, temporary = _temporary(target, None if before is None else before.st_mode & 0o777)
        fill(number)
        if before is not None:
            _same_owner(number, before)
        os.fsync(number)
        if fcntl is None:  # Windows renames no open file
            number = os.close(number) or -1
        os.replace(temporary, target)
    except OSError as error:
        intact = f"The file before it is as it was{'' if before else ': there was none'}."
        raise failed(what, error, intact) from error
    finally:
        _end(number, temporary)
    try:
        for folder in synced:
            _sync(folder)
    except OSError as error:
        raise failed(
            what, error, "The new file is complete, but a loss of power now may bring back the one before it."
        ) from error


def write(number: int, data: Any) -> None:
    """All of some bytes: the system may take a part of them only."""
    left = memoryview(data).cast("B")
    while left:
        left = left[os.write(number, left[: 1 << 30]) :]


def _regular(target: str, what: str) -> os.stat_result | None:
    """What is at a path: a file, or nothing yet."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise CheckpointError(f"{what} is {kind(found.st_mode)}; expected the name of a file")
    return found


def kind(mode: int) -> str:
    """What a path is, in words."""
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _same_owner(number: int, before: os.stat_result) -> None:
    now = os.fstat(number)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with contextlib.suppress(PermissionError):  # only an administrator gives files away
            os.fchown(number, before.st_uid, before.st_gid)
    if hasattr(os, "fchmod"):
        os.fchmod(number, stat.S_IMODE(before.st_mode))


def _start(name: str) -> str:
    long = len(os.fsencode(name)) > LONGEST
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32] if long else name}."


def _temporary(target: str, mode: int | None) -> tuple[int, str]:
    """A new file beside the target, open and locked, that nobody may read who could not before."""
    folder, name = os.path.split(target)
    for _ in range(100):
        made = os.path.join(folder, f"{_start(name)}{HOST}-{os.getpid()}-{os.urandom(4).hex()}.tmp")
        number = -1
        WRITING.add(made)
        try:
            number = os.open(made, FLAGS | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
            # Before the lock was there another process may have taken the file for one that was left behind.
            if lock(number) is not False and os.fstat(number).st_nlink:
                return number, made
        except BaseException:
            _end(number, made)
            raise
        _end(number, made)
    raise OSError(errno.EAGAIN, "other processes remove the temporary files")


def _end(number: int, temporary: str) -> None:
    """Close and remove a temporary file, unless it has been renamed."""
    try:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if number >= 0:
            with contextlib.suppress(OSError):  # all is on the disk already, or given up
                os.close(number)
    finally:
        WRITING.discard(temporary)


def _sync(folder: Path) -> None:
    """A name is on the disk when its folder is."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # may be written in, not read
        return
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
    finally:
        with contextlib.suppress(OSError):
            os.close(number)


# What killed processes left --------------------------------------------------------------------------------


def _sweep(folder: Path, name: str) -> None:
    """Remove the temporary files of a name that no living process writes."""
    start = _start(name)
    with contextlib.suppress(OSError):  # it can wait
        for found in os.listdir(folder):
            if found.startswith(start) and found.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    _remove(os.path.join(folder, found), found[len(start) :])


def _remove(file: str, rest: str) -> None:
    ours, old = OURS.fullmatch(rest), time.time() - os.lstat(file).st_mtime > STALE
    if file in WRITING or not (ours or EARLIER.fullmatch(rest)):
        return
    if not ours or not stat.S_ISREG(os.lstat(file).st_mode):
        if old:
            os.unlink(file)
        return
    number = os.open(file, FLAGS | getattr(os, "O_NONBLOCK", 0))
    try:
        free = lock(number)
        # A lock of another machine may not be seen here: then also the age decides.
        if free is not False and (old or (free and ours[1] == HOST)):
            os.unlink(file)
    finally:
        os.close(number)


# Reading ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def reading(path: Path, where: str) -> Iterator[int]:
    """A file to read, by its descriptor: the same to the end, also if another takes its name."""
    number = -1
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode):
            raise CheckpointError(f"{where} is {kind(mode)}; expected a file that gradchain.save wrote")
        yield number
    except FileNotFoundError:
        raise CheckpointError(f"{where} does not exist; expected a file that gradchain.save wrote") from None
    except OSError as error:
        raise failed(f"{where} could not be read", error, "Nothing was loaded.") from error
    finally:
        if number >= 0:
            os.close(number)


def read(number: int, size: int) -> bytearray:
    """So many bytes; fewer where the file ends before."""
    data = bytearray(size)
    left = memoryview(data)
    while left:
        if not (n := os.readv(number, [left[: 1 << 30]])):
            return data[: size - len(left)]
        left = left[n:]
    return data
