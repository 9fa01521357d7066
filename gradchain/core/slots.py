"""Slots: what the state of a transform is made of, described before it exists.

From slots come `init`, the abstract state, the table of `describe`, the shardings and the storage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from gradchain.core import place, words
from gradchain.math import numerics


@dataclasses.dataclass(frozen=True)
class Axes:
    """Which axes of a leaf are a stack (layers, experts), the rows and the columns of its matrices."""

    batch: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    cols: tuple[int, ...] = ()

    @property
    def matrix(self) -> tuple[int, ...]:
        """All axes that are not batch: what a norm per layer reduces over."""
        return tuple(sorted(self.rows + self.cols))

    @classmethod
    def parse(cls, letters: str) -> Axes:
        """Axes from one letter per axis, b (batch), r (rows) or c (columns): "brc" is a stack of matrices."""
        if not isinstance(letters, str) or set(letters) - set("brc"):
            raise ValueError(
                f"axes {words.show(letters)}: one letter per axis, b (batch), r (rows) or c (columns)"
            )
        at = {k: tuple(i for i, letter in enumerate(letters) if letter == k) for k in "brc"}
        return cls(at["b"], at["r"], at["c"])


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One array of the parameters: where it is, and what may be known of it before it has values."""

    path: str = dataclasses.field(compare=False)  # kernels are compiled once per shape, not once per path
    shape: tuple[int, ...]
    dtype: Any
    axes: Axes
    array: Any = dataclasses.field(default=None, compare=False, repr=False)
    sharding: NamedSharding | None = dataclasses.field(default=None, compare=False, repr=False)

    def bare(self) -> Leaf:
        """What a kernel may know of it: no path, no place and no values."""
        return Leaf("", self.shape, self.dtype, self.axes)


AxesRule = Callable[[str, tuple[int, ...]], Axes]


def default_axes(path: str, shape: tuple[int, ...]) -> Axes:
    """The matrix axes of Flax parameters, from the last name of the path and the rank.

    kernel [in, out]; convolution kernel [..., in, out] with all but the last as rows (a path with "conv");
    attention query, key, value [in, heads, dim] and out [heads, dim, out]; embedding [tokens, features];
    one more leading axis than that is a stack of layers (scan), experts included. Biases and scales are
    vectors: rank 2 means a stack of them. Another rank-3 leaf is a stack of matrices.
    """
    names, rank = path.lower().split("/"), len(shape)
    first = tuple(range(rank))
    if names[-1] in ("bias", "scale", "b", "offset", "gain") or rank < 2:
        return Axes(first[:-1], (), first[-1:])
    if any("conv" in name for name in names):
        stacked = 1 if rank > 5 else 0
        return Axes(first[:stacked], first[stacked:-1], first[-1:])
    owner = names[-2] if len(names) > 1 else ""
    if owner in ("query", "key", "value") and rank >= 3:
        return Axes(first[:-3], first[-3:-2], first[-2:])
    if owner == "out" and rank >= 3:
        return Axes(first[:-3], first[-3:-1], first[-1:])
    return Axes(first[:-2], first[-2:-1], first[-1:])


def axes_rule(overrides: Mapping[str, str], base: AxesRule, matches: Callable[[str, str], bool]) -> AxesRule:
    """`base`, but for paths that match a pattern of `overrides` the axes its letters say."""
    parsed = {pattern: Axes.parse(letters) for pattern, letters in overrides.items()}

    def rule(path: str, shape: tuple[int, ...]) -> Axes:
        for pattern, axes in parsed.items():
            if matches(pattern, path):
                if len(axes.batch + axes.matrix) != len(shape):
                    letters = overrides[pattern]
                    raise ValueError(f"axes {letters!r} for {path!r}: {len(letters)} letters, shape {shape}")
                return axes
        return base(path, shape)

    return rule


