"""inject_hyperparams: any factory called anew in each update, with the values that the state holds."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from gradchain.core import hyper, place, slots, words
from gradchain.core.foreign import as_transform, is_pair
from gradchain.core.hyper import Range, Tunable
from gradchain.core.kinds import DType
from gradchain.core.recipe import ErrorInput, Factory
from gradchain.core.slots import counter, of_tree, shared
from gradchain.core.transform import Inside, Transform, wrapper
from gradchain.math.numerics import increment
from gradchain.schedules import StatefulSchedule
from gradchain.wrappers.base import Wrapper

PyTree = Any
NUMBER, SCHEDULE, STATEFUL, STATIC = "number", "schedule", "stateful", "static"


class InjectedState(NamedTuple):
    count: Array  # [] int32, steps taken
    hyperparams: dict[str, Array]  # name -> [] what the last update used, or the next one will

    gives_hyperparams = True


class InjectedSchedulesState(NamedTuple):
    count: Array  # [] int32, steps taken
    hyperparams: dict[str, Array]  # name -> [] what the last update used, or the next one will
    hyperparams_states: dict[str, PyTree]  # name -> the state of its StatefulSchedule

    gives_hyperparams = True


class Arguments:
    """What a factory was called with, sorted into what is injected and what is not, and the call itself."""

    def __init__(self, make: Callable[..., Any], given: Mapping[str, Any], static: Iterable[str], dtype: Any):
        self.make, self.dtype, static = make, dtype, frozenset(static)
        self.factory: Factory | None = getattr(make, "factory", None)
        self.signature = inspect.signature(make)
        self.kwargs = self._of_kind(inspect.Parameter.VAR_KEYWORD)
        self.all = self._bound(given)
        _known(make, static, self.all)
        self.kinds = {name: STATIC if name in static else self._kind(name, x) for name, x in self.all.items()}

    def _of_kind(self, kind: Any) -> str | None:
        return next((n for n, p in self.signature.parameters.items() if p.kind is kind), None)

    def _bound(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments by name, those of **kwargs beside the others."""
        if self.factory is not None:
            return self.factory.bind((), given)
        bound = inspect.BoundArguments(self.signature, dict(given))  # pyright: ignore[reportArgumentType]
        bound.apply_defaults()
        found = dict(bound.arguments)
        rest = found.pop(self.kwargs) if self.kwargs else {}
        return found | rest

    def _kind(self, name: str, value: Any) -> str:
        if self.factory is not None and name not in self.factory.ranges:
            return STATIC
        if isinstance(value, StatefulSchedule) and not hasattr(value, "factory"):
            return STATEFUL
        if isinstance(value, Tunable) or (_is_number(value) and not isinstance(value, bool)):
            return NUMBER
        asks = _is_schedule if self.factory is None else hyper.is_schedule
        return SCHEDULE if asks(value) else STATIC

    def of(self, kind: str) -> dict[str, Any]:
        """The arguments of one kind."""
        return {name: self.all[name] for name, k in self.kinds.items() if k == kind}

    def array(self, value: Any) -> Array:
        """A value as an array: in the dtype for floating ones, but whole for another library's factory."""
        value = jnp.asarray(value.value if isinstance(value, Tunable) else value)
        if self.factory is None and not jnp.issubdtype(value.dtype, jnp.inexact):
            return value.astype(value.dtype)  # no longer weakly typed
        return value.astype(self.dtype or hyper.float_type())

    def call(self, values: Mapping[str, Any]) -> Transform:
        """The transform with these values for what is injected."""
        given = {**self.all, **values}
        if self.kwargs:
            own = {name for name in self.signature.parameters if name != self.kwargs}
            rest = {name: x for name, x in given.items() if name not in own}
            given = {name: given[name] for name in own} | {self.kwargs: rest}
        ordered = {name: given[name] for name in self.signature.parameters}
        bound = inspect.BoundArguments(self.signature, ordered)  # pyright: ignore[reportArgumentType]
        return as_transform(self.make(*bound.args, **bound.kwargs), _name(self.make))


