"""An operation on stacks of layers, done for one layer.

A function is traced once on whole stacks, and its operations repeated on the slices of one layer. So the
numbers are those of the whole function, whatever it asks of a leaf (shape, axes, size, an element's index),
and an operation that takes layers together is found out.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import JaxprEqn

from gradchain.storage.graph import Turn

_ELEMENTWISE = """
abs acos acosh add add_any and asin asinh atan atan2 atanh bitcast_convert_type cbrt ceil clamp complex conj
convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt imag
integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min mul ne neg nextafter not or
population_count pow real reduce_precision rem round rsqrt select_n shift_left
shift_right_arithmetic shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh xor
"""
_REDUCTIONS = "reduce_sum reduce_max reduce_min reduce_prod reduce_and reduce_or reduce_xor argmax argmin"
_CUMULATIVE = "cumsum cumprod cummax cummin cumlogsumexp"

ELEMENTWISE = frozenset(_ELEMENTWISE.split())
REMOVES = {"reduce": "dimensions", "squeeze": "dimensions", **dict.fromkeys(_REDUCTIONS.split(), "axes")}
MIXES = {
    "sort": "dimension",
    "rev": "dimensions",
    "concatenate": "dimension",
    **dict.fromkeys(_CUMULATIVE.split(), "axis"),
}


class TakesLayersTogether(ValueError):
    """An operation whose result for one layer needs more than that layer."""


@dataclasses.dataclass(frozen=True)
class Slice:
    """One layer of an array: `axis` is that of the layers, of which there may be several rows for each."""

    x: Array
    axis: int


@dataclasses.dataclass(frozen=True)
class Made:
    """An array made of no layers: `make(axis)` is the part along that axis that goes with this layer."""

    make: Callable[[int | None], Array]


class LayerOp(NamedTuple):
    """An operation, for one layer: operands and results are Slices, Mades, or the same for all layers."""

    eqn: JaxprEqn
    layers: int
    layer: Array  # [] int32

    def __call__(self, args: Sequence[Any]) -> Sequence[Any]:
        name = self.eqn.primitive.name
        if name == "random_bits" and self._shapes[0]:
            raise TakesLayersTogether("draws noise that no layer can have by itself")
        if name == "iota":
            return [Made(self._iota)]
        if name == "optimization_barrier":
            return args  # each operand by itself
        axes = {x.axis for x in args if isinstance(x, Slice)}
        if name == "broadcast_in_dim":
            return [self._broadcast(args[0])]
        if not axes:
            if name in ELEMENTWISE and any(isinstance(x, Made) for x in args):
                return self._made(args)
            return self._bind(self._aligned(args, None))
        if len(axes) > 1:
            self._refuse()
        (axis,) = axes
        if name in ELEMENTWISE:
            return self._at(axis, self._bind(self._aligned(args, axis)))
        if name in REMOVES:
            removed = self.eqn.params[REMOVES[name]]
            made = self._bind(self._aligned(args, axis)) if axis not in removed else self._refuse()
            return self._at(axis - sum(a < axis for a in removed), made)
        if name in MIXES:
            mixed = self.eqn.params[MIXES[name]]
            if axis in (mixed if isinstance(mixed, tuple) else (mixed,)):
                self._refuse()
            return self._at(axis, self._bind(self._aligned(args, axis)))
        if name in ("qr", "top_k"):
            last = len(self.eqn.invars[0].aval.shape) - (2 if name == "qr" else 1)  # pyright: ignore
            return self._at(axis, self._bind(self._aligned(args, axis))) if axis < last else self._refuse()
        if name in ("reshape", "transpose", "slice", "pad", "gather", "dot_general"):
            return getattr(self, f"_{name}")(args, axis)
        return self._refuse()

    @property
    def _shapes(self) -> list[tuple[int, ...]]:
        return [v.aval.shape for v in self.eqn.outvars]  # pyright: ignore[reportAttributeAccessIssue]

    def _refuse(self) -> Any:
        raise TakesLayersTogether(f"takes the layers together ({self.eqn.primitive.name})")

    def _bind(self, args: Iterable[Any], **changed) -> list[Any]:
        out = self.eqn.primitive.bind(*args, **{**self.eqn.params, **changed})
        return list(out) if self.eqn.primitive.multiple_results else [out]

    def _at(self, axis: int, arrays: Sequence[Array]) -> list[Slice]:
        for x, shape in zip(arrays, self._shapes, strict=True):
            if x.shape != self._cut(shape, axis):
                self._refuse()
        return [Slice(x, axis) for x in arrays]

    def _rows(self, shape: Sequence[int], axis: int) -> int:
        """How many rows along the axis belong to a layer."""
        return shape[axis] // self.layers if shape[axis] % self.layers == 0 else self._refuse()

    def _cut(self, shape: Sequence[int], axis: int | None) -> tuple[int, ...]:
        """The shape of one layer of an array."""
        if axis is not None and axis >= len(shape):
            self._refuse()
        return tuple(self._rows(shape, i) if i == axis else n for i, n in enumerate(shape))

    def _part(self, x: Any, axis: int | None, shape: Sequence[int] | None) -> Any:
        """What of an array goes with this layer, if the layers are along `axis` of `shape`."""
        if isinstance(x, Slice):
            return x.x if x.axis == axis else self._refuse()
        if axis is not None and shape is not None and shape[axis] == 1:
            axis = None  # one for all layers
        if isinstance(x, Made):
            return x.make(axis)
        if axis is None or not jnp.ndim(x) or shape is None:
            return x
        return rows_of(x, self.layer, axis, self._rows(shape, axis))

    def _aligned(self, args: Sequence[Any], axis: int | None) -> list[Any]:
        shapes = [v.aval.shape for v in self.eqn.invars]  # pyright: ignore[reportAttributeAccessIssue]
        return [self._part(x, axis if s else None, s) for x, s in zip(args, shapes, strict=True)]

    def _made(self, args: Sequence[Any]) -> list[Made]:
        return [Made(functools.cache(lambda axis: self._bind(self._aligned(args, axis))[0]))]

    def _iota(self, axis: int | None) -> Array:
        (shape,) = self._shapes
        (x,) = self._bind([], shape=self._cut(shape, axis))
        if axis is None or axis != self.eqn.params["dimension"]:
            return x
        return x + (self.layer * self._rows(shape, axis)).astype(x.dtype)

    def _broadcast(self, x: Any) -> Any:
        """The layers stay where they are; an axis of length 1 may be repeated, if it is not theirs."""
        (shape,), to = self._shapes, self.eqn.params["broadcast_dimensions"]
        old = self.eqn.invars[0].aval.shape  # pyright: ignore[reportAttributeAccessIssue]

        def make(axis: int | None) -> Array:
            inner = next((i for i, a in enumerate(to) if a == axis and old[i] == shape[a]), None)
            return self._bind([self._part(x, inner, old)], shape=self._cut(shape, axis))[0]

        if not isinstance(x, Slice):
            return Made(make) if shape else make(None)
        if old[x.axis] != shape[to[x.axis]]:
            self._refuse()
        return Slice(make(to[x.axis]), to[x.axis])

    def _reshape(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        """Layers stay layers where what comes before them in memory is of the same size."""
        shape, x = self._shapes[0], args[0]
        before = math.prod(self.eqn.invars[0].aval.shape[:axis])  # pyright: ignore
        for i in range(len(shape)):
            if math.prod(shape[:i]) == before and shape[i] % self.layers == 0 and shape[i]:
                return self._at(i, self._bind([x.x], new_sizes=self._cut(shape, i)))
        return self._refuse()

    def _transpose(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        return self._at(self.eqn.params["permutation"].index(axis), self._bind([args[0].x]))

    def _slice(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        params, x = self.eqn.params, args[0].x
        if self._shapes[0][axis] != self.eqn.invars[0].aval.shape[axis]:  # pyright: ignore
            self._refuse()
        limits = [
            n if i == axis else stop
            for i, (n, stop) in enumerate(zip(x.shape, params["limit_indices"], strict=True))
        ]
        return self._at(axis, self._bind([x], limit_indices=tuple(limits)))

    def _pad(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        if any(self.eqn.params["padding_config"][axis]):
            self._refuse()
        return self._at(axis, self._bind([args[0].x, self._part(args[1], None, None)]))

    def _gather(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        """Entries of a table for each number, or the same places in every layer."""
        (operand, indices), numbers = args, self.eqn.params["dimension_numbers"]
        if isinstance(indices, Slice):
            if isinstance(operand, Slice) or numbers.operand_batching_dims:
                self._refuse()
            rest = [i for i in range(len(self._shapes[0])) if i not in numbers.offset_dims]
            return self._at(rest[axis], self._bind([self._part(operand, None, None), indices.x]))
        sizes = self.eqn.params["slice_sizes"]
        apart = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
        if axis in (*numbers.start_index_map, *apart):
            self._refuse()
        kept = [i for i in range(len(sizes)) if i not in apart]
        made = self._bind([operand.x, self._part(indices, None, None)], slice_sizes=self._cut(sizes, axis))
        return self._at(numbers.offset_dims[kept.index(axis)], made)

    def _dot_general(self, args: Sequence[Any], axis: int) -> Sequence[Any]:
        """A product of matrices of each layer: the layers are a batch axis of both."""
        _, batch = self.eqn.params["dimension_numbers"]
        if any(axis not in b for b in batch) or batch[0].index(axis) != batch[1].index(axis):
            self._refuse()
        return self._at(batch[0].index(axis), self._bind(self._aligned(args, axis)))


def for_layer(eqn: JaxprEqn | Turn, args: Sequence[Any], layers: int, layer: Array) -> Sequence[Any]:
    """An operation of a graph, for one layer."""
    return _turned(eqn, layers, layer, *args) if isinstance(eqn, Turn) else LayerOp(eqn, layers, layer)(args)


def _turned(turn: Turn, layers: int, layer: Array, due: Any, old: Any, *operands: Any) -> Sequence[Any]:
    """What is done in some steps only: the old value is of one layer, or the same for all."""
    axis = old.axis if isinstance(old, Slice) else None

    def once(value):
        new = turn.of(operands, lambda eqn, args: for_layer(eqn, args, layers, layer))
        return jnp.zeros_like(value[0]), _array(new, axis)

    found = lax.while_loop(lambda value: value[0], once, (_array(due, None), _array(old, axis)))[1]
    return [found if axis is None else Slice(found, axis)]


def _array(x: Any, axis: int | None) -> Array:
    """The array of a value that has its layers along `axis`, or none."""
    if isinstance(x, Slice) and x.axis != axis:
        raise TakesLayersTogether("takes the layers together in some steps")
    return x.x if isinstance(x, Slice) else jnp.asarray(x.make(axis) if isinstance(x, Made) else x)


def rows_of(x: Array, layer: Array, axis: int, rows: int) -> Array:
    """The rows of a layer along an axis."""
    return lax.dynamic_slice_in_dim(x, layer * rows, rows, axis)


def with_rows(x: Array, part: Array, layer: Array, axis: int) -> Array:
    """The array with the rows of a layer replaced."""
    return lax.dynamic_update_slice_in_dim(x, part, layer * part.shape[axis], axis)
