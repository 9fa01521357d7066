"""Bytes to learn from: a file, a folder or Python's standard library, split by file; windows of them."""

import dataclasses
import hashlib
import sysconfig
import zlib
from pathlib import Path

import numpy as np

from lm import UserError

HELD_OUT = 0.1  # part of the bytes kept for validation
MOST = 1 << 30  # bytes; a corpus is held in memory
# Of an installation: what was added to it, what tests it, and tables rather than programs.
FOREIGN = {"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings", "pydoc_data"}


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Training and validation bytes, and where they came from."""

    name: str
    train: np.ndarray  # [n] uint8
    validation: np.ndarray  # [m] uint8
    files: tuple[int, int]  # how many of each; (1, 1) is one file cut in two

    @property
    def fingerprint(self) -> dict:
        """What a checkpoint remembers of the text it was trained on."""
        digest = hashlib.sha256(self.train.tobytes() + b"|" + self.validation.tobytes()).hexdigest()
        return {"bytes": len(self.train) + len(self.validation), "sha256": digest[:16]}

    def check(self, batch: int, seq_len: int) -> None:
        """Raise where the text is shorter than one batch."""
        for part, data, rows in (("training", self.train, batch), ("validation", self.validation, 1)):
            if len(data) < rows * (seq_len + 1):
                raise UserError(
                    f"{self.name} is too short: {len(data)} bytes for {part}, but {rows} x {seq_len + 1} are "
                    "needed; give more text, or a smaller --batch or --seq-len"
                )

    def batch(self, seed: int, index: int, size: int, seq_len: int, rows: slice = slice(None)) -> np.ndarray:
        """Random windows by (seed, index) alone, or `rows` of them: [n, seq_len + 1] int32."""
        starts = np.random.default_rng((seed, index)).integers(0, len(self.train) - seq_len, size)
        return windows(self.train, starts[rows], seq_len)

    def held_out(self, size: int, seq_len: int, count: int = 512) -> list[np.ndarray]:
        """About `count` evenly spaced windows of the validation bytes, in batches, the same every time."""
        batches = max(1, min(count, len(self.validation) // (seq_len + 1)) // size)
        starts = np.linspace(0, len(self.validation) - seq_len - 1, batches * size).astype(np.int64)
        return [windows(self.validation, s, seq_len) for s in np.split(starts, batches)]


def windows(data: np.ndarray, starts: np.ndarray, seq_len: int) -> np.ndarray:
    """The bytes at `starts` and the seq_len after each."""
    return data[starts[:, None] + np.arange(seq_len + 1)].astype(np.int32)


def load(text: str | None) -> Corpus:
    """Read a file, every text file of a folder, or without a path the standard library's sources."""
    if text is None:
        root = Path(sysconfig.get_path("stdlib"))
        name = f"the standard library of Python {sysconfig.get_python_version()}"
        files = [f for f in root.rglob("*.py") if not FOREIGN & set(f.relative_to(root).parts)]
        if not files:
            raise UserError(f"no Python sources in {root}; give a file or a folder with --text PATH")
    else:
        root, name = Path(text), text
        if root.is_file():
            files = [root]
        elif root.is_dir():
            files = [f for f in root.rglob("*") if f.is_file() and not hidden(f.relative_to(root))]
        else:
            raise UserError(
                f"--text {text}: {'neither a file nor a folder' if root.exists() else 'no such path'}"
            )
    texts = read(files, name, root)
    if len(texts) == 1:
        return cut(name, next(iter(texts.values())))
    return split(name, texts)


def hidden(path: Path) -> bool:
    """Whether any part of a path is hidden or holds compiled Python."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def read(files: list[Path], name: str, root: Path) -> dict[str, bytes]:
    """Contents by path below the root, without empty and, of several files, binary ones."""
    try:
        if (total := sum(f.stat().st_size for f in files)) > MOST:
            raise UserError(
                f"{name} has {total / 2**30:.1f} GiB; at most {MOST >> 30} GiB are read into memory"
            )
        found = {f.relative_to(root).as_posix(): f.read_bytes() for f in files}
    except OSError as error:
        raise UserError(f"{name}: cannot read {error.filename}: {error.strerror}") from None
    texts = {
        path: text for path, text in found.items() if text and (len(found) == 1 or b"\0" not in text[:1024])
    }
    if not texts:
        raise UserError(f"{name} {without_text(found)}")
    return texts


def without_text(found: dict[str, bytes]) -> str:
    """Why files are nothing to learn from."""
    if not found:
        return "holds no files, but for hidden ones"
    binary = sum(map(bool, found.values()))
    if not binary:
        return "is empty" if len(found) == 1 else f"is empty: none of its {len(found)} files holds a byte"
    return (
        f"holds no text: {binary} of its {len(found)} files are binary, with a zero among their first 1,024 "
        "bytes, and the others are empty; name a single file to learn its bytes whatever they are"
    )


def cut(name: str, text: bytes) -> Corpus:
    """One file: its end is held out."""
    data = np.frombuffer(text, np.uint8)
    at = len(data) - max(1, int(len(data) * HELD_OUT))
    return Corpus(name, data[:at], data[at:], (1, 1))


def split(name: str, texts: dict[str, bytes]) -> Corpus:
    """Hold out whole files: in the order of a hash of the path, each that fits, and at least the smallest."""
    order = sorted(texts, key=lambda path: (zlib.crc32(path.encode()), path))
    room = HELD_OUT * sum(map(len, texts.values()))
    held: list[str] = []
    for path in order:
        if len(texts[path]) <= room:
            held.append(path)
            room -= len(texts[path])
    held = held or [min(order, key=lambda path: len(texts[path]))]
    kept = [path for path in order if path not in set(held)]
    train, validation = (b"\n".join(texts[path] for path in part) for part in (kept, held))
    return Corpus(
        name, np.frombuffer(train, np.uint8), np.frombuffer(validation, np.uint8), (len(kept), len(held))
    )
