"""A transformation of the gradients of single examples, an aggregator of them, and an optimizer, as one."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gradchain import tree
from gradchain.core import words
from gradchain.core.control import when
from gradchain.core.foreign import is_pair
from gradchain.core.transform import Transform
from gradchain.types import EmptyState, GradientTransformationExtraArgs, OptState, Params, TransformInitFn

PerElementUpdates = Any  # a tree of arrays [*examples, *parameter]
AggregatedUpdates = Any  # a tree of arrays [*parameter]
MaybeAxis = int | Sequence[int] | None


class AggregatorUpdateFn(Protocol):
    """update(per_elt_updates, state, params, **extra) -> (updates, state)."""

    def __call__(
        self, per_elt_updates: PerElementUpdates, state: OptState, params: Params | None = None, **extra: Any
    ) -> tuple[AggregatedUpdates, OptState]: ...


class Aggregator(NamedTuple):
    """A pair of functions from the gradients of single examples to updates of the parameters' shape."""

    init: TransformInitFn
    update: AggregatorUpdateFn


class ProcessState(NamedTuple):
    """The states of the three parts of `process`."""

    preprocessor: Any
    aggregator: Any
    postprocessor: Any


def empty(params: Params) -> EmptyState:
    """The state of what has none."""
    return EmptyState()


def passed(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
    """The updates as they are."""
    return updates, state


def _call(tx: Any, updates: Any, state: Any, params: Any, extra: dict[str, Any]) -> tuple[Any, Any]:
    """update, with the extra arguments if it takes any."""
    kinds = [p.kind for p in inspect.signature(tx.update).parameters.values()]
    given = extra if inspect.Parameter.VAR_KEYWORD in kinds else {}
    return tx.update(updates, state, params, **given)


def process(
    preprocessor: Any, aggregator: Any, postprocessor: Any, aggregator_has_aux: bool = False
) -> Aggregator | GradientTransformationExtraArgs:
    """Gradients of examples through a transformation, an aggregator and an optimizer.

    The optimizer runs only where the aggregator's state has no field `ready` or a true one; else updates are
    0 and its state stays. With aggregator_has_aux the aggregator returns (updates, arguments by name), and
    the optimizer gets them as extra arguments. A gradchain preprocessor does not get the parameters, whose
    shapes differ.
    """
    parts = {"preprocessor": preprocessor, "aggregator": aggregator, "postprocessor": postprocessor}
    for name, part in parts.items():
        if not is_pair(part) or hasattr(part, "factory"):
            raise TypeError(
                f"process: {name} is {words.show(part)}; expected a transformation (with init and update)"
            )

    def init(params: Params) -> ProcessState:
        return ProcessState(*(part.init(params) for part in parts.values()))

    def update(updates: Any, state: ProcessState, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        before = None if isinstance(preprocessor, Transform) else params
        updates, first = _call(preprocessor, updates, state.preprocessor, before, extra)
        found, second = _call(aggregator, updates, state.aggregator, params, extra)
        updates, more = found if aggregator_has_aux else (found, {})

        def step(updates: Any, last: Any, params: Any) -> tuple[Any, Any]:
            return _call(postprocessor, updates, last, params, {**extra, **more})

        ready = [x for _, x in tree.get_all_with_path(second, "ready")]
        if ready:
            shapes, _ = jax.eval_shape(step, updates, state.postprocessor, params)
            zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
            run = lambda carry, updates, params: step(updates, carry[1], params)  # noqa: E731
            due = jnp.all(jnp.stack(ready))
            updates, last = when(due, run, (zeros, state.postprocessor), updates, params)
        else:
            updates, last = step(updates, state.postprocessor, params)
        return updates, ProcessState(first, second, last)

    kind: Any = Aggregator if isinstance(aggregator, Aggregator) else GradientTransformationExtraArgs
    return kind(init, update)
