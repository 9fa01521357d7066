"""describe: the table of an optimizer's links, their state, its bytes and where it lies."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax

from gradchain.core import place, tree, values
from gradchain.core.inside import opens
from gradchain.core.leaves import is_array
from gradchain.core.slots import Slot
from gradchain.core.transform import Transform, need_transform
from gradchain.math import numerics
from gradchain.report import text
from gradchain.report.links import Place, links


@dataclasses.dataclass(frozen=True)
class Row:
    """A slot of a link over all its leaves, or of one leaf; a link that keeps nothing has no slot."""

    link: str
    slot: str = ""
    path: str = ""  # of the parameter, where the row is one leaf
    leaves: int = 0  # arrays in this row
    shape: tuple[int, ...] | None = None  # None where the row has several
    dtype: str = ""
    total_bytes: int = 0
    bytes_per_device: int | None = None  # None where nothing is said of devices
    spec: str = ""
    acts_on: int = 0  # leaves of the parameters that the link works on
    hyperparams: tuple[tuple[str, Any], ...] = ()
    axes: str = ""  # of one leaf, how each axis is read: b (a stack), r (rows), c (columns), - (a new one)


@dataclasses.dataclass(frozen=True, repr=False)
class Description:
    """What `describe` found: rows as data, and a table as text or, in a notebook, as HTML."""

    rows: tuple[Row, ...]
    params: int  # numbers in the parameters
    leaves: int  # arrays in the parameters

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole state."""
        return sum(row.total_bytes for row in self.rows)

    @property
    def bytes_per_param(self) -> float:
        """Bytes of state for each number in the parameters."""
        return self.total_bytes / self.params if self.params else 0.0

    @property
    def bytes_per_device(self) -> int | None:
        """Bytes of state on one device, None where the parameters carry no shardings."""
        found = [row.bytes_per_device for row in self.rows if row.slot]
        return sum(b for b in found if b is not None) if found and all(b is not None for b in found) else None

    def __repr__(self) -> str:
        return text.aligned(self._cells(), RIGHT)

    def _repr_html_(self) -> str:
        return text.as_html(self._cells(), RIGHT)

    def _cells(self) -> list[list[str]]:
        rows: list[list[str]] = [list(HEAD)]
        before = None
        for row in self.rows:
            first, before = row.link != before, row.link
            device = row.bytes_per_device
            rows.append([
                row.link if first else "",
                f"{row.acts_on} of {self.leaves}" if first and row.acts_on != self.leaves else "",
                row.slot,
                row.path,
                row.axes,
                _shape(row),
                row.dtype,
                text.size(row.total_bytes) if row.slot else "",
                text.size(device) if device is not None and device != row.total_bytes else "",
                row.spec,
                ", ".join(f"{k}={value_text(v)}" for k, v in row.hyperparams) if first else "",
            ])  # fmt: skip
        device = self.bytes_per_device
        per = f"{text.number(self.bytes_per_param)} bytes per parameter, {self.params:,} parameters"
        rows.append([
            "total", "", "", "", "", f"{self.leaves} leaves", "", text.size(self.total_bytes),
            text.size(device) if device is not None and device != self.total_bytes else "", "", per,
        ])  # fmt: skip
        return rows


HEAD = (
    "link",
    "acts on",
    "slot",
    "leaf",
    "axes",
    "shape",
    "dtype",
    "bytes",
    "per device",
    "sharding",
    "hyperparameters",
)
RIGHT = (False, False, False, False, False, False, False, True, True, False, False)


def _shape(row: Row) -> str:
    if not row.slot:
        return ""
    return f"{row.leaves} leaves" if row.shape is None else str(list(row.shape))


def value_text(value: Any) -> str:
    """An argument as a table shows it: numbers with what digits they need."""
    return text.number(value) if isinstance(value, float) else values.text(value)


@opens
def describe(tx: Transform, params: Any, *, leaves: bool = False) -> Description:
    """The table of an optimizer for parameters, which may be abstract: links, state, bytes, hyperparameters.

    One row for each link and slot, or with leaves=True for each array, with how its axes are read, "brc" (see
    `with_axes`). "acts on" says what masks leave: 74 of
    148 leaves. Sharded parameters add where the state will lie and how much of it on each device.
    Print it, or use `.rows`, `.total_bytes`, `.bytes_per_param`.
    """
    need_transform(tx, "describe(tx, params)", params)
    arrays = jax.tree.leaves(params)
    numbers = sum(math.prod(x.shape) for x in arrays if is_array(x))
    slots = tx.slots(params)
    rows: list[Row] = []
    for here in links(tx, params):
        about = {"link": here.path, "acts_on": here.leaves, "hyperparams": tuple(here.hyperparams.items())}
        if here.way is None:
            rows.append(Row(**about))
            continue
        for name, found in _fields(here, slots):
            groups = [[pair] for pair in found] if leaves else [found]
            rows += [_row(about, name, group, leaves) for group in groups]
    return Description(tuple(rows), numbers, len(arrays))


def _fields(place: Place, slots: Any) -> Iterator[tuple[str, list[tuple[str, Slot]]]]:
    """The fields of a link's entry, each with its slots and their paths."""
    entry = place.entry(slots)
    fields = entry._asdict() if hasattr(entry, "_fields") else {"": entry}
    for name, field in fields.items():
        found = jax.tree.leaves(field)
        if found:
            yield name or "state", list(zip(tree.paths(field), found, strict=True))


def _row(about: dict[str, Any], name: str, group: list[tuple[str, Slot]], leaves: bool) -> Row:
    slots = [slot for _, slot in group]
    single = len(slots) == 1
    shares = [_share(slot) for slot in slots]
    return Row(
        **about,
        slot=name,
        path=group[0][0] if leaves else "",
        axes=_axes(slots[0]) if leaves else "",
        leaves=len(slots),
        shape=slots[0].shape if single else None,
        dtype=", ".join(dict.fromkeys(_dtype(slot) for slot in slots)),
        total_bytes=sum(slot.nbytes for slot in slots),
        bytes_per_device=None if None in shares else sum(s for s in shares if s is not None),
        spec=_specs(slots),
    )


def _axes(slot: Slot) -> str:
    """How the axes of a slot are read, by the axes of its parameter: "brc"."""
    if slot.leaf is None or not slot.leaf.shape or len(slot.axes) != len(slot.shape):
        return ""
    axes = slot.leaf.axes
    letter = {a: k for k, of in zip("brc", (axes.batch, axes.rows, axes.cols), strict=True) for a in of}
    return "".join("-" if a is None else letter[a] for a in slot.axes)


def _dtype(slot: Slot) -> str:
    """The dtype, and the codec where the array does not hold the value itself."""
    name, codec = jax.numpy.dtype(slot.dtype).name, getattr(slot, "codec", None)
    return name if codec is None or codec.name == name else f"{name} ({codec.name})"


def _share(slot: Slot) -> int | None:
    if slot.sharding is None:
        return None
    return numerics.nbytes(place.shard_shape(slot.shape, slot.sharding), slot.dtype)


def _specs(slots: list[Slot]) -> str:
    found = [slot.sharding for slot in slots]
    specs = list(dict.fromkeys(place.text_of(s.spec) for s in found if s is not None))
    return f"{len(specs)} specs" if len(specs) > 2 else ", ".join(specs)
