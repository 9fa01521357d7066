"""Many runs as one program: compiled once, all at a time or, where memory does not suffice, some."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import words
from gradchain.core.optional import need

USED = 0.8  # of the memory that is free
TRACED = (
    "{who} runs {name} with all points in one program, so that its numbers are traced: no float(), int(), if "
    "or NumPy on them, and nothing kept outside of it; return what is to be known. A function that cannot do "
    "without is run point by point with compiled=False"
)
LEAKS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.UnexpectedTracerError,
)

Told = Callable[[int], None]


def run(
    who: str, f: Callable[[Any], Any], operands: Any, at_once: int | None, progress: bool | None, name: str
) -> dict[str, np.ndarray]:
    """f over the first axis of the operands, vmapped: what it returns as NumPy arrays [runs, ...].

    at_once: runs at a time; None: all, or what the memory that the compiler asks for leaves room for.
    """
    n = len(jax.tree.leaves(operands)[0])
    if at_once is not None and (isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1):
        raise ValueError(
            f"{who}: at_once is {words.show(at_once)}; expected a whole number of runs, at least 1"
        )
    size = min(n, at_once or n)
    with told(who, n, progress) as tell:
        tell(0, "compiling")
        program, needed = _compiled(who, f, _part(operands, range(size)), name)
        if at_once is None and size > 1 and needed > (free := free_bytes()) * USED:
            size = max(1, int(size * free * USED / needed))
            program, _ = _compiled(who, f, _part(operands, range(size)), name)
        found = []
        for start in range(0, n, size):
            tell(start, f"running {min(size, n - start)} at once" if size > 1 else "running")
            indices = [min(i, n - 1) for i in range(start, start + size)]  # the last part is filled up
            out = jax.device_get(program(_part(operands, indices)))
            found.append(jax.tree.map(lambda x: x[: n - start], out))  # noqa: B023
        tell(n, "done")
    return jax.tree.map(lambda *x: np.concatenate(x), *found)


def _part(operands: Any, indices: Sequence[int]) -> Any:
    return jax.tree.map(lambda x: x[jnp.asarray(indices)], operands)


def _compiled(who: str, f: Callable[[Any], Any], operands: Any, name: str) -> tuple[Callable, int]:
    """The program for operands like these, and the bytes that it needs to run."""
    try:
        compiled = jax.jit(jax.vmap(f)).lower(operands).compile()
    except LEAKS as error:
        error.add_note(TRACED.format(who=who, name=name))
        raise
    try:
        memory: Any = compiled.memory_analysis()
        needed = memory.temp_size_in_bytes + memory.output_size_in_bytes
    except (AttributeError, NotImplementedError, jax.errors.JaxRuntimeError):  # a backend that does not tell
        needed = 0
    return compiled, needed


def free_bytes() -> float:
    """Bytes that are free on the device that runs; of a CPU half of the machine's."""
    stats = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2
    except (AttributeError, ValueError, OSError):  # not on Windows
        return float("inf")


@contextlib.contextmanager
def told(who: str, total: int, progress: bool | None) -> Iterator[Callable[[int, str], None]]:
    """A function of the runs that are done and what goes on: a bar by rich where a terminal is, else nothing.

    progress: None shows one on a terminal that has rich, False never, True asks for rich.
    """
    if progress is None:
        try:
            progress = sys.stderr.isatty() and bool(need("rich.progress", "rich", who))
        except ImportError:
            progress = False
    if not progress:
        yield lambda done, text: None
        return
    bars = need("rich.progress", "rich", f"{who}(progress=True)")
    console = need("rich.console", "rich", who).Console(stderr=True)
    columns = (
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(who, total=total)
        yield lambda done, text: shown.update(
            task, completed=done, description=f"{who}: {text}", refresh=True
        )


def numbers(who: str, name: str, found: Any) -> dict[str, Any]:
    """What a function of a run returned, as named numbers: a number by itself is called loss."""
    given = found if isinstance(found, Mapping) else {"loss": found}
    if not given:
        raise ValueError(f"{who}: {name} returned an empty dict; expected a number, or numbers by name")
    made = {}
    for key, x in given.items():
        what = f"[{key!r}]" if isinstance(found, Mapping) else ""
        if not isinstance(x, int | float | np.generic | np.ndarray | jax.Array):
            also = "; does it return anything?" if x is None else ""
            raise TypeError(
                f"{who}: {name} returned {words.show(found)}; expected one number, such as the last loss, or "
                f"a dict of numbers by name{also}"
            )
        if np.shape(x) != () or jnp.iscomplexobj(x):
            raise ValueError(
                f"{who}: {name} returned {words.show(x)}{' at ' + what if what else ''}; expected one number "
                "(shape []): losses[-1], or jnp.mean(losses[-10:])"
            )
        made[str(key)] = jnp.asarray(x, jnp.result_type(float))
    return made
