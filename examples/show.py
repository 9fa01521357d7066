"""What the small examples share: a command line, progress, a table, a figure."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
from lm.report import print_anything
from rich.console import Console
from rich.progress import track
from rich.table import Table

import gradchain as gc

console = Console(highlight=False)


def arguments(about: str, argv: list[str] | None = None, **flags: int | float) -> argparse.Namespace:
    """--short, --out, --seed and a flag for each keyword, of the type of its default."""
    print_anything()
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few steps: only to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of the figure (default: runs)")
    parser.add_argument("--seed", type=int, default=0, help="of parameters and batches (default: 0)")
    for name, default in flags.items():
        shown = f"(default: {default})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=shown)
    args = parser.parse_args(argv)
    for name, default in flags.items():
        if getattr(args, name) <= 0:
            parser.error(
                f"--{name.replace('_', '-')} {getattr(args, name)}: expected more than 0, as {default}"
            )
    return args


def progress(count: int, doing: str) -> Iterator[int]:
    """0, 1, ... count - 1, with a bar."""
    return iter(track(range(count), doing, console=console, transient=True))


def fit(
    tx: gc.Transform,
    params: Any,
    loss: Callable[[Any, Any], jax.Array],
    batch: Callable[[jax.Array], Any],
    steps: int,
    doing: str,
    judge: Callable[[Any], Any] | None = None,
    key: int = 0,
) -> tuple[Any, list]:
    """Train for steps, judged twenty times: the parameters to use, and what `judge` gave after each part.

    `loss(params, batch(key))` is what is differentiated. A part of the steps is one call of a compiled scan.
    """
    each = max(1, steps // 20)

    @jax.jit
    def part(params, state, keys):
        def step(carry, key):
            params, state = carry
            return tx.step(jax.grad(loss)(params, batch(key)), state, params), None

        return jax.lax.scan(step, (params, state), keys)[0]

    judge = jax.jit(judge) if judge else None
    state, found = tx.init(params), []
    keys = jax.random.split(jax.random.key(key), (steps // each, each))
    for i in progress(len(keys), doing):
        params, state = part(params, state, keys[i])
        if judge:
            found.append(jax.device_get(judge(gc.eval_params(tx, state, params))))
    return gc.eval_params(tx, state, params), found


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below their heads; the first column is to the left, numbers to the right."""
    shown = Table(title=title, title_justify="left")
    for i, name in enumerate(head):
        shown.add_column(name, justify="right" if i else "left", no_wrap=not i)
    for row in rows:
        shown.add_row(*(f"{x:,.4g}" if isinstance(x, float) else str(x) for x in row))
    console.print(shown)


def save(figure: Any, args: argparse.Namespace) -> None:
    """Write the figure under the program's name and say where."""
    path = args.out / f"{Path(sys.modules['__main__'].__file__ or 'example').stem}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    console.print(f"figure: {path}")
