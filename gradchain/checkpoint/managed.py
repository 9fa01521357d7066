"""Checkpointer: a folder of checkpoints through Orbax, in the background, from one process or many."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from gradchain.checkpoint import about as abouts
from gradchain.checkpoint import folders
from gradchain.checkpoint.about import gather
from gradchain.checkpoint.errors import CheckpointError, DamagedError, whole_number
from gradchain.checkpoint.given import as_json, fitting, whole_step
from gradchain.checkpoint.locks import Lock
from gradchain.checkpoint.reading import ABOUT, ARRAYS, Reader
from gradchain.checkpoint.report import LoadReport, Restored
from gradchain.checkpoint.restored import restore
from gradchain.checkpoint.sums import checksums
from gradchain.checkpoint.wishes import Wishes
from gradchain.core.inside import opens
from gradchain.core.transform import Transform

INTACT = "The checkpoints before it are as they were."


def _orbax() -> Any:
    try:
        import orbax.checkpoint as ocp
    except ModuleNotFoundError as error:
        if error.name not in ("orbax", "orbax.checkpoint"):
            raise _broken(error) from error
        raise ImportError(
            "gradchain.Checkpointer needs the package orbax-checkpoint: pip install orbax-checkpoint"
        ) from None
    except Exception as error:
        raise _broken(error) from error
    return ocp


def _broken(error: Exception) -> ImportError:
    return ImportError(
        "gradchain.Checkpointer: orbax-checkpoint is installed, but importing it fails with "
        f"{type(error).__name__}: {error}. Install it, and what it needs, anew in versions that fit together"
    )


@dataclasses.dataclass
class _Save:
    """The last save, as the threads that write it need to know it."""

    folder: str
    step: int = -1
    names: set[str] = dataclasses.field(default_factory=set)  # of its arrays


def _checked(ocp: Any, save: _Save) -> Any:
    """Orbax's handler of arrays, which asks before the checkpoint gets its name whether all are there.

    Orbax takes a folder that it cannot list for an empty one: it leaves the arrays out and goes on.
    """
    handler = ocp.PyTreeCheckpointHandler()
    finalize = handler.finalize

    def finalize_and_check(directory: Any) -> None:
        finalize(directory)
        if jax.process_index() > 0:
            return
        missing = save.names
        with contextlib.suppress(ValueError):
            missing = save.names - set(ocp.PyTreeCheckpointHandler().metadata(directory).tree)
        if missing:
            raise CheckpointError(
                f"Checkpointer.save: step {save.step} is not whole in {save.folder!r}: Orbax did not write "
                f"{min(missing)!r}. {INTACT} Save again, at this step or a later one"
            )

    handler.finalize = finalize_and_check
    return handler


def _finish(manager: Any, lock: Lock) -> None:
    """What a Checkpointer does that is forgotten without being closed."""
    with contextlib.suppress(Exception):
        manager.close()
    lock.release()


class Checkpointer:
    """A folder of checkpoints, one for each step that is saved, through Orbax.

    Arrays are stored by the names of `state_dict`, so links may come and go between a save and a restore, on
    any mesh and any number of processes, each of which reads and writes its part. Writing goes on in the
    background (`background=False`: not) while training continues; the `keep` newest are kept (None: all).
    A checkpoint appears when it is complete. Each array has a checksum, which Orbax's format has not.
    A context manager: leaving it waits until everything is on the disk.
    """

    def __init__(self, folder: str | os.PathLike, *, keep: int | None = 3, background: bool = True):
        self.folder, self.background = Path(folder).absolute(), background
        self.keep = None if keep is None else whole_number("Checkpointer: keep", keep, 1)
        self._ocp, self._manager, self._lock = _orbax(), None, None
        self._latest = _Save(str(self.folder))
        self._damaged: list[int] = []
        with folders.system_errors(f"Checkpointer: {str(folder)!r} cannot be read", "Nothing changed."):
            if self.folder.exists() and not self.folder.is_dir():
                raise CheckpointError(f"Checkpointer: {str(folder)!r} is a file; expected a folder")

    def steps(self) -> list[int]:
        """The steps of the complete checkpoints, in order."""
        self.wait()
        with folders.system_errors(f"Checkpointer: {str(self.folder)!r} cannot be read", "Nothing changed."):
            return folders.steps(self.folder)

    @opens
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
        any JSON value. With several processes all call this, with arrays on the mesh of all. A folder has
        one writer, from its first save to `close`: for another Checkpointer saving is an error meanwhile.
        """
        layout = fitting("Checkpointer.save", tx, state, params)
        step = whole_number("Checkpointer.save: step", step, 0)
        metadata = as_json("Checkpointer.save", metadata)
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
        self.wait()
        self._latest.step, self._latest.names = step, set(some)
        with self._saving():
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

    @opens
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
        tried, remarks = [], []
        for _ in range(3):  # a process that writes may remove what this one finds
            steps, remarks = folders.agreed(self.steps()), self._unfinished()
            if step is not None and step not in steps:
                raise CheckpointError(
                    f"Checkpointer.restore: no step {step} in {str(self.folder)!r}; it holds "
                    f"{', '.join(map(str, steps)) or 'none'}. Leave out step for the newest"
                )
            tried, gone, self._damaged = steps[::-1] if step is None else [step], False, []
            for here in tried:
                try:
                    found = self._restore(here, tx, params, wishes, saved_by, aux)
                except DamagedError as error:
                    gone = jax.process_count() == 1 and not (self.folder / str(here)).exists()
                    if gone:
                        break
                    if step is not None:
                        raise
                    self._damaged.append(here)
                    remarks.append(f"passed over step {here}: {error}")
                    continue
                remarks += [f"restored step {here}"] if remarks else []
                return found._replace(report=found.report + LoadReport((), tuple(remarks)))
            if not gone:
                break
        listed = "".join(f"\n  {remark}" for remark in remarks)
        raise (DamagedError if tried else CheckpointError)(
            f"Checkpointer.restore: no whole checkpoint in {str(self.folder)!r}; expected one of "
            f"Checkpointer.save. To begin anew use tx.init(params){listed}"
        )

    def _unfinished(self) -> list[str]:
        return [f"passed over {name}: it was never finished" for name in folders.unfinished(self.folder)]

    def _restore(self, step: int, tx, params, wishes: Wishes, saved_by, aux) -> Restored:
        reader = Reader(self._ocp, self.folder, step)
        about = reader.about()
        return restore(about, lambda wanted: reader.arrays(about, wanted), tx, params, wishes, saved_by, aux)

    def _writer(self) -> Any:
        """Orbax's manager, made when something is written."""
        if self._manager is None:
            ocp = self._ocp
            lock = folders.claim(self.folder, "Checkpointer.save")
            self._lock = lock
            with folders.system_errors(
                f"Checkpointer.save: {str(self.folder)!r} failed", INTACT, self._forget
            ):
                self._set_aside()
                options = ocp.CheckpointManagerOptions(
                    max_to_keep=self.keep, enable_async_checkpointing=self.background
                )
                handlers = {ARRAYS: _checked(ocp, self._latest), ABOUT: ocp.JsonCheckpointHandler()}
                self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)
            weakref.finalize(self, _finish, self._manager, lock).atexit = False
        elif self._damaged:
            self._manager.wait_until_finished()
            self._set_aside()
            self._manager.reload()
        return self._manager

    def _set_aside(self) -> None:
        folders.set_aside(self.folder, self._damaged)
        self._damaged = []

    def _saving(self) -> contextlib.AbstractContextManager[None]:
        """Errors of the system in words. What Orbax remembers of a save that failed is forgotten with it."""

        def what() -> str:
            there = (self.folder / str(self._latest.step)).is_dir()
            how = "was written, but older ones could not be removed" if there else "could not be written"
            return f"Checkpointer.save: step {self._latest.step} {how} in {str(self.folder)!r}"

        return folders.system_errors(what, INTACT, self._forget)

    def _forget(self) -> None:
        manager, self._manager = self._manager, None
        if manager is not None:
            with contextlib.suppress(Exception):  # it raises the same error once more
                manager.close()
        if self._lock is not None:
            if jax.process_count() == 1:  # what was written of a save that failed
                folders.sweep(self.folder, self._lock.sure)
            self._lock.release()
            self._lock = None

    def wait(self) -> None:
        """Return when everything is on the disk; raise what went wrong in the background."""
        if self._manager is not None:
            with self._saving():
                self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and let go of the folder and of Orbax's threads."""
        self.wait()
        self._forget()

    def __enter__(self) -> Checkpointer:
        return self

    def __exit__(self, *_) -> None:
        self.close()