@dataclasses.dataclass(frozen=True)
class Slot:
    """One array of state: `axes[i]` is the axis of the parameter that dimension i runs along (None: new)."""

    shape: tuple[int, ...]
    dtype: Any
    axes: tuple[int | None, ...] = ()
    fill: Any = 0  # a number, a scalar array, "param": the parameter's values, or a function of the parameter
    positive: bool = False  # a running square: may never be rounded to zero
    leaf: Leaf | None = dataclasses.field(default=None, compare=False, repr=False)
    exact: bool = False  # no codec, unless the user names this slot: a copy of parameters, a sum of gradients
    memory: str | None = None  # the kind of memory it is kept in, "pinned_host"; None: the device's own
    nothing: bool = False  # a scalar in the place of an array that this leaf does not have

    @property
    def nbytes(self) -> int:
        """Bytes of the array this slot describes."""
        return numerics.nbytes(self.shape, self.dtype)

    def abstract(self) -> jax.ShapeDtypeStruct:
        """The slot as a shape and dtype."""
        return jax.ShapeDtypeStruct(self.shape, self.dtype)

    def make(self) -> jax.Array:
        """The array the state starts with, placed like its parameter and never sharing its buffer."""
        param = None if self.leaf is None else self.leaf.array
        if isinstance(param, jax.ShapeDtypeStruct):
            raise TypeError("cannot initialise from abstract parameters: use jax.eval_shape(tx.init, params)")
        if isinstance(self.fill, str):
            return self._placed(jnp.array(param, dtype=self.dtype, copy=True))
        if callable(self.fill):
            value = jnp.asarray(self.fill(param), self.dtype)
            return self._placed(jnp.broadcast_to(value, self.shape))
        if isinstance(self.fill, jax.Array):
            return self._placed(jnp.broadcast_to(jnp.array(self.fill, self.dtype, copy=True), self.shape))
        return self._placed(None)

    def _placed(self, x: jax.Array | None) -> jax.Array:
        """The array, or where it is None one full of the slot's number, in its place."""
        sharding = self.sharding
        if x is None:
            made = sharding if sharding is not None and place.is_typed(sharding) else None
            x = jnp.full(self.shape, self.fill, self.dtype, device=made)
        if sharding is None:
            return x if self.memory is None else place.to_space(x, place.memory_space(self.memory))
        return x if sharding == place.of(x) else place.put(x, sharding)

    @property
    def sharding(self) -> NamedSharding | None:
        """Where the array is: split as its parameter along the axes they share; None if that says nothing."""
        leaf = self.leaf
        if leaf is None or leaf.sharding is None:
            return None
        split = place.split_of(leaf.sharding.spec, len(leaf.shape))
        return place.at(leaf.sharding.mesh, [() if a is None else split[a] for a in self.axes], self.memory)


SlotMaker = Callable[[Leaf], Slot]


def _real(dtype):
    return jnp.finfo(dtype).dtype


def _wide(dtype):
    return numerics.wide_dtype(dtype)


def zeros(p: Leaf) -> Slot:
    """Like the parameter, at least float32: a running mean of gradients."""
    return Slot(p.shape, _wide(p.dtype), tuple(range(len(p.shape))), leaf=p)


def squares(p: Leaf) -> Slot:
    """Like the parameter, real and never negative: a running mean of squares."""
    return dataclasses.replace(zeros(p), dtype=_real(_wide(p.dtype)), positive=True)


def copy(p: Leaf) -> Slot:
    """A copy of the parameter's values, at least float32."""
    return dataclasses.replace(zeros(p), fill="param", exact=True)


def sums(p: Leaf) -> Slot:
    """Like the parameter, a sum of gradients: every bit counts."""
    return dataclasses.replace(zeros(p), exact=True)


def drop(p: Leaf, axes: tuple[int, ...]) -> Slot:
    """Squares summed over some axes of the parameter: a factor of a factored second moment."""
    keep = tuple(i for i in range(len(p.shape)) if i not in axes)
    return dataclasses.replace(squares(p), shape=tuple(p.shape[i] for i in keep), axes=keep)


def gram(p: Leaf, axis: int) -> Slot:
    """A square matrix over one axis of the parameter: a Kronecker factor. Its columns are a new axis."""
    n = p.shape[axis]
    return Slot((n, n), _wide(p.dtype), (axis, None), leaf=p, exact=True)


