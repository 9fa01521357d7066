"""Checkpointer: a folder of checkpoints through Orbax, in the background, from one process or many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gradchain.checkpoint import about as abouts
from gradchain.checkpoint.about import About, gather
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.given import as_json, fitting, whole_step
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.restored import restore
from gradchain.checkpoint.sums import checksums
from gradchain.checkpoint.wishes import Wishes
from gradchain.core.transform import Transform

ARRAYS, ABOUT = "arrays", "gradchain"  # the items of a checkpoint
ASIDE = "damaged"  # put before the step of a checkpoint that cannot be read


def _orbax() -> Any:
    try:
        import orbax.checkpoint as ocp
    except ImportError:
        raise ImportError(
            "gradchain.Checkpointer needs the package orbax-checkpoint: pip install orbax-checkpoint"
        ) from None
    return ocp


class Checkpointer:
    """A folder of checkpoints, one for each step that is saved, through Orbax.

    Arrays are stored by the names of `state_dict`, so links may come and go between a save and a restore, on
    any mesh and any number of processes, each of which reads and writes its part. Writing goes on in the
    background (`background=False`: not) while training continues; the `keep` newest are kept (None: all).
    A checkpoint appears when it is complete. Each array has a checksum, which Orbax's format has not.
    A context manager: leaving it waits until everything is on the disk.
    """

    def __init__(self, folder: str | os.PathLike, *, keep: int | None = 3, background: bool = True):
        self.folder, self.keep, self.background = Path(folder).absolute(), keep, background
        self._ocp, self._manager = _orbax(), None
        self._damaged: list[int] = []
        if self.folder.exists() and not self.folder.is_dir():
            raise CheckpointError(f"Checkpointer: {str(folder)!r} is a file; expected a folder")

    def steps(self) -> list[int]:
        """The steps of the complete checkpoints, in order."""
        if not self.folder.is_dir():
            return []
        self.wait()
        return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdecimal() and p.is_dir())

    def save(
        self,
        step: Any,
        tx: Transform,
        state: Any,
        params: Any = None,
        metadata: Any = None,
        *,
        aux: Any = None,
    ) -> None:
        """Write a checkpoint of a state, and of parameters and `aux` if they are given, as `save` does.

        Returns when the arrays may be overwritten; `wait` returns when they are on the disk. `metadata` is
        any JSON value. With several processes all call this, with arrays on the mesh of all.
        """
        layout = fitting("Checkpointer.save", tx, state, params)
        step, metadata = (
            int(whole_step("Checkpointer.save", step) or 0),
            as_json("Checkpointer.save", metadata),
        )
        written = gather(state, params, aux)
        self._check_places(written.arrays)
        manager = self._writer()
        latest = max(manager.all_steps(), default=None)
        if latest is not None and step <= latest:
            raise CheckpointError(
                f"Checkpointer.save: step {step}; {str(self.folder)!r} holds step {latest}; expected a "
                "later one. Use another folder, or remove the later checkpoints"
            )
        about = written.about(
            checksums(written.arrays), **abouts.optimizer(tx, layout), step=step, metadata=metadata
        )
        args = self._ocp.args
        some = {name: x for name, x in written.arrays.items() if x.size}  # Orbax takes no empty arrays
        items = {ARRAYS: args.PyTreeSave(some), ABOUT: args.JsonSave({ABOUT: about.write()})}
        manager.save(step, args=args.Composite(**items), force=True)

    def _check_places(self, arrays: Mapping[str, Any]) -> None:
        if jax.process_count() == 1:
            return
        for name, x in arrays.items():
            if isinstance(x, jax.Array) and x.is_fully_addressable:
                raise CheckpointError(
                    f"Checkpointer.save: {name!r} is on the devices of one process; expected an array on the "
                    f"mesh of all {jax.process_count()}. Initialise the state on the mesh of the parameters"
                )

    def restore(
        self,
        tx: Transform,
        params: Any,
        step: Any = None,
        *,
        aux: Any = None,
        initialise: Any = (),
        strict: bool = False,
        saved_by: Transform | None = None,
    ) -> Restored:
        """Parameters and state of a step, by default of the newest checkpoint that is whole.

        (params, state, step, report, metadata, aux), as by `load`: `params` may be abstract, and only what is
        wanted is read, each part by the devices that keep it. A checkpoint that is not whole is passed over
        for the one before it, which the report says; with `step` it is a DamagedError.
        """
        wishes = Wishes(initialise, strict, "Checkpointer.restore")
        step = whole_step("Checkpointer.restore", step)
        steps, remarks = _agreed(self.steps()), self._unfinished()
        if step is not None and step not in steps:
            raise CheckpointError(
                f"Checkpointer.restore: no step {step} in {str(self.folder)!r}; it holds "
                f"{', '.join(map(str, steps)) or 'none'}. Leave out step for the newest"
            )
        tried = steps[::-1] if step is None else [step]
        self._damaged = []
        for here in tried:
            try:
                found = self._restore(here, tx, params, wishes, saved_by, aux)
            except DamagedError as error:
                if step is not None:
                    raise
                self._damaged.append(here)
                remarks.append(f"passed over step {here}: {error}")
                continue
            remarks += [f"restored step {here}"] if remarks else []
            return found._replace(report=found.report + LoadReport((), tuple(remarks)))
        listed = "".join(f"\n  {remark}" for remark in remarks)
        raise (DamagedError if tried else CheckpointError)(
            f"Checkpointer.restore: no whole checkpoint in {str(self.folder)!r}; expected one of "
            f"Checkpointer.save. To begin anew use tx.init(params){listed}"
        )

    def _unfinished(self) -> list[str]:
        found = (
            sorted(p.name for p in self.folder.glob("*orbax-checkpoint-tmp*")) if self.folder.is_dir() else []
        )
        return [f"passed over {name}: it was never finished" for name in found]

    def _restore(self, step: int, tx, params, wishes: Wishes, saved_by, aux) -> Restored:
        where = f"Checkpointer: step {step} in {str(self.folder)!r}"
        about = self._about(step, where)

        def read(wanted):
            return self._read(step, about, wanted, where)

        return restore(about, read, tx, params, wishes, saved_by, aux)

    def _about(self, step: int, where: str) -> About:
        file = self.folder / str(step) / ABOUT
        if not file.is_dir() and (self.folder / str(step) / "_CHECKPOINT_METADATA").exists():
            items = [p.name for p in (self.folder / str(step)).iterdir() if p.is_dir()]
            if items and ARRAYS not in items:
                raise CheckpointError(
                    f"{where} holds {', '.join(items)}; expected a checkpoint of Checkpointer.save. "
                    "Read it with what wrote it and use load_state"
                )
        with _Reading(f"{where}: its description cannot be read"):
            text = self._ocp.JsonCheckpointHandler().restore(file)[ABOUT]
        return About.read(text, where)

    def _read(self, step: int, about: About, wanted, where: str) -> dict[str, Any]:
        """Arrays of a checkpoint, each in its place, with the checksums that they were written with."""
        ocp, found, how = self._ocp, {}, {}
        for name, home in wanted.items():
            x = about.arrays[name]
            if 0 in x.shape:
                found[name] = x.nothing()
            elif home is None or x.key:
                how[name] = ocp.RestoreArgs(restore_type=np.ndarray)
            else:
                how[name] = ocp.ArrayRestoreArgs(sharding=home, global_shape=x.shape, strict=True)
        if how:
            item = dict.fromkeys(how, 0)
            args = ocp.args.PyTreeRestore(item=item, restore_args=how, partial_restore=True)
            with _Reading(f"{where}: its arrays cannot be read"):
                handler = ocp.PyTreeCheckpointHandler()
                found |= handler.restore(self.folder / str(step) / ARRAYS, args=args)
                handler.close()
        sums = checksums(found)
        for name in wanted:
            x = about.arrays[name]
            if name not in found or sums[name] != about.arrays[name].sum:
                raise DamagedError(
                    f"{where}: {name!r} ({x.dtype}{list(x.shape)}) does not have its checksum; the "
                    "checkpoint was altered after it was written. Nothing was loaded: use another one"
                )
            if x.key:
                found[name] = jax.random.wrap_key_data(jax.numpy.asarray(found[name]), impl=x.key)
        return found

    def _writer(self) -> Any:
        """Orbax's manager, made when something is written: it removes what killed runs left behind."""
        if self._manager is None:
            ocp = self._ocp
            self.folder.mkdir(parents=True, exist_ok=True)
            self._set_aside()
            options = ocp.CheckpointManagerOptions(
                max_to_keep=self.keep,
                enable_async_checkpointing=self.background,
                cleanup_tmp_directories=True,
            )
            handlers = {ARRAYS: ocp.PyTreeCheckpointHandler(), ABOUT: ocp.JsonCheckpointHandler()}
            self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)
        elif self._damaged:
            self._manager.wait_until_finished()
            self._set_aside()
            self._manager.reload()
        return self._manager

    def _set_aside(self) -> None:
        """Rename the checkpoints that could not be read, so that their steps can be saved again."""
        for step in self._damaged if jax.process_index() == 0 else ():
            here = self.folder / str(step)
            if here.exists():
                here.rename(self.folder / f"{ASIDE}-{step}-{os.urandom(3).hex()}")
        if self._damaged and jax.process_count() > 1:
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices("gradchain.Checkpointer: damaged checkpoints set aside")
        self._damaged = []

    def wait(self) -> None:
        """Return when everything is on the disk; raise what went wrong in the background."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and release Orbax's threads."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class _Reading:
    """What fails while a checkpoint is read means that it is damaged, but for a lack of memory.

    Where it fails for one process it fails for all, so that none of them waits for the others for ever.
    """

    def __init__(self, what: str):
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _, error, __) -> None:
        passed = (CheckpointError, MemoryError, jax.errors.JaxRuntimeError)
        damaged = isinstance(error, Exception) and not isinstance(error, passed)
        elsewhere = 0
        if jax.process_count() > 1 and (damaged or error is None):
            from jax.experimental import multihost_utils

            elsewhere = int(np.sum(multihost_utils.process_allgather(np.int32(damaged))))
        if damaged:
            lines = str(error).strip().splitlines() or [""]
            raise DamagedError(
                f"{self.what}: {type(error).__name__}: {lines[0][:200]}; it was altered, or is not complete"
            ) from error
        if elsewhere:
            raise DamagedError(f"{self.what} by {elsewhere} of {jax.process_count()} processes")


def _agreed(steps: list[int]) -> list[int]:
    """The steps that the first process sees: folders may look different from elsewhere for a while."""
    if jax.process_count() == 1:
        return steps
    from jax.experimental import multihost_utils

    n = int(multihost_utils.broadcast_one_to_all(np.int32(len(steps))))
    seen = np.asarray((steps + [0] * n)[:n], np.int32)
    return [int(step) for step in multihost_utils.broadcast_one_to_all(seen)] if n else []
