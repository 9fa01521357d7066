"""A transform's step on one layer of stacked parameters, in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import ages
from gradchain.core.foreign import Foreign
from gradchain.core.slots import Slot
from gradchain.core.transform import Transform
from gradchain.core.tree import subtree
from gradchain.storage.graph import Graph
from gradchain.storage.layerwise import Made, Slice, TakesLayersTogether, for_layer, rows_of, with_rows

PyTree = Any


def after(index: Array, values: PyTree) -> tuple[Array, PyTree]:
    """The index and arrays as they are, the index known to the compiler only when the arrays are.

    What is read and written at such an index is in order: XLA copies a whole stack where it does not see that
    everything is read before it is written over. XLA for CPU forgets optimization barriers too early; there
    the index is clamped between itself and itself, an element of each array standing in the middle.
    """
    return lax.platform_dependent(index, values, cpu=_clamp, default=_barrier)


def _barrier(index: Array, values: PyTree) -> tuple[Array, PyTree]:
    return lax.optimization_barrier((index, values))


def _clamp(index: Array, values: PyTree) -> tuple[Array, PyTree]:
    for x in jax.tree.leaves(values):
        whole = all(axis is None for axis in jax.typeof(x).sharding.spec)
        if x.size and whole:  # an element of a split array would have to be sent around
            first = lax.slice(x, (0,) * x.ndim, (1,) * x.ndim).reshape(())
            middle = lax.real(first) if jnp.iscomplexobj(first) else first
            index = lax.clamp(index, middle.astype(index.dtype), index)
    return index, values


def _same(index: Array, values: PyTree) -> tuple[Array, PyTree]:
    return index, values


def as_it_is(x: Array) -> Array:
    """An array that a loop only reads: XLA for TPU would convert its whole stack to bfloat16 in advance."""
    info = jnp.finfo(x.dtype)
    if info.bits < 32 or jnp.iscomplexobj(x):
        return x
    keep = lambda x: lax.reduce_precision(x, info.nexp, info.nmant)  # noqa: E731
    return lax.platform_dependent(x, tpu=keep, default=lambda x: x)


class Update:
    """tx.step(grads, state, params) for one layer at a time, with the numbers of the whole step.

    Its arguments are numbered: gradients, parameters, state, extras. `results` says what parameters and state
    become, `axes` along which axis an argument has the layers; `stacks` are those of them that change.
    """

    def __init__(self, tx: Transform, params: PyTree, state: PyTree, extra: Mapping[str, Any], layers: int):
        self.layers, self.count = layers, len(jax.tree.leaves(params))
        held, self.treedef = jax.tree.flatten((params, state))
        more = [jnp.asarray(x) for x in jax.tree.leaves(extra)]
        self.arrays = [*held[: self.count], *held, *more]
        self.axes = [*[0] * (2 * self.count), *self._axes(tx, params, state), *[None] * len(more)]
        given = jax.tree.structure((params, (params, state), extra))

        def step(*flat):
            grads, (params, state), extra = jax.tree.unflatten(given, flat)
            return jax.tree.leaves(tx.step(grads, state, params, **extra))

        self.graph = Graph(step, self.arrays)
        self.results = dict(enumerate(self.graph.outputs, self.count))
        stacked = [i for i in self.results if self.axes[i] is not None]
        self.changed = [i for i in stacked if self.results[i] != i]
        self.order = list(self._order())
        self.stacks = [self.arrays[i] for i in self.changed]
        self._check()

    def _axes(self, tx: Transform, params: PyTree, state: PyTree) -> list[int | None]:
        slots, arrays = jax.tree.leaves(ages.like(tx.slots(params), state)), jax.tree.leaves(state)
        if len(slots) != len(arrays):
            raise ValueError(
                f"gradient_release: the state has {len(arrays)} arrays, and {tx.name} keeps {len(slots)} for "
                "these parameters: make a new one with tx.init(params)"
            )
        return [self._axis(slot, x) for slot, x in zip(slots, arrays, strict=True)]

    def _axis(self, slot: Slot, x: Array) -> int | None:
        if 0 in slot.axes:
            return slot.axes.index(0)
        # Blocks, or another library's: taken to be in the order of the layers, which the operations confirm.
        shared = slot.leaf is not None and not slot.leaf.shape
        return 0 if x.ndim and not shared and x.shape[0] % self.layers == 0 else None

    def _order(self) -> Iterator[tuple[int, bool]]:
        """(number, whether it is written): each is written when no other has its old value yet to read.

        Of several that read each other, the one that reads most is computed first and written later.
        """
        reads = {i: self.graph.reads_of(self.results[i]) for i in self.changed}
        while reads:
            free = [i for i in reads if not any(i in reads[k] for k in reads if k != i)]
            for i in free:
                yield i, True
                del reads[i]
            if not free:
                first = max(reads, key=lambda i: (len(reads[i] & reads.keys()), -self.arrays[i].nbytes))
                yield first, False
                reads[first] = frozenset()

    def _check(self) -> None:
        """Raise where a layer cannot be updated by itself."""
        grads = [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in self.arrays[: self.count]]

        def everything(layer, grads, stacks):
            arrays = self._current(stacks)
            for i in self.results.keys() - self.changed:
                self._computed(i, layer, grads, arrays)
            return self.layer(layer, grads, stacks)

        jax.eval_shape(everything, jax.ShapeDtypeStruct((), jnp.int32), grads, self.stacks)

    def _current(self, stacks: Sequence[Array]) -> dict[int, Array]:
        return dict(enumerate(self.arrays)) | dict(zip(self.changed, stacks, strict=True))

    def params(self, layer: Array, stacks: Sequence[Array]) -> list[Array]:
        """The parameters of a layer."""
        arrays = self._current(stacks)
        numbers = range(self.count, 2 * self.count)
        rows = {i: rows_of(arrays[i], layer, 0, 1)[0] for i in numbers}
        return [rows[i] if i in self.changed else as_it_is(rows[i]) for i in numbers]

    def layer(self, layer: Array, grads: Sequence[Array], stacks: Sequence[Array]) -> list[Array]:
        """The stacks with a layer updated."""
        arrays, held = self._current(stacks), {}
        readers: dict[int, list[int]] = {i: [] for i in self.changed}
        for i, write in self.order:
            # What was computed from the old rows comes first, and so does where it was written. XLA for TPU
            # finds that order by itself, and computes all that is written in one kernel.
            read = {k: held[k] if k in held else arrays[k] for k in readers[i]}
            index, read = (
                lax.platform_dependent(layer, read, tpu=_same, default=after) if read else (layer, read)
            )
            for k, x in read.items():
                (held if k in held else arrays)[k] = x
            rows = held.pop(i, None)
            if rows is None:
                rows = self._computed(i, index, grads, arrays)
                for k in self.graph.reads_of(self.results[i]) & readers.keys() - {i}:
                    readers[k].append(i)
            if write:
                arrays[i] = with_rows(arrays[i], rows, index, self.axes[i])
            else:
                held[i] = rows
        return [arrays[i] for i in self.changed]

    def _computed(self, i: int, layer: Array, grads: Sequence[Array], arrays: Mapping[int, Any]) -> Array:
        """What becomes of the rows of a layer in the array i, or of the array if it has no layers."""
        known = {}
        for k in self.graph.reads_of(self.results[i]):
            if k < self.count:
                known[k] = Slice(grads[k][None], 0)
            elif (axis := self.axes[k]) is not None:
                known[k] = Slice(rows_of(arrays[k], layer, axis, arrays[k].shape[axis] // self.layers), axis)
            else:
                known[k] = arrays[k]
        new = self.graph.run(
            self.results[i], known, lambda eqn, args: for_layer(eqn, args, self.layers, layer)
        )
        axis = self.axes[i]
        if isinstance(new, Slice) and new.axis != axis:
            raise TakesLayersTogether("keeps something that depends on all layers, and is not one for each")
        if isinstance(new, Slice):
            return new.x
        if isinstance(new, Made):
            return new.make(axis)
        new = jnp.asarray(new)
        return new if axis is None else rows_of(new, layer, axis, arrays[i].shape[axis] // self.layers)

    def result(self, stacks: Sequence[Array]) -> tuple[PyTree, PyTree]:
        """Parameters and state when all layers are updated."""
        arrays = self._current(stacks)
        once = {i: self._computed(i, jnp.int32(0), (), arrays) for i in self.results if self.axes[i] is None}
        return self.treedef.unflatten([once.get(i, arrays[i]) for i in self.results])


def reason(tx: Transform, params: PyTree, layers: int) -> tuple[str, str] | None:
    """The innermost link that cannot update a layer by itself, and why; None if it can."""
    for inside in tx.body.inside():
        seen = params if inside.picked is None else subtree(params, inside.picked(params))
        if found := reason(inside.tx, seen, layers):
            return found
    extra = dict.fromkeys(tx.body.needs, jax.ShapeDtypeStruct((), jnp.float32))
    try:
        state = jax.eval_shape(tx.init, params)
        jax.eval_shape(lambda p, s, e: Update(tx, p, s, e, layers).stacks, params, state, extra)
    except TakesLayersTogether as error:
        name = tx.body.keys[0] if isinstance(tx.body, Foreign) else tx.name
        return name, "needs a number of all leaves" if getattr(tx.body, "before", None) else str(error)
    return None
