"""A run's folder: its config, its metrics and its checkpoints, each with a checksum."""

import functools
import hashlib
import json
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import gradchain as gc
from lm import UserError
from lm.files import naming, read_json, take, write_new
from lm.optimizers import first_line

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax tells of every save

CONFIG, METRICS, TABLE, CURVES, CHECKPOINTS = (
    "config.json",
    "metrics.jsonl",
    "metrics.csv",
    "curves.png",
    "checkpoints",
)
SECTIONS = ("flags", "model", "optimizer", "text", "order")  # of the config; all but the flags must agree
DAMAGE = (ValueError, OSError, RuntimeError)  # what saving and restoring may raise


class RunFolder:
    """What a run leaves behind. Nothing in a folder is touched before `start`, and only what a run made.

    Without a path `start` takes the first of runs/lm-1, lm-2, ... that is not there. Entered, it is closed.
    """

    program = "train_lm"
    writes = True  # metrics and config; of several processes one does
    background = False  # whether saving goes on while training does

    def __init__(self, path: Path | None = None, parent: Path = Path("runs")):
        self.given, self.parent = path is not None, parent
        self.path = path or parent / "lm-new"
        self.rows: list[dict[str, Any]] = []

    @functools.cached_property
    def checkpoints(self) -> gc.Checkpointer:
        """The checkpoints, of which the two newest are kept."""
        return gc.Checkpointer(self.path / CHECKPOINTS, keep=2, background=self.background)

    @functools.cached_property
    def writer(self) -> gc.writers.Writer:
        """What takes the metrics of a step."""
        return gc.writers.jsonl(self.metrics)

    @property
    def curves(self) -> Path:
        """Where the plot goes."""
        return self.path / CURVES

    @property
    def metrics(self) -> Path:
        """The metrics of every step, a line of JSON each; beside it the same as CSV."""
        return self.path / METRICS

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.path / CHECKPOINTS / str(self.steps()[-1])

    def steps(self) -> list[int]:
        """The steps of the checkpoints in the folder."""
        return [int(p.name) for p in numbered(self.path / CHECKPOINTS)]

    def standing(self) -> str:
        """What is saved by now, in words."""
        kept = self.steps()
        return f"{self.path} keeps the checkpoint of step {kept[-1]:,}" if kept else "nothing was saved yet"

    def start(self, config: dict[str, Any], overwrite: bool) -> None:
        """Begin a fresh run here; an earlier one is in the way unless `overwrite`, anything else always."""
        self.check_free(overwrite)
        if self.given:
            with naming(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
            if overwrite:
                self.clear()
        else:
            self.path = take(self.parent, "lm")
        config = {"program": self.program, **config}
        with naming(self.path / CONFIG):
            try:
                write_new(self.path / CONFIG, json.dumps({**config, "sum": digest(config)}, indent=2) + "\n")
            except FileExistsError:
                raise UserError(
                    f"{self.path}: another run began there just now; choose another --out"
                ) from None

    def check_free(self, overwrite: bool) -> None:
        """Raise where an earlier run is in the way, or anything that is none."""
        if not self.given:
            return
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--out {self.path}: cannot write there: it is a file")
        with naming(self.path, "read"):
            inside = sorted(p.name for p in self.path.iterdir()) if self.path.is_dir() else []
        if not inside:
            return
        if not self.is_run():
            held = ", ".join(inside[:3]) + (", ..." if len(inside) > 3 else "")
            raise UserError(
                f"--out {self.path}: holds {held} and is not the folder of a run; nothing in it was touched: "
                "choose another --out, or an empty folder"
            )
        if not overwrite:
            found = self.steps()
            raise UserError(
                f"{self.path} holds a "
                + (f"checkpoint of step {found[-1]}: continue it with --resume, " if found else "run: ")
                + "replace it with --overwrite, or choose another --out"
            )

    def is_run(self) -> bool:
        """Whether the folder holds the config of a run of one of these programs."""
        try:
            found = read_json((self.path / CONFIG).read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and found.keys() >= set(SECTIONS)

    def clear(self) -> None:
        """Remove what an earlier run has made, the config, by which it is known, last."""
        for path in numbered(self.path / CHECKPOINTS):
            with naming(path, "remove"):
                shutil.rmtree(path)
        for name in (METRICS, TABLE, CURVES, CONFIG):
            with naming(self.path / name, "remove"):
                (self.path / name).unlink(missing_ok=True)

    def read_config(self) -> dict[str, Any]:
        """The config of the run that is to be resumed."""
        if not self.steps():
            raise UserError(f"--resume: there is no checkpoint in {self.path}")
        try:
            found = read_json((self.path / CONFIG).read_text("utf-8"))
            kept = {section: dict(found[section]) for section in SECTIONS}
            if found.pop("sum") != digest(found):
                raise ValueError("it was altered after it was written: it does not have its checksum")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"--resume: cannot read {self.path / CONFIG}: {first_line(error)}") from None
        if found.get("program") != self.program:
            raise UserError(f"--resume: {self.path} is a run of {found.get('program')}, not {self.program}")
        return kept

    def save(self, step: int, tx: gc.Transform, state: Any, params: Any) -> None:
        """Write a checkpoint, which says which metrics were written until then."""
        try:
            metadata = {"metrics": self.sync()} if self.writes else {}
            self.checkpoints.save(step, tx, state, params, metadata)
        except DAMAGE as error:
            at = self.path / CHECKPOINTS / str(step)
            raise UserError(f"cannot save {at}: {first_line(error)}; {self.standing()}") from None

    def restore(self, tx: gc.Transform, params: Any) -> Any:
        """The newest checkpoint that is whole: params, state, step; what was passed over is said."""
        try:
            found = self.checkpoints.restore(tx, params, strict=True)
            self.read_rows(found.step, (found.metadata or {}).get("metrics"))
        except DAMAGE as error:
            lines = [line.strip() for line in str(error).strip().splitlines()]
            where = f"--resume: cannot go on from {self.checkpoint}"
            raise UserError(f"{where}: {' '.join(lines) or type(error).__name__}") from None
        if self.writes:
            for remark in found.report.remarks:
                print(f"{self.program}: {remark}", file=sys.stderr)
        return found

    def close(self) -> None:
        """Wait until everything is written."""
        try:
            self.checkpoints.close()
        except DAMAGE as error:
            at = self.path / CHECKPOINTS
            raise UserError(f"cannot save in {at}: {first_line(error)}; {self.standing()}") from None
        finally:
            if "writer" in vars(self):
                with naming(self.metrics):
                    self.writer.close()
        self.write_table()

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self.close()
        except UserError:
            if error is None:  # else that is what went wrong first
                raise

    def record(self, row: dict[str, Any]) -> None:
        """Keep the metrics of one step."""
        self.rows.append(row)
        if self.writes:
            with naming(self.metrics):
                self.writer.write(row["step"], without_step(row))

    def sync(self) -> dict[str, Any]:
        """The metrics are on the disk before the checkpoint that counts on them; their size and checksum."""
        if not self.rows:
            return {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
        with naming(self.metrics):
            self.writer.flush()
            data = self.metrics.read_bytes()
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def read_rows(self, step: int, kept: Any) -> None:
        """The metrics up to the checkpoint; what came after it will be trained again.

        They may be gone; but what is there must be what the checkpoint says.
        """
        if not self.metrics.exists():
            return
        if not isinstance(kept, dict):
            raise UserError(f"--resume: step {step} in {self.path} was written by another program")
        with naming(self.metrics, "read"):
            data = self.metrics.read_bytes()[: kept["bytes"]]
        if hashlib.sha256(data).hexdigest() != kept["sha256"]:
            raise UserError(
                f"--resume: {self.metrics} was altered: its first {kept['bytes']:,} bytes do not have their "
                "checksum; put it back, or move it away to go on without the metrics of the steps so far"
            )
        self.rows = [json.loads(line) for line in data.decode().splitlines()]
        if self.writes:
            with naming(self.metrics):
                os.truncate(self.metrics, len(data))

    def write_table(self) -> None:
        """The metrics once more, as CSV."""
        if not (self.rows and self.writes):
            return
        path = self.path / TABLE
        with naming(path):
            path.unlink(missing_ok=True)
            with gc.writers.csv(path) as table:
                for row in self.rows:
                    table.write(row["step"], without_step(row))


def without_step(row: dict[str, Any]) -> dict[str, Any]:
    """What a writer takes beside the step."""
    return {name: value for name, value in row.items() if name != "step"}


def numbered(folder: Path) -> list[Path]:
    """The checkpoints in a folder, in order."""
    with naming(folder, "read"):
        found = [p for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
    return sorted((p for p in found if p.is_dir() and not p.is_symlink()), key=lambda p: int(p.name))


def digest(config: dict[str, Any]) -> str:
    """The checksum of a config."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:32]
