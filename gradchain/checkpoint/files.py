"""save and load: a run as one safetensors file, complete or not there at all, and checked when it is read."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.checkpoint import about as abouts
from gradchain.checkpoint.about import About, digest, gather
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.given import as_json, fitting, whole_step
from gradchain.checkpoint.report import Restored
from gradchain.checkpoint.restored import restore
from gradchain.checkpoint.wishes import Wishes
from gradchain.core.transform import Transform
from gradchain.report import held

Progress = Callable[[int, int], Any] | None
ABOUT, HEADER = "gradchain", "gradchain_header"
BLANK = "0" * 32  # in the place of the header's checksum while it is computed
STALE = 3600.0  # seconds after which nobody is writing a temporary file any more
# What safetensors gives back to numpy; other dtypes are written as bytes.
NATIVE = (
    *("bool", "complex64", "bfloat16", "float16", "float32", "float64"),
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
)


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "gradchain.save and gradchain.load need the package safetensors: "
            "pip install 'gradchain[checkpoint]'"
        ) from None
    return safetensors


def save(
    path: str | os.PathLike,
    tx: Transform,
    state: Any,
    params: Any = None,
    step: Any = None,
    metadata: Any = None,
    *,
    aux: Any = None,
    gather_processes: bool = False,
    progress: Progress = None,
) -> None:
    """Write a state, and parameters if they are given, to one safetensors file, with checksums.

    The file appears under its name when it is complete and on the disk: a kill at any moment leaves the
    previous one. `state` may be an nnx.Optimizer or a TrainState, whose own step is then the default of
    `step`; a state that is not that of `tx` for `params` is an error. `aux` is what else belongs to the run,
    a tree of arrays, random keys, numbers and texts: batch statistics, say. `metadata` is any JSON value.
    Arrays spread over several processes are an error unless `gather_processes`: then all processes call
    this and the first one writes; or use `Checkpointer`. `progress(done, total)` is told of bytes.
    """
    package, path = _safetensors(), Path(path)
    if path.is_dir():
        raise CheckpointError(f"save: {str(path)!r} is a directory; expected the name of a file")
    layout = fitting("save", tx, state, params)  # errors before anything is written
    step = whole_step("save", held.step(state) if step is None else step)
    metadata = as_json("save", metadata)
    written = gather(state, params, aux)
    arrays, sums, done = {}, {}, 0
    total = sum(x.nbytes for x in written.arrays.values())
    for name, x in written.arrays.items():
        arrays[name] = _as_bytes(_on_host(name, x, gather_processes))
        sums[name] = _sum(arrays[name])
        done += arrays[name].nbytes
        if progress is not None:
            progress(done, total)
    about = written.about(sums, **abouts.optimizer(tx, layout), step=step, metadata=metadata)
    if jax.process_index() == 0:
        _replace(path, lambda file: _write(package, file, arrays, about))
    if gather_processes and jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(f"gradchain.save {path}")


def _on_host(name: str, x: Any, gather_processes: bool) -> np.ndarray:
    if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated):
        if not gather_processes:
            raise CheckpointError(
                f"save: {name!r} is spread over {jax.process_count()} processes; expected arrays that one "
                "process can read. Use gradchain.Checkpointer, or pass gather_processes=True in all of them"
            )
        from jax.experimental import multihost_utils

        x = multihost_utils.process_allgather(x, tiled=True)
    return np.ascontiguousarray(np.asarray(x)).reshape(x.shape)


def _as_bytes(x: np.ndarray) -> np.ndarray:
    """The array itself or, where safetensors does not know its dtype, its bytes along a new last axis."""
    if x.dtype.name in NATIVE:
        return x
    return np.frombuffer(x.tobytes(), np.uint8).reshape(*x.shape, x.dtype.itemsize)


def _from_bytes(x: np.ndarray, dtype: Any) -> np.ndarray:
    return x if x.dtype == dtype else np.frombuffer(x.tobytes(), dtype).reshape(x.shape[:-1])


def _sum(x: np.ndarray) -> str:
    return digest(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data)


def _write(package: Any, file: str, arrays: Mapping[str, np.ndarray], about: About) -> None:
    package.numpy.save_file(arrays, file, metadata={ABOUT: about.write(), HEADER: BLANK})
    with open(file, "r+b") as f:
        header = _header(f)
        f.seek(header.index(f'"{BLANK}"'.encode()) + 1)
        f.write(digest(header).encode())
        f.flush()
        os.fsync(f.fileno())


def _header(f: Any) -> bytes:
    """The first part of a safetensors file: the length of its JSON, and the JSON."""
    start = f.read(8)
    return start + f.read(min(int.from_bytes(start, "little"), 1 << 30))


def _replace(path: Path, write: Callable[[str], None]) -> None:
    """Let `write` fill a temporary file beside `path` and put it in its place, with all of it on the disk."""
    folder = path.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f".{path.name}.*.tmp"):  # of runs that were killed
        if time.time() - old.stat().st_mtime > STALE:
            old.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=folder)
    os.close(handle)
    try:
        write(name)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):  # the name itself is on the disk when its folder is
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(
    path: str | os.PathLike,
    tx: Transform,
    params: Any,
    *,
    aux: Any = None,
    initialise: Any = (),
    strict: bool = False,
    saved_by: Transform | None = None,
    progress: Progress = None,
) -> Restored:
    """Parameters and state from a file of `save`: (params, state, step, report, metadata, aux).

    The whole file is read and checked before anything is made of it: a file that is cut off or altered is a
    DamagedError that names the array. `params` may be abstract, and says of which shapes and dtypes, and
    where on the devices, all becomes; a file without parameters returns them as they are. `aux` says the
    same of what was saved so, and is returned in its form; without it the result has a dict by path. The
    state is filled as by `load_state`, with the same arguments; the file knows the optimizer that wrote it.
    """
    package, path = _safetensors(), Path(path)
    about, arrays = _read(package, path, progress)

    def read(wanted):
        return {name: arrays[name] for name in wanted}

    return restore(about, read, tx, params, Wishes(initialise, strict, "load"), saved_by, aux)


def _read(package: Any, path: Path, progress: Progress) -> tuple[About, dict[str, Any]]:
    """The description of a file and all its arrays, checked."""
    where = f"load: {str(path)!r}"
    if path.is_dir():
        raise CheckpointError(f"{where} is a directory; expected a file that gradchain.save wrote")
    try:
        with open(path, "rb") as f:
            header = _header(f)
        with package.safe_open(path, "np") as file:
            said = file.metadata() or {}
            if ABOUT not in said or HEADER not in said:
                raise CheckpointError(f"{where} is no checkpoint; expected a file that gradchain.save wrote")
            sum_at = header.rfind(f'"{said[HEADER]}"'.encode())
            if (
                sum_at < 0
                or digest(header[: sum_at + 1] + BLANK.encode() + header[sum_at + 33 :]) != said[HEADER]
            ):
                raise DamagedError(f"{where}: its header does not have its checksum; it was altered")
            about = About.read(said[ABOUT], where)
            return about, _arrays(file, about, where, path.stat().st_size, progress)
    except FileNotFoundError:
        raise CheckpointError(f"{where} does not exist; expected a file that gradchain.save wrote") from None
    except (package.SafetensorError, UnicodeDecodeError) as error:
        raise DamagedError(
            f"{where} is no whole safetensors file: {error}; it was cut off or altered"
        ) from None


def _arrays(file: Any, about: About, where: str, total: int, progress: Progress) -> dict[str, Any]:
    if odd := sorted(set(file.keys()) ^ set(about.arrays)):
        raise DamagedError(f"{where}: the array {odd[0]!r} is not both described and there")
    found, done = {}, 0
    for name, entry in about.arrays.items():
        x = file.get_tensor(name)
        if _sum(x) != entry.sum:
            raise DamagedError(
                f"{where}: {name!r} ({entry.dtype}{list(entry.shape)}) does not have its checksum; the "
                "file was altered after it was written. Nothing was loaded: use another checkpoint"
            )
        if entry.key:
            found[name] = jax.random.wrap_key_data(jnp.asarray(x), impl=entry.key)
        else:
            found[name] = _from_bytes(x, jnp.dtype(entry.dtype))
        done += x.nbytes
        if progress is not None:
            progress(done, total)
    return found
