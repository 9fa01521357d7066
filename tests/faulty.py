"""System calls that fail on purpose: the n-th one that Python makes in a folder, for every n.

`failing(folder, n, how)` makes one call fail; `each_call(do, folder, how)` does it for n = 1, 2, ... until
`do` ends without reaching the n-th. Calls that libraries make in C++ or Rust are not seen.
"""

import builtins
import contextlib
import errno
import fcntl
import io
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BY_PATH = (
    *("open", "mkdir", "rmdir", "unlink", "remove", "rename", "replace", "link", "symlink", "chmod", "chown"),
    *("truncate", "utime", "listdir", "scandir"),
)
BY_FILE = ("write", "writev", "pwrite", "read", "readv", "pread", "preadv", "fsync", "fdatasync")
BY_FILE += ("ftruncate", "fchmod", "fchown", "close")
LOOKS = ("stat", "lstat", "fstat")  # left alone unless `looks`: much of Python takes an error for "not there"
WRITES = ("write", "writev", "pwrite")
# What a full disk and a lack of rights leave alone.
HARMLESS = ("close", "unlink", "remove", "rmdir", "listdir", "scandir", *LOOKS)
HARMLESS += ("read", "readv", "pread", "preadv")


class Crash(BaseException):
    """The process ended here: neither this call nor any after it did anything."""


@dataclass(frozen=True)
class How:
    """How a call fails: with an error, after half of what it should write, once or from then on, or for good.

    `lost`: with the crash also the power fails, and of what was not synced half is lost.
    """

    code: int = errno.EIO
    short: bool = False  # a write writes half: alone that is no error, the caller has to go on
    lasting: bool = False  # every later call that needs room or rights fails as well
    crash: bool = False
    lost: bool = False

    def __str__(self) -> str:
        words = [w for w in ("short", "lasting", "crash", "lost") if getattr(self, w)]
        return "-".join([errno.errorcode[self.code], *words])


FULL = How(errno.ENOSPC, lasting=True)
HOWS = (
    *(How(code) for code in (errno.EIO, errno.ENOSPC, errno.EMFILE, errno.EACCES)),
    FULL,
    How(errno.ENOSPC, short=True, lasting=True),
    How(short=True),
    How(crash=True),
    How(crash=True, lost=True),
)


@dataclass
class Calls:
    """The calls that were seen, and which of them failed."""

    names: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unsynced: dict[str, None] = field(default_factory=dict)  # files that a loss of power would cut

    @property
    def reached(self) -> bool:
        """Whether anything failed."""
        return bool(self.failed)


@contextlib.contextmanager
def failing(
    folder: str | os.PathLike, n: int = 0, how: How = HOWS[0], looks: bool = False
) -> Iterator[Calls]:
    """Make the n-th call in `folder` fail, counted from 1 over all threads; 0: only count."""
    layer = _Layer(os.path.abspath(folder), n, how)
    names = (*BY_PATH, *BY_FILE, *(LOOKS if looks else ()))
    before = [(os, name, getattr(os, name)) for name in names if hasattr(os, name)]
    before += [(builtins, "open", builtins.open), (io, "open", io.open)]
    before += [(fcntl, name, getattr(fcntl, name)) for name in ("flock", "lockf")]
    for module, name, real in before:
        counted = layer.opener() if name == "open" and module is not os else layer.wrap(name, real)
        setattr(module, name, counted)
    try:
        yield layer.calls
    finally:
        for module, name, real in before:
            setattr(module, name, real)
        layer.bury()


def each_call(
    do: Callable[[], object], folder: str | os.PathLike, how: How, start: int = 1, looks: bool = False
) -> Iterator[tuple[int, Calls, BaseException | None]]:
    """For n = 1, 2, ...: what `do` did when the n-th call failed, until it no longer makes so many.

    Yields (n, calls, error or None); restore the folder between two of them. The last one had no failure.
    """
    for n in range(start, 10_000):
        error = None
        with failing(folder, n, how, looks) as calls:
            try:
                do()
            except (Exception, Crash) as e:
                error = e
        yield n, calls, error
        if not calls.reached:
            return
    raise AssertionError("10,000 calls and no end")


