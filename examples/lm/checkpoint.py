"""A run's folder: its config, its metrics and its Orbax checkpoints."""

import csv
import json
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
from flax import nnx

from lm import UserError
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


class RunFolder:
    """What a run leaves behind. Nothing of an earlier run is touched before `start`."""

    writes = True  # metrics and config; of several processes one does

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.manager: ocp.CheckpointManager | None = None

    @classmethod
    def fresh(cls, parent: Path = Path("runs")) -> "RunFolder":
        """The first of runs/lm-1, runs/lm-2, ... that does not exist."""
        return cls(next(p for n in range(1, 1 << 20) if not (p := parent / f"lm-{n}").exists()))

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
        folder = self.path / CHECKPOINTS
        return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal()) if folder.is_dir() else []

    def start(self, config: dict[str, Any], overwrite: bool) -> None:
        """Begin a fresh run here; a checkpoint in the way is an error unless `overwrite`."""
        self.check_free(overwrite)
        try:
            shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)
            for name in (METRICS, TABLE, CURVES):
                (self.path / name).unlink(missing_ok=True)
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        except OSError as error:
            raise UserError(f"--out {self.path}: cannot write there: {error.strerror}") from None

    def check_free(self, overwrite: bool) -> None:
        """Raise where a checkpoint is in the way."""
        if (found := self.steps()) and not overwrite:
            raise UserError(
                f"{self.path} holds a checkpoint of step {found[-1]}: "
                "continue it with --resume, replace it with --overwrite, or choose another --out"
            )

    def read_config(self) -> dict[str, Any]:
        """The config of the run that is to be resumed."""
        if not self.steps():
            raise UserError(f"--resume: there is no checkpoint in {self.path}")
        try:
            found = json.loads((self.path / CONFIG).read_text())
            return {section: dict(found[section]) for section in SECTIONS}
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"--resume: cannot read {self.path / CONFIG}: {first_line(error)}") from None

    def save(self, step: int, model: nnx.Module, optimizer: nnx.Optimizer) -> None:
        """Write a checkpoint; the two newest are kept."""
        arrays = {name: variable.get_value() for name, variable in variables(model, optimizer).items()}
        self._manager().save(step, args=ocp.args.StandardSave(arrays))

    def restore(self, model: nnx.Module, optimizer: nnx.Optimizer) -> int:
        """Fill the model and the optimizer with the newest checkpoint; the step it was taken after."""
        step, kept = self.steps()[-1], variables(model, optimizer)
        wanted = {name: ocp.utils.to_shape_dtype_struct(v.get_value()) for name, v in kept.items()}
        try:
            check_shapes(self._manager().item_metadata(step).tree, wanted)  # Orbax's own check is many lines
            found = self._manager().restore(step, args=ocp.args.StandardRestore(wanted))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise UserError(f"--resume: cannot go on from {self.checkpoint}: {first_line(error)}") from None
        for name, variable in kept.items():
            variable.set_value(found[name])
        self.read_rows(step)
        return step

    def close(self) -> None:
        """Wait until everything is written."""
        if self.manager is not None:
            self.manager.close()
        self.write_table()

    def record(self, row: dict[str, Any]) -> None:
        """Keep the metrics of one step."""
        self.rows.append(row)
        if self.writes:
            with self.metrics.open("a") as file:
                file.write(as_line(row))

    def read_rows(self, step: int) -> None:
        """The metrics up to the checkpoint; what came after it will be trained again."""
        file = self.metrics
        lines = file.read_text().splitlines() if file.exists() else []
        self.rows = [row for line in lines if (row := from_line(line)).get("step", step + 1) <= step]
        if self.writes:
            file.write_text("".join(map(as_line, self.rows)))

    def write_table(self) -> None:
        """The metrics once more, as CSV."""
        if self.rows and self.writes:
            columns = dict.fromkeys(name for row in self.rows for name in row)
            with (self.path / TABLE).open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(self.rows)

    def _manager(self) -> ocp.CheckpointManager:
        if self.manager is None:
            # Not in the background: the next step is computed in the memory that is being written out.
            options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
            self.manager = ocp.CheckpointManager(
                (self.path / CHECKPOINTS).absolute(),
                options=options,
                item_handlers=ocp.StandardCheckpointHandler(),
            )
        return self.manager


def as_line(row: dict[str, Any]) -> str:
    """Metrics as a line of JSON, which knows no NaN and no infinity: null."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in row.items()}) + "\n"


def from_line(line: str) -> dict[str, Any]:
    """The metrics of a line; none of a line that was cut off."""
    try:
        return {name: math.nan if value is None else value for name, value in json.loads(line).items()}
    except ValueError:
        return {}


def variables(model: nnx.Module, optimizer: nnx.Optimizer) -> dict[str, nnx.Variable]:
    """All that training changes, by name: model/blocks/0/up/kernel, optimizer/opt_state/..."""
    parts = {"model": nnx.state(model), "optimizer": nnx.state(optimizer)}
    return {
        "/".join(map(str, (part, *path))): variable
        for part, state in parts.items()
        for path, variable in nnx.to_flat_state(state)
    }


def check_shapes(found: Any, wanted: dict[str, Any]) -> None:
    """Raise where the arrays of a checkpoint are not those that are wanted, naming the first."""
    for name in sorted({*found, *wanted}):
        there, here = (
            f"{x[name].dtype}{list(x[name].shape)}" if name in x else "absent" for x in (found, wanted)
        )
        if there != here:
            raise ValueError(f"{name} is {there} there and {here} here")


def check_same(stored: dict, current: dict, folder: Path, given: str) -> None:
    """Raise where a run would not go on as it began, naming the first difference; `given` are its flags."""
    for section in SECTIONS[1:]:
        for path, was, now in differences(stored[section], current[section], section):
            raise UserError(
                f"--resume: the checkpoint in {folder} has another {section}: {path} is {brief(was)} there "
                f"and {brief(now)} here; "
                + (f"leave out {given}, or " if given else "")
                + "start anew in another --out"
            )


def differences(a: Any, b: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict) and (a.keys() == b.keys() or len(a) > 1):
        for key in dict.fromkeys([*a, *b]):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from differences(x, y, f"{path}[{i}]")
    elif a != b:
        yield path, a, b


def brief(value: Any) -> str:
    """A JSON value on part of a line; of a config of something, its name."""
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value))
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
