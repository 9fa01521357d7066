"""Fills in the numbers of the tables of docs/optax.md: python -m tests.optax.departures

The first cell of a row is code, evaluated with the names of gradchain, Optax and gradchain.optax. What it
makes, if that is an optimizer, takes the gradients that the second cell names, and the first element of its
last update is the number.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
import gradchain.optax

PAGE = Path(__file__).resolve().parents[2] / "docs" / "optax.md"
VERSION = "0.2.8"  # of Optax, on the page
HEAD = "| example | on | gradchain | Optax | `gradchain.optax` |"
DIGITS = 4
SAME = 1e-6  # relative
W = np.array([[1.1, -0.5, 2.0], [0.25, 1.5, -1.0]])
G = np.array([[0.3, -0.2, 0.1], [0.4, -0.1, 0.25]])
STEPS = [G, 0.1 - 2 * G, G / 2]


class Problem(NamedTuple):
    """Parameters, and the gradients of the steps: those of f, if there are none."""

    params: np.ndarray
    grads: list[np.ndarray]
    dtype: str = "float64"
    extra: tuple[str, ...] = ("value",)


PROBLEMS = {
    "A": Problem(W, STEPS),
    "A[0]": Problem(W[0], [g[0] for g in STEPS]),
    "B": Problem(np.stack([W, W / 4]), [np.stack([g, 3 * g]) for g in STEPS]),
    "f": Problem(W, [], extra=("value", "grad", "value_fn")),
    "f, obj_fn": Problem(W, [], extra=("obj_fn",)),
    "0": Problem(W, [0 * G] * 3),
    "NaN": Problem(W, [G, np.nan * G, G, G]),
    "A, bfloat16": Problem(W, STEPS, "bfloat16"),
    "1e20 A": Problem(W, [1e20 * g for g in STEPS], "float32"),
    "float32": Problem(W, STEPS, "float32"),
    "": Problem(W, STEPS),
}


class Row(NamedTuple):
    """A line of a table."""

    code: str
    on: str
    differs: str
    other: str  # what gives Optax's number: arguments more, or an expression

    @property
    def as_optax(self) -> str:
        """The code that gives Optax's number."""
        if re.match(r"\w+\(", self.other):
            return self.other
        return f"{self.code[:-1]}{'' if self.code.endswith('()') else ', '}{self.other})"


def libraries() -> dict[str, dict[str, Any]]:
    """The names of each library."""
    import optax

    theirs = {**vars(optax.contrib), **vars(optax.losses), **vars(optax)}
    found = {"gradchain": vars(gc), "Optax": theirs, "gradchain.optax": vars(gradchain.optax)}
    return {name: {**names, "jnp": jnp} for name, names in found.items()}


def f(params: Any) -> Any:
    """The function of the problem "f"."""
    return jnp.sum(params["w"] ** 4) / 4


def number(code: str, on: str, names: dict[str, Any]) -> float:
    """What a cell's code is with these names."""
    problem = PROBLEMS[on]
    with jax.enable_x64(problem.dtype == "float64"), np.errstate(all="ignore"):
        made = eval(code, names)
        if not hasattr(made, "update"):
            return float(made)
        return last_update(made, problem, names["apply_updates"])


def last_update(tx: Any, problem: Problem, apply: Callable) -> float:
    """The first element of the update in the last step."""
    tx = with_extra(tx)
    params = {"w": jnp.asarray(problem.params, problem.dtype)}
    state, updates = tx.init(params), params
    for given in problem.grads or [None] * 3:
        value, slope = jax.value_and_grad(f)(params)
        g = slope if given is None else {"w": jnp.asarray(given, problem.dtype)}
        value = value if given is None else jnp.asarray(0.7, value.dtype)
        extra = {"value": value, "grad": g, "value_fn": f, "obj_fn": f}
        updates, state = tx.update(g, state, params, **{name: extra[name] for name in problem.extra})
        params = apply(params, updates)
    return float(np.asarray(updates["w"]).astype(np.float64).flat[0])


def with_extra(tx: Any) -> Any:
    """An optimizer of Optax that takes extra arguments, all of which are passed on; ours do."""
    import optax

    if isinstance(tx, optax.MultiSteps):
        tx = tx.gradient_transformation()
    return optax.with_extra_args_support(tx) if isinstance(tx, optax.GradientTransformation) else tx


@functools.cache
def numbers(row: Row) -> tuple[float, float, float]:
    """Of gradchain, Optax and gradchain.optax."""
    here, theirs, between = (number(row.code, row.on, names) for names in libraries().values())
    return here, theirs, between


def same(x: float, y: float) -> bool:
    """Whether two numbers differ by rounding at most."""
    return bool(np.isclose(x, y, rtol=SAME, atol=0, equal_nan=True))


def shown(x: float) -> str:
    """A number with as many digits as count."""
    if np.isnan(x):
        return "NaN"
    return f"{x:.0f}" if 1e3 <= abs(x) < 1e6 else f"{x + 0.0:.{DIGITS}g}"


def line(row: Row) -> str:
    """A row with its numbers."""
    here, theirs, between = numbers(row)
    whose = "Optax's" if same(between, theirs) else "gradchain's" if same(between, here) else shown(between)
    other = f"`{row.other}`" if row.other else ""
    cells = (f"`{row.code}`", row.on, shown(here), shown(theirs), whose, row.differs, other)
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def parsed(text: str) -> Row:
    """A line of the page."""
    code, on, _, _, _, differs, other = (cell.strip() for cell in text.strip("|").split("|"))
    return Row(code.strip("`"), on, differs, other.strip("`"))


def lines(page: str) -> list[str]:
    """The lines of the page that have numbers."""
    tables = re.findall(rf"^{re.escape(HEAD)}.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [text for table in tables for text in table.splitlines()]


def filled(page: str) -> str:
    """The page with all its numbers."""
    for text in lines(page):
        page = page.replace(text, line(parsed(text)))
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
