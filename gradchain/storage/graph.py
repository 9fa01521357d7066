"""The operations of a function, one by one: what depends on what, and running some of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


class Constant(NamedTuple):
    """A value that is known when a function is traced."""

    value: Any


class Turn(NamedTuple):
    """One result of a loop of one turn or none: that of its body, or the old one.

    The operands are whether it turns, the old result, and the arguments of the body that it reads.
    """

    body: Graph
    result: int | Constant
    reads: tuple[int, ...]

    def of(self, operands: Sequence[Any], do: Callable[[Any, Sequence[Any]], Sequence[Any]]) -> Any:
        """The result of the body, each operation done by `do`."""
        return self.body.run(self.result, dict(zip(self.reads, operands, strict=True)), do)


class Op(NamedTuple):
    """One operation; values are numbered, the arguments of the function first."""

    eqn: Any  # a JaxprEqn, or a Turn
    inputs: tuple[int | Constant, ...]
    outputs: tuple[int, ...]


class Graph:
    """The operations of f(*args) -> arrays, with the functions and short loops in it opened.

    With `opens`, only the functions whose inputs it says yes to: arguments are numbers below len(args).
    """

    def __init__(
        self,
        f: Callable[..., Sequence[Any]],
        args: Sequence[Any],
        opens: Callable[[Sequence[int | Constant]], bool] | None = None,
    ):
        closed = jax.make_jaxpr(f)(*args)
        self.jaxpr = closed.jaxpr
        self.ops: list[Op] = []
        self.size, self.opens = len(args), opens
        self.first = self.size  # the number of the first value that is computed
        self.outputs = self._open(closed.jaxpr, [*map(Constant, closed.consts), *range(len(args))])

    def _open(self, jaxpr: Jaxpr, refs: Sequence[int | Constant]) -> list[int | Constant]:
        env = dict(zip((*jaxpr.constvars, *jaxpr.invars), refs, strict=True))
        read = lambda v: Constant(v.val) if isinstance(v, Literal) else env[v]  # noqa: E731
        for eqn in jaxpr.eqns:
            inputs, name = [read(v) for v in eqn.invars], eqn.primitive.name
            if self.opens is not None and not (name in CALLS and self.opens(inputs)):
                made = self._append(eqn, inputs)
            elif name in CALLS:
                made = self._called(eqn.params[CALLS[name]], inputs)
            elif name == "cond" and (platforms := eqn.params.get("branches_platforms")):
                # Programs of one function for several platforms: that for any.
                made = self._called(eqn.params["branches"][platforms.index(None)], inputs[1:])
            elif name == "scan" and _is_short_loop(eqn.params):
                shared, made = inputs[: eqn.params["num_consts"]], inputs[eqn.params["num_consts"] :]
                for _ in range(eqn.params["length"]):
                    made = self._called(eqn.params["jaxpr"], [*shared, *made])
            elif name == "while" and _is_one_turn(eqn.params):
                made = self._turned(eqn.params["body_jaxpr"], inputs, eqn.params["body_nconsts"])
            else:
                made = self._append(eqn, inputs)
            env |= zip(eqn.outvars, made, strict=True)
        return [read(v) for v in jaxpr.outvars]

    def _called(self, closed: Any, inputs: Sequence[int | Constant]) -> list[int | Constant]:
        return self._open(closed.jaxpr, [*map(Constant, closed.consts), *inputs])

    def _turned(self, closed: Any, inputs: Sequence[int | Constant], consts: int) -> list[int | Constant]:
        """A loop of one turn or none, as one operation for each result, with what that one reads."""
        types = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in closed.jaxpr.invars]
        body, made = Graph(jaxpr_as_fun(closed), types), [inputs[consts]]
        for result, old in zip(body.outputs[1:], inputs[consts + 1 :], strict=True):
            reads = tuple(sorted(body.reads_of(result)))
            made += self._append(
                Turn(body, result, reads), (inputs[consts], old, *(inputs[i] for i in reads))
            )
        return made

    def _append(self, eqn: JaxprEqn | Turn, inputs: Sequence[int | Constant]) -> list[int]:
        made = list(range(self.size, self.size + (1 if isinstance(eqn, Turn) else len(eqn.outvars))))
        self.size += len(made)
        self.ops.append(Op(eqn, tuple(inputs), tuple(made)))
        return made

    @functools.cached_property
    def reads(self) -> Mapping[int, frozenset[int]]:
        """The arguments that each value depends on."""
        found = {i: frozenset([i]) for i in range(self.first)}
        for op in self.ops:
            of = (found[ref] for ref in op.inputs if not isinstance(ref, Constant))
            found |= dict.fromkeys(op.outputs, frozenset().union(*of))
        return found

    def reads_of(self, ref: int | Constant) -> frozenset[int]:
        """The arguments that a value depends on."""
        return frozenset() if isinstance(ref, Constant) else self.reads[ref]

    def run(
        self,
        wanted: int | Constant,
        known: Mapping[int, Any],
        do: Callable[[Any, Sequence[Any]], Sequence[Any]],
    ) -> Any:
        """The value of `wanted` from values that are known, each operation done by `do`."""
        if isinstance(wanted, Constant):
            return wanted.value
        needed, todo = {wanted}, []
        for op in reversed(self.ops):
            if not needed.isdisjoint(op.outputs):
                todo.append(op)
                needed |= {ref for ref in op.inputs if not isinstance(ref, Constant)}
        values = dict(known)
        read = lambda ref: ref.value if isinstance(ref, Constant) else values[ref]  # noqa: E731
        for op in reversed(todo):
            values |= zip(op.outputs, do(op.eqn, [read(ref) for ref in op.inputs]), strict=True)
        return values[wanted]


def _is_short_loop(params: Mapping[str, Any]) -> bool:
    """Whether a scan is a loop of a few turns over what it carries, as a search in a table is."""
    if "num_carry" not in params:  # another operation with the names of a scan
        return False
    body, carried = params["jaxpr"], params["num_carry"]
    ends = len(body.in_avals) - params["num_consts"], len(body.out_avals)
    return params["length"] <= 32 and ends == (carried, carried)


def _is_one_turn(params: Mapping[str, Any]) -> bool:
    """Whether a loop is `control.when`: it turns while its first value holds, and its body ends that."""
    ask, last = params["cond_jaxpr"].jaxpr, params["body_jaxpr"].jaxpr.outvars[0]
    asked = not ask.eqns and not params["cond_nconsts"] and ask.outvars[0] is ask.invars[0]
    return asked and isinstance(last, Literal) and not last.val
