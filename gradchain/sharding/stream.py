"""A function whose large operands are in the host's memory, done group by group: each waits for the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax import Array
from jax.extend.core import Literal

from gradchain.core import place, versions
from gradchain.storage.graph import Constant, Graph, Op

DEVICE = jax.memory.Space.Device


class Group(NamedTuple):
    """What is computed together: arguments in the host's memory, results, and which of them go back there."""

    brought: list[int]
    results: list[int]
    stored: list[int]


def streamed(f: Callable[..., Sequence[Any]], args: Sequence[Any], groups: Sequence[Group]) -> list[Any]:
    """f(*args), with host arrays brought to the device and results computed group by group.

    A compiler that sees all copies at once makes all of them first, and the device
    then holds everything. So the operations of f are repeated in the order in which the groups need them,
    and what a group brings from the host depends on what the one before has put back there: one group is
    computed while the next is on its way.
    """
    host = [(i, n) for n, group in enumerate(groups) for i in group.brought]

    def fetched(*args):
        arrays = list(args)
        for i, _ in host:
            arrays[i] = place.to_space(args[i], DEVICE)
        return f(*arrays)

    def group_of(ref: int | Constant) -> int | None:
        """Whose host array a value is, once on the device: the first operations bring them there."""
        at = -1 if isinstance(ref, Constant) else ref - len(args)
        return host[at][1] if 0 <= at < len(host) else None

    def opens(inputs: Sequence[int | Constant]) -> bool:
        """Whether a function takes arrays of several groups, as one of many leaves does."""
        return len({n for n in map(group_of, inputs) if n is not None}) > 1

    graph = Graph(fetched, args, opens)
    todo = _Todo(graph, args)
    before: list[Any] = []
    for group in groups:
        if before and group.brought:
            todo.values |= zip(group.brought, _after([args[i] for i in group.brought], before), strict=True)
        made = {i: todo.value(graph.outputs[i]) for i in group.results}
        before = [made[i] for i in group.stored] or before
    return [todo.value(ref) for ref in graph.outputs]


class _Todo:
    """The operations of a graph, each done when its result is asked for, and once."""

    def __init__(self, graph: Graph, args: Sequence[Any]):
        self.jaxpr, self.values = graph.jaxpr, dict(enumerate(args))
        self.makers = {ref: op for op in graph.ops for ref in op.outputs}

    def value(self, wanted: int | Constant) -> Any:
        """The value of a result, with all that it needs."""
        stack = [wanted]
        while stack:
            ref = stack[-1]
            if isinstance(ref, Constant) or ref in self.values:
                stack.pop()
                continue
            op = self.makers[ref]
            missing = [r for r in op.inputs if not isinstance(r, Constant) and r not in self.values]
            stack += reversed(missing)
            if not missing:
                self.values |= zip(op.outputs, self._done(op), strict=True)
        return self._read(wanted)

    def _done(self, op: Op) -> Sequence[Any]:
        given = {
            v: self._read(ref)
            for v, ref in zip(op.eqn.invars, op.inputs, strict=True)
            if not isinstance(v, Literal)
        }
        alone = self.jaxpr.replace(constvars=[], invars=[*given], outvars=op.eqn.outvars, eqns=[op.eqn])
        return versions.evaluate(alone, (), *given.values())

    def _read(self, ref: int | Constant) -> Any:
        return ref.value if isinstance(ref, Constant) else self.values[ref]


@jax.custom_jvp
def _barrier(arrays: Sequence[Array], others: Sequence[Array]) -> list[Array]:
    """The arrays, once the others are computed. Its own derivative makes arrays of zeros on the device."""
    return list(jax.lax.optimization_barrier((*arrays, *others))[: len(arrays)])


@_barrier.defjvp
def _(primals, tangents):
    return _barrier(*primals), list(tangents[0])


_after = versions.inlined(_barrier)  # alike groups share a trace; of a call XLA for TPU loses the barrier