class _Layer:
    """Counts the calls in a folder and lets one of them fail."""

    def __init__(self, folder: str, n: int, how: How):
        self.folder, self.n, self.how, self.calls = os.path.realpath(folder), n, how, Calls()
        self.lock, self.dead = threading.RLock(), False
        self.files: dict[int, str] = {}  # by descriptor
        self.objects: weakref.WeakSet[io.FileIO] = weakref.WeakSet()
        self.close, self.truncate, self.size = os.close, os.truncate, os.path.getsize

    def path(self, file: object, inside: int | None = None) -> str | None:
        """Which file in the folder is meant, if any, by a path or a descriptor."""
        if isinstance(file, bool) or not isinstance(file, int | str | bytes | os.PathLike):
            return None
        if isinstance(file, int):
            return self.files.get(file)
        if inside is not None and inside not in self.files:
            return None
        base = os.getcwd() if inside is None else self.files[inside]
        name = os.path.join(base, os.fsdecode(file))
        return name if name == self.folder or name.startswith(self.folder + os.sep) else None

    def fails(self, name: str, path: str) -> bool:
        """Count a call; whether it is one that fails. A crash cuts what was not synced, if power is lost."""
        with self.lock:
            if self.dead:
                raise Crash
            self.calls.names.append(f"{name} {os.path.basename(path)}")
            here = len(self.calls.names) == self.n
            if not here and not (self.how.lasting and self.calls.reached and name not in HARMLESS):
                return False
            self.calls.failed.append(self.calls.names[-1])
            self.dead = self.how.crash
            for file in self.calls.unsynced if self.dead and self.how.lost else ():
                with contextlib.suppress(FileNotFoundError):
                    self.truncate(file, self.size(file) // 2)
            if self.dead:
                raise Crash
            return True

    def error(self, path: str) -> OSError:
        return OSError(self.how.code, os.strerror(self.how.code), path)

    def wrap(self, name: str, real: Callable) -> Callable:
        def call(file: Any = ".", *args: Any, **kwargs: Any) -> Any:
            path = self.path(file, kwargs.get("dir_fd"))
            if path is None:
                return real(file, *args, **kwargs)
            if self.fails(name, path):
                half = self.how.short and name in WRITES and len(self.calls.failed) == 1
                if half:
                    data = memoryview(b"".join(args[0]) if name == "writev" else args[0]).cast("B")
                    self.calls.unsynced[path] = None
                    return (os.write if name == "writev" else real)(file, data[: len(data) // 2], *args[1:])
                if name == "close":  # Linux closes in any case
                    self.files.pop(file, None)
                    real(file)
                if not self.how.short or self.how.lasting:
                    raise self.error(path)
                if name == "close":
                    return None
            found = real(file, *args, **kwargs)
            self.after(name, file, path, args, found)
            return found

        return call

    def after(self, name: str, file: Any, path: str, args: tuple, found: Any) -> None:
        """Remember which files are open and which are not on the disk."""
        with self.lock:
            if name == "open":
                self.files[found] = path
            elif name == "close":
                self.files.pop(file, None)
            elif name in WRITES:
                self.calls.unsynced[path] = None
            elif name in ("fsync", "fdatasync"):
                self.calls.unsynced.pop(path, None)
            elif name in ("rename", "replace") and path in self.calls.unsynced:
                del self.calls.unsynced[path]
                self.calls.unsynced[os.path.join(os.getcwd(), os.fsdecode(args[0]))] = None

    def opener(self) -> Callable:
        """`open`, giving files whose reads and writes are counted."""
        real, layer = io.open, self

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                return len(data) if layer.dead else os.write(self.fileno(), data)

            def readinto(self, buffer: Any) -> int:
                data = os.read(self.fileno(), len(buffer))
                buffer[: len(data)] = data
                return len(data)

            def readall(self) -> bytes:
                return b"".join(iter(lambda: os.read(self.fileno(), 1 << 20), b""))

            def close(self) -> None:
                path = None if self.closed else layer.files.pop(self.fileno(), None)
                super().close()
                if path is not None and not layer.dead and layer.fails("close", path) and not layer.how.short:
                    raise layer.error(path)

        def call(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
            path = layer.path(file)
            if path is None:
                return real(file, mode, buffering, *args, **kwargs)
            given = (
                dict(zip(("encoding", "errors", "newline", "closefd", "opener"), args, strict=False)) | kwargs
            )
            opener = given.pop("opener", None) or (lambda path, flags: os.open(path, flags, 0o666))
            raw = Raw(file, mode.replace("b", "").replace("t", ""), given.pop("closefd", True), opener)
            layer.files.setdefault(raw.fileno(), path)
            layer.objects.add(raw)
            if buffering == 0:
                return raw
            kind = (
                io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
            )
            return kind(raw) if "b" in mode else io.TextIOWrapper(kind(raw), **given)

        return call

    def bury(self) -> None:
        """After a crash, close what the process had open, and with it release its locks."""
        owned = {file.fileno() for file in self.objects if not file.closed}
        for number in set(self.files) - owned if self.dead else ():
            with contextlib.suppress(OSError):
                self.close(number)
        for file in self.objects if self.dead else ():
            file.close()


def contents(folder: str | os.PathLike) -> dict[str, bytes]:
    """Every file in a folder by its name, to see that nothing changed."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()
    }
