"""One optimizer on one target: what its compiled step moves, launches and keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from benchmarks.aot.shapes import abstract, nbytes, size
from gradchain.aot.hlo import Program
from gradchain.aot.targets import Target

PyTree = Any


ADDING = 12  # bytes for each parameter: gradient and accumulator read, accumulator written, in float32


def floor(params: PyTree, state: PyTree) -> float:
    """Bytes for each parameter: gradients, parameters, state read once; parameters, state written once."""
    return (3 * nbytes(params) + 2 * nbytes(state)) / size(params)


def average_floor(due: float, every: int) -> float:
    """The same of a step on average, when `every` - 1 steps only add gradients."""
    return (due + (every - 1) * ADDING) / every


class Figures(NamedTuple):
    """Per step; bytes and scratch memory in bytes for each parameter."""

    floor: float  # gradients, parameters and state read once, parameters and state written once
    bytes: float  # of HBM traffic, where every loop and the dearest branches are taken
    least: float  # the same where none is: a step of `accumulate` that only adds
    kernels: int
    copies: int
    unfused: int
    temp: float
    operations: float  # numbers computed for each parameter
    cycles: int  # of all fusions, as XLA for TPU estimates them; 0 for other targets
    lower_seconds: float
    compile_seconds: float

    def average(self, every: int) -> float:
        """Bytes of HBM traffic of a step on average, when the dear one comes once in `every`."""
        return (self.bytes + (every - 1) * self.least) / every


def step_of(tx: Any) -> Callable:
    """(params, state, grads, **extra) -> (params, state) for a transformation of gradchain or of Optax."""
    if hasattr(tx, "step"):
        return lambda params, state, grads, **extra: tx.step(grads, state, params, **extra)

    def step(params, state, grads, **extra):
        import optax

        updates, state = tx.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    return step


def extras(tx: Any) -> dict[str, Any]:
    """Abstract extra arguments for a transformation that needs some: scalars, such as a loss value."""
    return {name: abstract() for name in sorted(tx.body.needs)} if hasattr(tx, "body") else {}


@functools.lru_cache(maxsize=256)
def _measure(
    target: Target, make: Callable[[], Any], shapes: Callable[[], PyTree]
) -> tuple[Figures, Program]:
    tx, params = make(), shapes()
    state, extra = jax.eval_shape(tx.init, params), extras(tx)
    step = step_of(tx)

    def flat(params, state, grads, extra):
        return step(params, state, grads, **extra)

    made = target.compile(flat, params, state, params, extra, donate=(0, 1))
    program, n = Program(made.text), size(params)
    cost = program.cost
    figures = Figures(
        floor=floor(params, state),
        bytes=cost.bytes / n,
        least=cost.least / n,
        kernels=cost.kernels,
        copies=cost.copies,
        unfused=cost.unfused,
        temp=made.temp / n,
        operations=program.operations / n,
        cycles=program.cycles,
        lower_seconds=made.lower_seconds,
        compile_seconds=made.compile_seconds,
    )
    return figures, program


def measure(target: Target, make: Callable[[], Any], shapes: Callable[[], PyTree]) -> Figures:
    """Compile the step of make() on parameters of shapes(), state and parameters donated; once for each."""
    return _measure(target, make, shapes)[0]


def program(target: Target, make: Callable[[], Any], shapes: Callable[[], PyTree]) -> Program:
    """The program that `measure` looked at."""
    return _measure(target, make, shapes)[1]
