"""Reading what Checkpointer wrote: damage is told from a mistake of the caller and from a passing error."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from gradchain.checkpoint.about import About
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.folders import os_code, system_errors
from gradchain.checkpoint.sums import checksums

ARRAYS, ABOUT = "arrays", "gradchain"  # the items of a checkpoint
WHOLE, DAMAGED, FAILED = range(3)
MISSING = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR}  # of a file within a complete checkpoint


class Reader:
    """One checkpoint in a folder of Orbax's."""

    def __init__(self, ocp: Any, folder: Path, step: int):
        self.ocp, self.folder = ocp, folder / str(step)
        self.where = f"Checkpointer: step {step} in {str(folder)!r}"

    def about(self) -> About:
        """The description."""
        file = self.folder / ABOUT
        if not file.is_dir() and (self.folder / "_CHECKPOINT_METADATA").exists():
            items = [p.name for p in self.folder.iterdir() if p.is_dir()]
            if items and ARRAYS not in items:
                raise CheckpointError(
                    f"{self.where} holds {', '.join(items)}; expected a checkpoint of Checkpointer.save. "
                    "Read it with what wrote it and use load_state"
                )
        # Nothing of the caller's is in this: what is no error of the system is one of the data.
        with Reading(f"{self.where}: its description cannot be read", lambda: False):
            text = self.ocp.JsonCheckpointHandler().restore(file)[ABOUT]
        return About.read(text, self.where)

    def arrays(self, about: About, wanted: Mapping[str, NamedSharding | None]) -> dict[str, Any]:
        """Arrays, each in its place, with the checksums that they were written with."""
        with Reading(f"{self.where}: its arrays cannot be read", lambda: self._whole(about, wanted)):
            found = self._read(about, wanted)
        sums = checksums(found)
        for name in wanted:
            x = about.arrays[name]
            if name not in found or sums[name] != x.sum:
                raise DamagedError(
                    f"{self.where}: {name!r} ({x.dtype}{list(x.shape)}) does not have its checksum; the "
                    "checkpoint was altered after it was written. Nothing was loaded: use another one"
                )
            if x.key:
                found[name] = jax.random.wrap_key_data(jnp.asarray(found[name]), impl=x.key)
        return found

    def _read(self, about: About, wanted: Mapping[str, NamedSharding | None]) -> dict[str, Any]:
        """Arrays in their places: the host, where none is given or JAX would round them (without x64)."""
        ocp, how = self.ocp, {}
        for name, home in wanted.items():
            x = about.arrays[name]
            narrowed = not x.key and jax.dtypes.canonicalize_dtype(x.dtype) != jnp.dtype(
                x.dtype
            )  # without x64
            if home is None or x.key or narrowed:
                how[name] = ocp.RestoreArgs(restore_type=np.ndarray)
            else:
                how[name] = ocp.ArrayRestoreArgs(sharding=home, global_shape=x.shape, strict=True)
        if not how:
            return {}
        item = dict.fromkeys(how, 0)
        args = ocp.args.PyTreeRestore(item=item, restore_args=how, partial_restore=True)
        handler = ocp.PyTreeCheckpointHandler()
        try:
            return handler.restore(self.folder / ARRAYS, args=args)
        finally:
            handler.close()

    def _whole(self, about: About, wanted: Mapping[str, Any]) -> bool:
        """Whether arrays can be read one by one, by themselves, with their checksums: that is no damage."""
        for name in wanted:
            try:
                found = self._read(about, {name: None})
            except Exception as error:
                return _passing(error)
            if checksums(found).get(name) != about.arrays[name].sum:
                return False
        return True


def _passing(error: BaseException) -> bool:
    """Whether the system did not let a file be read: another time it may."""
    code = os_code(error)
    return isinstance(error, MemoryError) or (code is not None and code not in MISSING)


class Reading:
    """What fails in here is damage only if the data themselves cannot be read; a DamagedError says so.

    `whole` finds that out. Any other error is raised as what it is. Where it fails for one process it fails
    for all, so that none of them waits for the others for ever.
    """

    def __init__(self, what: str, whole: Callable[[], bool]):
        self.what, self.whole = what, whole

    def __enter__(self) -> None:
        return None

    def __exit__(self, _, error, __) -> None:
        if error is not None and not isinstance(error, Exception):
            return
        if isinstance(error, CheckpointError | jax.errors.JaxRuntimeError):
            return
        kind = WHOLE if error is None else FAILED if _passing(error) or self.whole() else DAMAGED
        kinds = np.asarray([kind])
        if jax.process_count() > 1:
            from jax.experimental import multihost_utils

            kinds = np.asarray(multihost_utils.process_allgather(np.int32(kind))).reshape(-1)
        if np.any(kinds == DAMAGED):
            text = f" by {np.sum(kinds == DAMAGED)} of {len(kinds)} processes"
            if error is not None:
                lines = str(error).strip().splitlines() or [""]
                text = f": {type(error).__name__}: {lines[0][:200]}"
            raise DamagedError(f"{self.what}{text}; it was altered, or is not complete") from error
        if error is not None:
            with system_errors(self.what, "Nothing was loaded and nothing changed."):
                raise error
        if np.any(kinds == FAILED):
            raise CheckpointError(f"{self.what} by {np.sum(kinds == FAILED)} of {len(kinds)} processes")
