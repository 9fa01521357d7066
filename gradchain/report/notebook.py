"""What notebooks show: optimizers, schedules, states and metrics as tables."""

from __future__ import annotations

import base64
import dataclasses
import html as entities
from collections.abc import Mapping
from typing import Any

import jax
from jax.core import Tracer

from gradchain.core import shown, tree, words
from gradchain.core.transform import Transform
from gradchain.math import numerics
from gradchain.report import held, text
from gradchain.report.links import links
from gradchain.report.table import value_text
from gradchain.schedules.base import Schedule

LEFT = (False, False)
STATE = ("link", "slot", "leaf", "shape", "dtype", "bytes")
BYTES_LAST = (False, False, False, False, False, True)


@dataclasses.dataclass(frozen=True, repr=False)
class Shown:
    """A table of what `show` was given: as text, or in a notebook as HTML."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def show(value: Any, *, leaves: bool = False) -> Shown:
    """A table of a state or of metrics, which are dicts and print as such, or of an optimizer or a schedule.

    A state has a row for each link and slot, with its shape, dtype and bytes, or with leaves=True for each
    array; it may be abstract, or as nnx.Optimizer and TrainState hold it. Metrics have a row for each name.
    In IPython `%load_ext gradchain` does this for every state and all metrics that a cell ends in.
    """
    if held.opt_state(value) is value and not isinstance(value, type) and hasattr(value, "_repr_html_"):
        return Shown(repr(value), value._repr_html_())
    found = held.arrays(value)
    if _is_state(found):
        rows = _state(found, leaves)
        return Shown(text.aligned(rows, BYTES_LAST), text.as_html(rows, BYTES_LAST))
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        rows = _metrics(value)
        return Shown(text.aligned(rows, LEFT, total=False), text.as_html(rows, LEFT))
    raise TypeError(
        f"show: the argument is {words.show(value)}; expected an optimizer, its state, metrics, a schedule, "
        "or what describe and layout give"
    )


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext gradchain`: states and metrics are shown as tables."""
    ipython.display_formatter.formatters["text/html"].for_type(dict, _of_dict)


def _of_dict(value: dict) -> str | None:
    """HTML for a state or metrics; None for any other dict, which is left to IPython."""
    try:
        return show(value).html if _is_state(value) or _is_metrics(value) else None
    except Exception:  # a dict that only looks like one of these is still to be printed
        return None


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping | tuple | list) and any(True for _ in held.entries(value))


def _is_metrics(value: Mapping) -> bool:
    return "step" in value and all(isinstance(k, str) for k in value)


def _state(state: Any, leaves: bool) -> list[list[str]]:
    rows: list[list[str]] = [[*STATE]]
    total = arrays = 0
    for link, slot, found in _slots(state):
        sizes = [numerics.nbytes(x.shape, x.dtype) for _, x in found]
        total, arrays = total + sum(sizes), arrays + len(found)
        if leaves or len(found) == 1:
            rows += [
                [link, slot, path, str(list(x.shape)), x.dtype.name, text.size(size)]
                for (path, x), size in zip(found, sizes, strict=True)
            ]
        else:
            dtypes = ", ".join(dict.fromkeys(x.dtype.name for _, x in found))
            rows.append([link, slot, f"{len(found)} leaves", "", dtypes, text.size(sum(sizes))])
    before = ""
    for row in rows[1:]:  # a link is named once
        before, row[0] = row[0], "" if row[0] == before else row[0]
    return [*rows, ["total", "", f"{arrays} arrays", "", "", text.size(total)]]


def _slots(state: Any):
    """(link, slot, [(path, array)]) of a state."""
    for link, entry in held.entries(state):
        for name, field in entry._asdict().items():
            if any(True for _ in held.entries(field)):
                continue  # an entry of its own
            found = [
                (p, x)
                for p, x in zip(tree.paths(field), jax.tree.leaves(field), strict=True)
                if hasattr(x, "dtype")
            ]
            if found:
                yield link, name, found


def _metrics(found: Mapping) -> list[list[str]]:
    rows = [["metric", "value"]]
    for name, value in found.items():
        leaves = jax.tree.leaves(value)
        paths = [""] if len(leaves) == 1 and leaves[0] is value else tree.paths(value)
        rows += [[f"{name}/{p}" if p else name, _number(x)] for p, x in zip(paths, leaves, strict=True)]
    return rows


def _number(x: Any) -> str:
    if isinstance(x, Tracer) or getattr(x, "size", 1) != 1 or isinstance(x, jax.ShapeDtypeStruct):
        return words.show(x)
    plain = x.item() if hasattr(x, "item") else x
    return text.number(plain) if isinstance(plain, float) else str(plain)


@shown.html.register
def _(tx: Transform) -> str:
    rows = [["link", "hyperparameters"]]
    for place in links(tx):
        given = ", ".join(f"{k}={value_text(v)}" for k, v in place.hyperparams.items())
        rows.append([place.path, given])
    return f"<div>{text.as_html(rows, LEFT)}<pre>{entities.escape(repr(tx))}</pre></div>"


@shown.html.register
def _(schedule: Schedule) -> str:
    given: dict[str, Any] = {f.name: getattr(schedule, f.name) for f in dataclasses.fields(schedule)}  # pyright: ignore
    rows = [[type(schedule).__name__, ""], *([k, value_text(v)] for k, v in given.items())]
    return f"<div>{_picture(schedule)}{text.as_html(rows, LEFT)}</div>"


def _picture(schedule: Schedule) -> str:
    """The schedule drawn; nothing where matplotlib is absent, or values are not known."""
    try:
        data, size = schedule.plot()._repr_png_()
    except (ImportError, ValueError, TypeError, jax.errors.JAXTypeError):
        return ""
    name, coded = type(schedule).__name__, base64.b64encode(data).decode()
    return f'<img alt="{name}" width="{size["width"] * 3 // 4}" src="data:image/png;base64,{coded}">'
