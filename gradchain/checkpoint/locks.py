"""Locks of files between processes: POSIX's (lockf), which NFS has too.

They end with their process, and children do not inherit them, as they would those of flock. Within a process
they do not exclude, and closing any descriptor of the file loses them: there HELD and disk.WRITING are asked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
from pathlib import Path
from typing import Any

fcntl: Any = None
with contextlib.suppress(ImportError):  # Windows has none
    import fcntl

FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
UNKNOWN = {errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # not supported there
HELD: dict[str, int] = {}  # lock files and the process that took them: a fork has the dict, not the lock


def lock(number: int) -> bool | None:
    """Take the lock of an open file: False where another process has it, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in UNKNOWN:
            return None
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


class Lock:
    """The right to write in a folder, from `take` to `release`, by a file that stays there."""

    def __init__(self, file: Path):
        self.file, self.sure, self._number = os.path.realpath(file), False, -1

    def take(self) -> str:
        """Nothing, or who has it. `sure` is whether there are locks at all."""
        if HELD.get(self.file) == os.getpid():
            return "another Checkpointer of this process"
        number = os.open(self.file, FLAGS | os.O_CREAT, 0o666)
        try:
            free = lock(number)
            if free is False:
                return os.read(number, 200).decode(errors="replace").strip() or "another process"
            os.ftruncate(number, 0)
            os.write(number, f"process {os.getpid()} on {platform.node()}\n".encode())
            self._number, self.sure, number = number, bool(free), -1
            HELD[self.file] = os.getpid()
        finally:
            if number >= 0:
                os.close(number)
        return ""

    def release(self) -> None:
        """Give it back."""
        if self._number >= 0 and HELD.get(self.file) == os.getpid():
            del HELD[self.file]
            with contextlib.suppress(OSError):
                os.close(self._number)
        self._number = -1
