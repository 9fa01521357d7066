"""tensorboard, wandb, mlflow, clu: the writers of other libraries behind one protocol."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from gradchain.core import words
from gradchain.core.optional import need
from gradchain.writers.base import Closing
from gradchain.writers.images import pixels


class tensorboard(Closing):
    """Event files for TensorBoard in a folder, by tensorboardX: `tensorboard --logdir FOLDER` shows them."""

    def __init__(self, folder: str | os.PathLike, **options: Any):
        self.writer = need("tensorboardX", "tensorboard", "gc.writers.tensorboard").SummaryWriter(
            os.fspath(folder), **options
        )

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """One scalar for each name."""
        step, found = self._checked(step, scalars)
        for name, value in found.items():
            self.writer.add_scalar(name, value, step)

    def text(self, step: int, name: str, text: str) -> None:
        """A text, read as Markdown."""
        self.writer.add_text(name, text, step)

    def figure(self, step: int, name: str, figure: Any) -> None:
        """A matplotlib figure as an image."""
        self.writer.add_image(name, pixels(figure), step, dataformats="HWC")

    def flush(self) -> None:
        """Write what is kept back to the files."""
        self.writer.flush()

    def _end(self) -> None:
        self.writer.close()


class wandb(Closing):
    """A run of Weights & Biases: wandb(project=..., mode="offline") makes one by wandb.init.

    `run` is one that you made; it is left open by close(). Weights & Biases takes steps that never decrease.
    """

    def __init__(self, run: Any = None, **options: Any):
        if run is not None and options:
            raise TypeError(
                f"writers.wandb: give a run or arguments of wandb.init, not both: {sorted(options)}"
            )
        self._module, self._own = need("wandb", "wandb", "gc.writers.wandb"), run is None
        self.run = self._module.init(**options) if run is None else run

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """The numbers of one step."""
        step, found = self._checked(step, scalars)
        self.run.log(found, step=step)

    def text(self, step: int, name: str, text: str) -> None:
        """A text as HTML, in its own line ends."""
        import html

        self.run.log({name: self._module.Html(f"<pre>{html.escape(text)}</pre>")}, step=step)

    def figure(self, step: int, name: str, figure: Any) -> None:
        """A matplotlib figure as an image."""
        self.run.log({name: self._module.Image(pixels(figure))}, step=step)

    def _end(self) -> None:
        if self._own:
            self.run.finish(exit_code=int(self.failed))


class mlflow(Closing):
    """A run of MLflow: mlflow(tracking_uri="file:runs", experiment="digits") makes one.

    tracking_uri is where runs are kept, a folder, a database or a server: MLflow's own default, or what
    MLFLOW_TRACKING_URI says. `run_id` goes on with a run that is there.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        experiment: str = "gradchain",
        *,
        run_name: str | None = None,
        run_id: str | None = None,
    ):
        module = need("mlflow", "mlflow", "gc.writers.mlflow", "mlflow-skinny")
        self._metric = need("mlflow.entities", "mlflow", "gc.writers.mlflow", "mlflow-skinny").Metric
        self.client = module.MlflowClient(tracking_uri=tracking_uri)
        if run_id is None:
            found = self.client.get_experiment_by_name(experiment)
            where = found.experiment_id if found else self.client.create_experiment(experiment)
            run_id = self.client.create_run(where, run_name=run_name).info.run_id
        self.run_id: Any = run_id

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """The numbers of one step, a thousand in a request."""
        step, found = self._checked(step, scalars)
        now = int(time.time() * 1000)
        metrics = [self._metric(name, value, now, step) for name, value in found.items()]
        for i in range(0, len(metrics), 1000):
            self.client.log_batch(self.run_id, metrics=metrics[i : i + 1000])

    def text(self, step: int, name: str, text: str) -> None:
        """A text as a file of the run, NAME_STEP.txt."""
        self.client.log_text(self.run_id, text, f"{name}_{step}.txt")

    def _end(self) -> None:
        self.client.set_terminated(self.run_id, "FAILED" if self.failed else "FINISHED")


class clu(Closing):
    """Any metric writer of clu, or another object with write_scalars(step, scalars) and flush().

    clu's module of writers imports TensorFlow; here the writer that you made is used and nothing imported.
    """

    def __init__(self, writer: Any):
        if not hasattr(writer, "write_scalars"):
            raise TypeError(
                f"writers.clu: {words.show(writer)} has no write_scalars(step, scalars); expected a metric "
                "writer of clu, such as metric_writers.create_default_writer(folder)"
            )
        self.writer = writer

    def write(self, step: int, scalars: Mapping[str, Any]) -> None:
        """The numbers of one step."""
        step, found = self._checked(step, scalars)
        self.writer.write_scalars(step, found)

    def text(self, step: int, name: str, text: str) -> None:
        """A text."""
        self.writer.write_texts(step, {name: text})

    def figure(self, step: int, name: str, figure: Any) -> None:
        """A matplotlib figure as an image."""
        self.writer.write_images(step, {name: pixels(figure)[None]})

    def flush(self) -> None:
        """Flush the writer."""
        self.writer.flush()

    def _end(self) -> None:
        if hasattr(self.writer, "close"):
            self.writer.close()
