"""Looking at the updates in the middle of a chain: snapshot, monitor, measure_with_ema."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gradchain.core import foreign, kinds, returned, tree, values, words
from gradchain.core.leafwise import leafwise
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import like, of_tree, scalar
from gradchain.core.transform import transform
from gradchain.math import numerics
from gradchain.rules.parts.averaging import EmaState

PyTree = Any


class SnapshotState(NamedTuple):
    measurement: dict[str, PyTree]  # measure_name -> what was measured of the last updates


@transform(traits=frozenset({"any_leaf"}), example=lambda: {"measure_name": "update_norm"})
def snapshot(measure_name: str, measure: Callable[[Any], Any] | None = None):
    """Pass updates through and keep what is measured of them in the state: u = g.

    measure(updates) is a number, or any tree of arrays; by default the global norm. `metrics` reports it as
    measure_name. Under a mask the updates are a dict of the chosen leaves by path. A function has no place
    in a JSON config.
    """

    def take(updates):
        return returned.arrays((measure or tree.global_norm)(updates), "snapshot", "measure", measure)

    def before(updates, s):
        return s._replace(measurement={measure_name: jax.tree.map(jnp.asarray, take(updates))})

    def slots(params):
        return {
            measure_name: scalar() if measure is None else jax.tree.map(_slot, jax.eval_shape(take, params))
        }

    return leafwise(SnapshotState, lambda g, s: (g, s), before=before, measurement=of_tree(slots))


def _slot(x: Any):
    """A slot for a measurement: numbers are kept in the default float type."""
    return like(x) if x.shape or not jnp.issubdtype(x.dtype, jnp.floating) else scalar()


@dataclasses.dataclass(frozen=True, repr=False)
class measure_with_ema:
    """A measure for `monitor` that is averaged over the steps: m = decay m + (1 - decay) measure(updates).

    measure(updates) is a number or a tree of arrays. debias divides by 1 - decay^t; accumulator_dtype is what
    the average is kept in, by default what the measure gives.
    """

    measure: Callable[[Any], Any]
    decay: Any
    debias: bool = True
    accumulator_dtype: Any = None

    def init(self, params: PyTree) -> EmaState:
        """An average of nothing."""
        found = jax.eval_shape(self.measure, params)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, self.accumulator_dtype or x.dtype), found)
        return EmaState(jnp.zeros((), jnp.int32), zeros)

    def update(self, updates: PyTree, state: EmaState, params: PyTree = None, **extra: Any):
        """The average, and the new state."""
        t = numerics.increment(state.count)
        new = jax.tree.map(
            lambda m, x: numerics.ema(m, jnp.asarray(x, m.dtype), jnp.asarray(self.decay, m.dtype)),
            state.ema,
            self.measure(updates),
        )
        shown = jax.tree.map(lambda m: numerics.debias(m, self.decay, t), new) if self.debias else new
        return shown, EmaState(t, new)

    def __repr__(self) -> str:
        given = [(f.name, getattr(self, f.name), f.default) for f in dataclasses.fields(self)]
        shown = [f"{name}={values.text(x)}" for name, x, default in given if x is not default]
        return f"measure_with_ema({', '.join(shown)})"


class MonitoredState(NamedTuple):
    measurement: dict[str, PyTree]  # name -> what was measured of the last updates
    measure_states: dict[str, PyTree]  # name -> the state of a measure that keeps one


@dataclasses.dataclass(frozen=True)
class _Plain:
    """A function as a measure."""

    name: str
    measure: Callable[[Any], Any]

    def init(self, params: PyTree) -> tuple[()]:
        return ()

    def update(self, updates: PyTree, state: tuple[()], params: PyTree = None, **extra: Any):
        found = self.measure(updates)
        return returned.arrays(found, "monitor", f"the measure {self.name!r}", self.measure), state


def _measures(measures: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, measure in measures.items():
        if not foreign.is_pair(measure) and not (callable(measure) and kinds.takes(measure, 1)):
            raise TypeError(
                f"monitor: the measure {name!r} is {words.show(measure)}; expected a function of the "
                "updates alone, or measure_with_ema(function, decay)"
            )
        found[name] = measure if foreign.is_pair(measure) else _Plain(name, measure)
    return found


@transform(
    traits=frozenset({"any_leaf"}),
    example=lambda: {"measures": {"norm": tree.global_norm, "mean": measure_with_ema(tree.global_norm, 0.9)}},
    errors=lambda: [
        ErrorInput({"measures": {"norm": 3}}, TypeError, ("the measure 'norm' is 3",)),
        ErrorInput({"measures": {"norm": lambda: 1}}, TypeError, ("a function of the updates alone",)),
    ],
)
def monitor(measures: Mapping[str, Any]):
    """Pass updates through and keep several measurements of them in the state by name: u = g.

    A measure is a function of the updates that gives a number, or a tree of arrays, or a pair of functions:
    init(params) -> state, update(updates, state, params, **extra) -> (measurement, state), as
    measure_with_ema makes. `metrics` reports each under its name.
    """
    pairs = _measures(measures)

    def look(updates, states, params, extra):
        found, new = {}, {}
        for name, measure in pairs.items():
            takes = inspect.signature(measure.update).parameters.values()
            given = extra if any(p.kind is p.VAR_KEYWORD for p in takes) else {}
            found[name], s = measure.update(updates, states.get(name, ()), params, **given)
            new |= {name: s} if name in states else {}
        return found, new

    def init(params):
        made = {name: measure.init(params) for name, measure in pairs.items()}
        return {name: s for name, s in made.items() if jax.tree.leaves(s)}

    def measured(params):
        states = jax.eval_shape(init, params)
        found, _ = jax.eval_shape(lambda p, s: look(p, s, p, {}), params, states)
        return jax.tree.map(_slot, found)

    def started(params):
        abstract = any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(params))
        return jax.tree.map(like, jax.eval_shape(init, params) if abstract else init(params))

    def update(updates, s, params, **extra):
        new = MonitoredState(*look(updates, s.measure_states, params, extra))
        return updates, jax.tree.map(lambda x, old: jnp.asarray(x, old.dtype), new, s)

    return treewise(MonitoredState, update, measurement=of_tree(measured), measure_states=of_tree(started))
