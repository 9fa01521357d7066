"""Fills in what the programs of examples/from_optax/ print, in docs/optax.md: python -m tests.optax.beside

Each is run as it is and with the one import of Optax. A printed line ends in a number.
"""

import contextlib
import dataclasses
import io
import re
import types
from typing import Any

import jax
import numpy as np

from docs.pages.beside import programs, source
from tests.optax.departures import PAGE

TABLE = "<!-- printed: {name} -->\n\n{rows}\n<!-- end -->\n"
HEAD = "| printed | Optax | gradchain |\n|---|---:|---:|\n"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a program printed, and the arrays of its parameters and state at the end, by path."""

    lines: list[str]
    arrays: dict[str, np.ndarray]


def run(name: str, library: str, dtype: str = "float32") -> Run:
    """Run a program with the names of one library, on images of a dtype."""
    module, out = types.ModuleType(f"beside_{name}"), io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(
            compile(source(name, library).replace("float32", dtype), f"{name} ({library})", "exec"),
            vars(module),
        )
    kept: Any = {k: vars(module)[k] for k in ("params", "state")}
    found = {jax.tree_util.keystr(path): x for path, x in jax.tree_util.tree_leaves_with_path(kept)}
    return Run(out.getvalue().splitlines(), {path: np.asarray(x) for path, x in found.items()})


def table(name: str, theirs: Run, ours: Run) -> str:
    """What a program printed with both, as a part of the page."""
    rows = ""
    for one, other in zip(theirs.lines, ours.lines, strict=True):
        (label, number), (same, found) = one.rsplit(" ", 1), other.rsplit(" ", 1)
        assert label == same, f"{name}: {one!r} and {other!r}"
        rows += f"| {label} | {number} | {found} |\n"
    return TABLE.format(name=name, rows=HEAD + rows)


def main() -> None:
    """Write the page."""
    page = PAGE.read_text()
    for name in programs():
        made = table(name, run(name, "Optax"), run(name, "gradchain"))
        pattern = re.compile(re.escape(f"<!-- printed: {name} -->\n") + ".*?<!-- end -->\n", re.DOTALL)
        page, count = pattern.subn(lambda _, made=made: made, page)
        assert count == 1, f"docs/optax.md: expected <!-- printed: {name} --> once"
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