def stack(n: int, slot: Slot) -> Slot:
    """n of a slot along a new leading axis: a history."""
    return dataclasses.replace(slot, shape=(n, *slot.shape), axes=(None, *slot.axes))


def scalar(p: Leaf | None = None) -> Slot:
    """One number in the default float type; with a leaf, one for each leaf."""
    return Slot((), jnp.result_type(float), leaf=p)


def flag(p: Leaf | None = None) -> Slot:
    """One truth value."""
    return dataclasses.replace(scalar(p), dtype=jnp.bool_, fill=False)


def counter(p: Leaf | None = None) -> Slot:
    """One int32, counting from 0."""
    return dataclasses.replace(scalar(p), dtype=jnp.int32)


def absent(p: Leaf) -> Slot:
    """A leaf that keeps nothing in this field: a scalar holds its place (never an empty container)."""
    return Slot((), _real(_wide(p.dtype)), leaf=p, nothing=True)


def filled(slot: SlotMaker, value) -> Callable[[Any], Slot]:
    """The same slot starting at a value other than zero.

    It may be a function of the parameter, or for a shared slot of the list of all parameters: a norm.
    """
    return lambda p: dataclasses.replace(slot(p), fill=value)


def at_home(slot: Slot, home: Leaf | None, arrays: list) -> Slot:
    """The one slot of a whole tree in its place; what it starts with may be made of all the arrays."""
    fill = (lambda _: slot.fill(arrays)) if callable(slot.fill) else slot.fill
    return dataclasses.replace(slot, leaf=home, fill=fill)


class DtypeError(TypeError):
    """A dtype that values cannot be kept in."""

    def __init__(self, dtype: Any, why: str):
        super().__init__(f"{dtype!r} cannot keep a moment: {why}")
        self.dtype, self.why = dtype, why


def typed(slot: SlotMaker, dtype) -> SlotMaker:
    """The same slot kept in `dtype`; None leaves it. The kernel still computes in float32.

    The dtype of a complex leaf's moment is complex, that of another leaf's floating.
    """
    if dtype is None:
        return slot
    try:
        known = jnp.issubdtype(jnp.dtype(dtype), jnp.inexact)
    except TypeError:  # no dtype at all
        known = False
    if not known:
        raise DtypeError(dtype, "expected a floating-point dtype, such as 'bfloat16'")
    wanted = jnp.dtype(dtype)

    def make(p: Leaf) -> Slot:
        made = slot(p)
        if jnp.issubdtype(made.dtype, jnp.complexfloating) != jnp.issubdtype(wanted, jnp.complexfloating):
            raise DtypeError(dtype, f"the leaf {p.path!r} is {p.dtype}: either both are complex or neither")
        return dataclasses.replace(made, dtype=wanted)

    return make


@dataclasses.dataclass(frozen=True)
class Shared:
    """A slot of which a transform keeps one, not one for each leaf, or a tree of them."""

    slot: Callable[[Any], Any]
    of_tree: bool = False  # made from all parameters

    def make(self, params: Any) -> Any:
        """The slot, or the tree of slots, for these parameters."""
        return self.slot(params if self.of_tree else None)


def shared(slot: Callable[[Leaf | None], Slot | dict[str, Slot]]) -> Shared:
    """One slot for the whole tree, or a dict of them: a norm, a counter, a history."""
    return Shared(slot)


def of_tree(slot: Callable[[Any], Any]) -> Shared:
    """A tree of slots made from the tree of parameters, which may be abstract: what a function returns."""
    return Shared(slot, of_tree=True)


def like(x: Any) -> Slot:
    """A slot of its own for an array, starting at its values; at zero where only its shape is known."""
    x = x if isinstance(x, jax.ShapeDtypeStruct) else jnp.asarray(x)
    fill = x if isinstance(x, jax.Array) else 0
    return Slot(tuple(x.shape), jnp.dtype(x.dtype), (None,) * len(x.shape), fill)
