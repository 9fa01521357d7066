"""save and load: a run as one safetensors file, complete or not there at all, and checked when it is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.checkpoint import about as abouts
from gradchain.checkpoint import disk, tensors
from gradchain.checkpoint.about import About, Written, digest, gather
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.given import as_json, fitting, whole_step
from gradchain.checkpoint.report import Restored
from gradchain.checkpoint.restored import restore
from gradchain.checkpoint.tensors import Tensor
from gradchain.checkpoint.wishes import Wishes
from gradchain.core.inside import opens
from gradchain.core.transform import Transform
from gradchain.report import held

Progress = Callable[[int, int], Any] | None
ABOUT, HEADER = "gradchain", "gradchain_header"
BLANK = "0" * 32  # in the place of a checksum while it is not known


@opens
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
    path = Path(path)
    layout = fitting("save", tx, state, params)  # errors before anything is written
    step = whole_step("save", held.step(state) if step is None else step)
    written = gather(state, params, aux)
    more = {**abouts.optimizer(tx, layout), "step": step, "metadata": as_json("save", metadata)}
    together = gather_processes and jax.process_count() > 1
    for name, x in written.arrays.items():
        _check_readable(name, x, gather_processes)
    if together:  # all take part before one writes
        written = written._replace(arrays={name: _on_host(x) for name, x in written.arrays.items()})
    error = None
    if jax.process_index() == 0:
        try:
            disk.replace(path, "save", lambda number: _write(number, written, more, progress))
        except Exception as e:
            error = e
    if together:
        from jax.experimental import multihost_utils

        others = multihost_utils.process_allgather(np.int32(error is not None))
        if error is None and np.any(others):
            raise CheckpointError(
                f"save: the first process could not write {str(path)!r}; its error says why"
            )
    if error is not None:
        raise error


def _check_readable(name: str, x: Any, gather_processes: bool) -> None:
    if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated or gather_processes):
        raise CheckpointError(
            f"save: {name!r} is spread over {jax.process_count()} processes; expected arrays that one "
            "process can read. Use gradchain.Checkpointer, or pass gather_processes=True in all of them"
        )


def _on_host(x: Any) -> np.ndarray:
    if isinstance(x, jax.Array) and not (x.is_fully_addressable or x.is_fully_replicated):
        from jax.experimental import multihost_utils

        x = multihost_utils.process_allgather(x, tiled=True)
    return np.asarray(x)


def _write(number: int, written: Written, more: Mapping[str, Any], progress: Progress) -> None:
    """The arrays, one after the other, behind a header that gets its checksums when all are known."""
    places = tensors.laid_out({name: _kept(x.dtype, x.shape) for name, x in written.arrays.items()})
    sums = dict.fromkeys(places, BLANK)

    def header() -> bytes:
        said = {ABOUT: written.about(sums, **more).write(), HEADER: BLANK}
        return tensors.header(places, said)

    room = len(header())
    if room > tensors.LONGEST:
        raise CheckpointError(
            f"save: the description takes {room} bytes; expected {tensors.LONGEST} at most. "
            "Store fewer metadata"
        )
    os.lseek(number, room, os.SEEK_SET)
    for name, place in places.items():
        data = np.ascontiguousarray(_on_host(written.arrays[name])).reshape(-1).view(np.uint8).data
        sums[name] = digest(data)
        disk.write(number, data)
        if progress is not None:
            progress(place.end, max(p.end for p in places.values()))
    os.lseek(number, 0, os.SEEK_SET)
    disk.write(number, _summed(header()))


def _kept(dtype: Any, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """How an array is written: as it is or, if safetensors has no such dtype, as bytes on a new axis."""
    dtype = jnp.dtype(dtype)
    return (dtype.name, shape) if dtype.name in tensors.CODES else ("uint8", (*shape, dtype.itemsize))


def _summed(header: bytes) -> bytes:
    """A header with its checksum, which is computed with zeros in its place."""
    at = header.rindex(f'"{BLANK}"'.encode()) + 1
    return header[:at] + digest(header).encode() + header[at + len(BLANK) :]


@opens
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
    about, arrays = _read(Path(path), progress)

    def read(wanted):
        return {name: arrays[name] for name in wanted}

    return restore(about, read, tx, params, Wishes(initialise, strict, "load"), saved_by, aux)


def _read(path: Path, progress: Progress) -> tuple[About, dict[str, Any]]:
    """The description of a file and all its arrays, checked."""
    where = f"load: {str(path)!r}"
    with disk.reading(path, where) as number:
        places, said = _read_header(number, where)
        about = About.read(said, where)
        if odd := sorted(set(places) ^ set(about.arrays)):
            raise DamagedError(f"{where}: the array {odd[0]!r} is not both described and there")
        arrays, total = {}, os.fstat(number).st_size
        for name, place in sorted(places.items(), key=lambda item: item[1].start):
            arrays[name] = _read_array(number, name, place, about.arrays[name], where)
            if progress is not None:
                progress(place.end, total)
    return about, arrays


def _read_header(number: int, where: str) -> tuple[dict[str, Tensor], str]:
    """Where the arrays are, and the description."""
    start, size = bytes(disk.read(number, 8)), os.fstat(number).st_size
    length = int.from_bytes(start, "little")
    broken = f"{where} is no whole safetensors file"
    if len(start) < 8 or length > size - 8:
        raise DamagedError(f"{broken}: it has {size} bytes; it was cut off or altered")
    text = bytes(disk.read(number, length))
    try:
        places, said = tensors.read_header(text, size - 8 - length)
    except ValueError as error:
        raise DamagedError(f"{broken}: {error}; it was cut off or altered") from None
    if ABOUT not in said or HEADER not in said:
        raise CheckpointError(f"{where} is no checkpoint; expected a file that gradchain.save wrote")
    header, found = start + text, said[HEADER]
    at = header.rfind(f'"{found}"'.encode()) + 1
    if at == 0 or digest(header[:at] + BLANK.encode() + header[at + len(BLANK) :]) != found:
        raise DamagedError(f"{where}: its header does not have its checksum; it was altered")
    return places, said[ABOUT]


def _read_array(number: int, name: str, place: Tensor, entry: abouts.Array, where: str) -> Any:
    data = disk.read(number, place.end - place.start)
    if digest(data) != entry.sum:
        raise DamagedError(
            f"{where}: {name!r} ({entry.dtype}{list(entry.shape)}) does not have its checksum; the "
            "file was altered after it was written. Nothing was loaded: use another checkpoint"
        )
    found = None
    with contextlib.suppress(ValueError, TypeError):  # sizes that do not agree
        if entry.key:
            numbers = np.frombuffer(data, place.dtype).reshape(place.shape)
            found = jax.random.wrap_key_data(jnp.asarray(numbers), impl=entry.key)
            written = place[:2]
        else:
            found = np.frombuffer(data, jnp.dtype(entry.dtype)).reshape(entry.shape)
            written = _kept(found.dtype, found.shape)
        if found.shape != entry.shape or written != place[:2]:
            found = None
    if found is None:
        raise DamagedError(
            f"{where}: {name!r} is described as {entry.dtype}{list(entry.shape)}, and is {place.dtype}"
            f"{list(place.shape)}; the file was not written by gradchain.save, or altered"
        )
    return found