def _known(make: Any, static: Iterable[str], names: Iterable[str]) -> None:
    """That a factory has the arguments that are to stay as they are."""
    for name in sorted(frozenset(static) - frozenset(names)):
        raise ValueError(
            f"injected: static_args has {words.show(name)}, which {_name(make)} has not; "
            f"{words.meant(name, names)}"
        )


def _name(make: Any) -> str:
    return getattr(make, "__name__", None) or words.show(make)


def _is_number(value: Any) -> bool:
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return jnp.issubdtype(value.dtype, jnp.number)
    return isinstance(value, int | float)


def _is_schedule(value: Any) -> bool:
    """Whether a function gives one number for a step; what does not is passed on as it is."""
    if not callable(value) or isinstance(value, type) or is_pair(value):
        return False
    try:
        found = jax.tree.leaves(jax.eval_shape(value, jax.ShapeDtypeStruct((), jnp.int32)))
    except Exception:  # whatever a function of something else raises
        return False
    return len(found) == 1 and math.prod(found[0].shape) == 1


class Injected(Wrapper):
    """A wrapper that makes what it wraps anew in each update; what it holds is made of the first values."""

    def __init__(self, arguments: Arguments):
        self.arguments = arguments
        stateful = arguments.of(STATEFUL)
        fields = {"count": shared(counter), "hyperparams": of_tree(lambda params: self._started())}
        if stateful:
            fields["hyperparams_states"] = of_tree(
                lambda params: jax.tree.map(slots.like, {k: f.init() for k, f in stateful.items()})
            )
        State = InjectedSchedulesState if stateful else InjectedState
        first = arguments.call(self.first())
        super().__init__(State, first, self.step, "count", frozenset(), fields)

    def first(self) -> dict[str, Array]:
        """The values at the first update."""
        states = {name: f.init() for name, f in self.arguments.of(STATEFUL).items()}
        numbers = {k: self.arguments.array(x) for k, x in self.arguments.of(NUMBER).items()}
        return numbers | self.scheduled(jnp.zeros((), jnp.int32), states, None)

    def _started(self) -> dict[str, Any]:
        with place.off_mesh():
            return {name: slots.like(x) for name, x in self.first().items()}

    def scheduled(self, count: Array, states: Mapping[str, Any], extra: Mapping[str, Any] | None) -> dict:
        """The values of schedules in this update; of those that are told more, at the start without it."""
        found = {}
        for name, schedule in self.arguments.of(SCHEDULE).items():
            found[name] = hyper.scheduled("injected", name, schedule, count)
        for name, schedule in self.arguments.of(STATEFUL).items():
            found[name] = schedule(states[name], **(extra or {}))
        return {name: self.arguments.array(x).reshape(()) for name, x in found.items()}

    def values(self, s: Any, extra: Mapping[str, Any]) -> dict[str, Array]:
        """The values of this update: those that the state holds, and those of schedules."""
        numbers = {k: self.arguments.array(s.hyperparams[k]) for k in self.arguments.of(NUMBER)}
        return numbers | self.scheduled(s.count, getattr(s, "hyperparams_states", {}), extra)

    def step(self, inner, g, s, state, params):
        """Make the transform with the values of this update, and run it."""
        values = self.values(s, inner.extra)
        tx = self.arguments.call(values)
        if tx.body.keys != self.tx.body.keys:
            raise ValueError(
                f"injected: {_name(self.arguments.make)} made {tx.recipe!r}, which keeps other states than "
                f"{self.tx.recipe!r}, made at the start; expected the same links for all values"
            )
        out, state = dataclasses.replace(inner, tx=tx).run(g, state, params)
        new = s._replace(count=increment(s.count), hyperparams=values)
        if stateful := self.arguments.of(STATEFUL):
            kept = {k: f.update(s.hyperparams_states[k], **inner.extra) for k, f in stateful.items()}
            alike = jax.tree.map(lambda x, y: jnp.asarray(x, y.dtype), kept, s.hyperparams_states)
            new = new._replace(hyperparams_states=alike)
        return out, new, state

    @property
    def hyperparams(self) -> dict[str, Any]:
        """What is injected: numbers may be set, as tunable ones."""
        numbers = {name: _tunable(x) for name, x in self.arguments.of(NUMBER).items()}
        rest = {**self.arguments.of(SCHEDULE), **self.arguments.of(STATEFUL)}
        return {name: {**numbers, **rest}[name] for name in self.arguments.all if name in {**numbers, **rest}}

    @property
    def ranges(self) -> Mapping[str, Range]:
        """Those of the factory; any numbers for another library's, whole where the first is."""
        if self.arguments.factory is not None:
            return {name: self.arguments.factory.ranges[name] for name in self.hyperparams}
        whole = {
            name
            for name, x in self.arguments.of(NUMBER).items()
            if jnp.issubdtype(self.arguments.array(x).dtype, jnp.integer)
        }
        return {name: Range(-math.inf, math.inf, integer=name in whole) for name in self.hyperparams}

    def inside_at(self, entry: Any) -> list[Inside]:
        """What it wraps, made with the values of an entry in a state."""
        tx = self.arguments.call({k: self.arguments.array(x) for k, x in entry.hyperparams.items()})
        return [dataclasses.replace(part, tx=tx) for part in self.inside()]


