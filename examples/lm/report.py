"""What a run shows: a progress bar, a line per evaluation, a sample, a table, a figure of its curves."""

import io
import math
import statistics
import sys
import textwrap
from pathlib import Path
from typing import Any

import jax
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

import gradchain as gc
from lm.checkpoint import RunFolder
from lm.data import Corpus
from lm.files import naming
from lm.training import Plan

Row = dict[str, Any]  # the metrics of one step
BITS = 1 / math.log(2)  # bits per nat


def print_anything() -> None:
    """A character that the terminal does not know is printed as a question mark; it must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class Screen:
    """Everything that is printed while training; nothing with `quiet`."""

    def __init__(self, steps: int, start: int, quiet: bool):
        self.console = Console(highlight=False, quiet=quiet)
        self.smooth: dict[str, float] = {}
        self.progress = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("loss [bold]{task.fields[loss]:.3f}[/]  lr {task.fields[learning_rate]:.2e}"),
            TextColumn("|g| {task.fields[grad_norm]:.2f}  {task.fields[tokens_per_second]:,.0f} tok/s"),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet,
        )
        unknown = dict.fromkeys(("loss", "learning_rate", "grad_norm", "tokens_per_second"), math.nan)
        self.task = self.progress.add_task("", total=steps, completed=start, **unknown)

    def begin(
        self, corpus: Corpus, params: Any, tx: gc.Transform, folder: Path, start: int, table: bool = True
    ) -> None:
        """What is about to be trained, on what."""
        kept, held = corpus.files
        files = f"{kept:,} files, {held:,} held out" if kept + held > 2 else "the end of the file held out"
        train, validation = len(corpus.train) / 1e6, len(corpus.validation) / 1e6
        self.console.print(
            f"learns      {corpus.name}: {train:.2f} + {validation:.2f} MB, {files}", soft_wrap=True
        )
        self.console.print(f"model       {parameter_count(params):,} parameters")
        resumed = f", going on after step {start:,}" if start else ""
        self.console.print(f"run         {folder}{resumed}\n", soft_wrap=True)
        if table and not self.console.quiet:
            print_lines(self.console, str(gc.describe(tx, params)))
            self.console.print()

    def show(self, row: Row) -> None:
        """One step; noisy numbers are shown smoothed."""
        for name in ("loss", "grad_norm", "tokens_per_second"):
            new, old = row.get(name, math.nan), self.smooth.get(name, math.nan)
            self.smooth[name] = new if math.isnan(old) else old + 0.1 * (new - old)
        shown = {**self.smooth, "learning_rate": row.get("learning_rate", math.nan)}
        self.progress.update(self.task, completed=row["step"], **shown)
        if "validation_loss" in row:
            loss = row["validation_loss"]
            self.console.print(
                f"step {row['step']:>6,}   train {self.smooth['loss']:.3f}   "
                f"validation [bold]{loss:.3f}[/] nats per byte, {loss * BITS:.3f} bits"
                f"   {row['seconds']:.0f} s"
            )


def parameter_count(params: Any) -> int:
    """How many numbers are trained."""
    return sum(x.size for x in jax.tree.leaves(params))


def recent(rows: list[Row], name: str, count: int) -> float:
    """The mean of the last values of a metric."""
    values = [row[name] for row in rows if name in row][-count:]
    return sum(values) / len(values) if values else math.nan


def both_units(nats: float) -> str:
    """A loss in nats and in bits."""
    return f"{nats:.4f} nats per byte, {nats * BITS:.4f} bits per byte"


def summary(tx: gc.Transform, params: Any, state: Any, rows: list[Row], plan: Plan) -> Table:
    """What the run came to."""
    parameters = parameter_count(params)
    kept = sum(x.nbytes for x in jax.tree.leaves(state))
    speeds = [row["tokens_per_second"] for row in rows if "tokens_per_second" in row]
    last = rows[-1] if rows else {"step": plan.steps, "seconds": math.nan}  # the metrics may be gone
    entries = {
        "optimizer": repr(tx),
        "parameters": f"{parameters:,}",
        "optimizer state": f"{kept:,} bytes, {kept / parameters:.2f} per parameter",
        "steps": f"{last['step']:,} of {plan.step_tokens:,} bytes of text",
        "training loss": both_units(recent(rows, "loss", 50)),
        "validation loss": Text(both_units(recent(rows, "validation_loss", 1)), style="bold green"),
        "speed": f"{statistics.median(speeds):,.0f} tokens/s" if speeds else "too short to measure",
        "wall time": f"{last['seconds']:.1f} s",
    }
    if "skipped" in last:
        entries["skipped"] = f"{last['skipped']:,.0f} steps"
    table = Table(show_header=False, box=box.ROUNDED, border_style="dim")
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, entry in entries.items():
        table.add_row(name, entry if isinstance(entry, Text) else Text(entry))
    return table


def curves(rows: list[Row], path: Path, optimizer: str) -> None:
    """The losses, the learning rate and the gradient norm over the steps, as a picture."""
    loss, norm = "loss, nats per byte", "gradient norm"
    panels = {loss: ["loss", "validation_loss"], "learning rate": ["learning_rate"], norm: ["grad_norm"]}
    panels["bytes per second"] = ["tokens_per_second"]
    known = {name for row in rows for name in row}
    panels = {title: found for title, names in panels.items() if (found := [n for n in names if n in known])}
    if not panels:  # the metrics may be gone
        return
    title = textwrap.fill(textwrap.shorten(optimizer, 330, placeholder=" ..."), 110)
    figure = gc.plot.curves(rows, panels, smooth={loss: 0.9, norm: 0.9}, log=[loss, norm], title=title)
    with naming(path):
        figure.savefig(path, dpi=150)


def ends(folder: RunFolder, quiet: bool) -> None:
    """Where everything is, and with `quiet` the loss that the summary would have shown."""
    if quiet:
        print(f"validation  {both_units(recent(folder.rows, 'validation_loss', 1))}")
    for name in ("curves", "metrics", "checkpoint"):
        print(f"{name:<11} {getattr(folder, name)}")


def print_lines(console: Console, text: str) -> None:
    """Lines as they are; on a terminal cut where it ends."""
    for line in map(Text, text.splitlines()):
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def list_optimizers(found: dict[str, Any]) -> None:
    """A line per optimizer: its name, its source and what it does."""
    width = max(map(len, found), default=0)
    for name, factory in found.items():
        about = (factory.fn.__doc__ or "").strip().splitlines()[0]
        print_lines(Console(highlight=False), f"{name:<{width}}  {factory.paper or '-':<16.16}  {about}")


def sample_panel(prompt: str, text: str) -> Panel:
    """What the model wrote after a prompt; what no terminal shows is left out."""
    clean = ["".join(c for c in part if c.isprintable() or c == "\n") for part in (prompt, text)]
    shown = Text.assemble((clean[0], "bold"), clean[1])
    return Panel(shown, title="held-out line, continued by the model", title_align="left", border_style="dim")