def _tunable(value: Any) -> Tunable:
    if isinstance(value, Tunable):
        return value
    if isinstance(value, Tracer):
        return Tunable(math.nan)  # not known while the program is traced
    known = value if isinstance(value, int | float) else np.asarray(value).item()
    return Tunable(known)


@wrapper(
    example=lambda: {"inner_factory": _adam(), "arguments": {"learning_rate": 0.1}},
    errors=lambda: [
        ErrorInput({"static_args": "b3"}, ValueError, ("static_args has 'b3'", "did you mean b")),
        ErrorInput({"inner_factory": _adam()(0.1)}, TypeError, ("inner_factory is", "without calling it")),
    ],
)
def injected(
    inner_factory: Any,
    arguments: Mapping[str, Any],
    static_args: Any = (),
    hyperparam_dtype: DType | None = None,
):
    """What `inject_hyperparams(inner_factory)(**arguments)` makes, as one call; see there."""
    if not callable(inner_factory) or (is_pair(inner_factory) and not hasattr(inner_factory, "factory")):
        raise TypeError(
            f"injected: inner_factory is {words.show(inner_factory)}; expected a function that makes a "
            "transformation, without calling it: inject_hyperparams(adam)(learning_rate=0.1)"
        )
    static = [static_args] if isinstance(static_args, str) else static_args
    return Injected(Arguments(inner_factory, arguments, static, hyperparam_dtype))


def _adam() -> Any:
    from gradchain.rules.adaptive.adam import adam

    return adam


def inject_hyperparams(
    inner_factory: Callable[..., Any],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., Transform]:
    """A factory like another, gradchain's, Optax's or one's own, whose numbers are kept in the state.

        tx = inject_hyperparams(adamw)(learning_rate=cosine_decay_schedule(0.1, 100), weight_decay=0.01)
        state["injected"].hyperparams["weight_decay"] = 0.02  # or set_hyperparams

    inner_factory is called again in each update, with arrays: it may compute with them. Injected are numbers,
    arrays and schedules (functions of the step that give a number, StatefulSchedule) that static_args does
    not name; all else is passed on as it is, and so is what a factory of gradchain's takes no schedule for.
    hyperparam_dtype: what floating ones are kept in; None: float32, or float64 under x64.
    """

    parameters = inspect.signature(inner_factory).parameters if callable(inner_factory) else {}
    if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        _known(inner_factory, [static_args] if isinstance(static_args, str) else static_args, parameters)

    @functools.wraps(inner_factory, updated=())
    def made(*args: Any, **kwargs: Any) -> Transform:
        factory = getattr(inner_factory, "factory", None)
        if isinstance(factory, Factory):
            kwargs = dict(factory.named(kwargs))
        try:
            given = inspect.signature(inner_factory).bind(*args, **kwargs).arguments
        except TypeError as error:
            signature = f"{_name(inner_factory)}{inspect.signature(inner_factory)}"
            raise TypeError(f"inject_hyperparams: {error}; signature: {signature}") from None
        return injected(inner_factory, dict(given), static_args, hyperparam_dtype)

    return made


inject_stateful_hyperparams = inject_hyperparams  # schedules with a state are taken anyway
