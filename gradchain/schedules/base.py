"""What every schedule shares: checked fields, the treatment of the count, text, the registry."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from gradchain.core import shown, words

SCHEDULES: dict[str, type[Schedule]] = {}


@typing.dataclass_transform(frozen_default=True)
def schedule(cls: type) -> Any:
    """Make a class a frozen dataclass and enter it in `SCHEDULES` under its name."""
    cls = dataclasses.dataclass(frozen=True, repr=False)(cls)
    cls.__init__ = _named(cls, cls.__init__)
    SCHEDULES[cls.__name__] = cls
    return cls


def _named(cls: type, made: Callable) -> Callable:
    """Its initialisation, with an error that says what was meant by an argument that it does not have."""
    fields = [f.name for f in dataclasses.fields(cls)]

    @functools.wraps(made)
    def init(self, *args, **kwargs):
        for name in kwargs:
            if name not in fields:
                hint = words.meant(name, fields)
                raise TypeError(f"{cls.__name__}() has no argument {words.show(name)}; {hint}")
        try:
            made(self, *args, **kwargs)
        except TypeError:
            signature = inspect.signature(made)
            try:
                signature.bind(self, *args, **kwargs)
            except TypeError as error:
                shown = [str(p).split(":")[0] for p in signature.parameters.values()][1:]
                said = f"{cls.__name__}(): {error}; signature: {cls.__name__}({', '.join(shown)})"
                raise TypeError(said) from None
            raise

    return init


class Schedule:
    """A value that depends on the step; a subclass writes `_at`, for counts that are never negative."""

    def __post_init__(self):
        for name, convert in _converters(type(self)).items():
            object.__setattr__(self, name, convert(self, name, getattr(self, name)))
        self._check()

    def __call__(self, count) -> Array:
        """The value used by the update that has `count` updates before it."""
        count = jnp.asarray(count)
        if not jnp.issubdtype(count.dtype, jnp.integer):
            raise TypeError(f"{type(self).__name__}: count has dtype {count.dtype}, expected integers")
        eager = not isinstance(count, Tracer) and _constant(self)
        return _compiled(self)(count) if eager else _evaluate(self, count)

    def __repr__(self) -> str:
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(typing.cast(Any, self))}
        return f"{type(self).__name__}({', '.join(f'{name}={_text(v)}' for name, v in values.items())})"

    _repr_html_ = shown.html

    def plot(self, steps: int | None = None, *, log: bool = False) -> Any:
        """The values over the steps as a matplotlib figure; see `gradchain.plot.schedules`."""
        from gradchain.plot.schedules import schedules

        return schedules({type(self).__name__: self}, steps, log=log)

    def _at(self, count: Array) -> Array:
        raise NotImplementedError

    def _check(self) -> None:
        """Check what concerns several fields."""

    def _fail(self, field: str, found: Any, expected: str) -> NoReturn:
        raise ValueError(f"{type(self).__name__}: {field} is {words.show(found)}, expected {expected}")


@functools.cache
def _converters(cls: type) -> dict[str, Callable[[Schedule, str, Any], Any]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {name: c for name, hint in hints.items() for c in getattr(hint, "__metadata__", ()) if callable(c)}


def _evaluate(schedule: Schedule, count: Array) -> Array:
    value = as_float(schedule._at(jnp.maximum(as_int(count), 0)))
    return jnp.broadcast_to(value, jnp.broadcast_shapes(value.shape, count.shape))


@functools.lru_cache(maxsize=256)
def _compiled(schedule: Schedule) -> Callable[[Array], Array]:
    """The program of a schedule: forty small operations one by one take milliseconds."""
    return jax.jit(functools.partial(_evaluate, schedule))


def _constant(part: Any) -> bool:
    """Whether a schedule holds nothing but constants, so that its program may be kept."""
    if isinstance(part, Schedule):
        return all(map(_constant, vars(part).values()))
    if isinstance(part, tuple):
        return all(map(_constant, part))
    return part is None or isinstance(part, str | int | float)


def as_float(x) -> Array:
    """To the default float type, never weakly typed."""
    return jnp.asarray(x, jnp.result_type(float))


def as_int(x) -> Array:
    """To the default integer type, never weakly typed."""
    return jnp.asarray(x, jnp.result_type(int))


def known(*values: Any) -> bool:
    """Whether all of them are plain numbers, which can be compared before the program runs."""
    return not any(isinstance(v, Array) for v in values)


def _text(value: Any) -> str:
    if isinstance(value, Tracer):
        return str(value)
    if isinstance(value, Array):
        return f"jnp.asarray({np.asarray(value).tolist()!r}, {str(value.dtype)!r})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


# Kinds of fields. Each is a type hint that carries how a value is checked and what it is kept as.


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.ndim == 0 else value


LARGEST = 1e308  # of a number; whole numbers may be larger, and no NaN is within


def _number(expected: str, allowed: Callable[[float], bool]) -> Callable[[Schedule, str, Any], float | Array]:
    def convert(owner: Schedule, name: str, value: Any) -> float | Array:
        value = _plain(value)
        if isinstance(value, Array) and jnp.issubdtype(value.dtype, jnp.number):
            return as_float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            owner._fail(name, value, expected)
        if not -LARGEST <= value <= LARGEST or not allowed(value):
            owner._fail(name, value, expected)
        return float(value)

    return convert


def _integer(least: int) -> Callable[[Schedule, str, Any], int | Array]:
    def convert(owner: Schedule, name: str, value: Any) -> int | Array:
        value = _plain(value)
        if isinstance(value, Array) and jnp.issubdtype(value.dtype, jnp.integer):
            return as_int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            owner._fail(name, value, f"an integer of at least {least} and less than 2**31")
        return value

    return convert


def optional(convert: Callable[[Schedule, str, Any], Any]) -> Callable[[Schedule, str, Any], Any]:
    """The same kind of field, or None."""
    return lambda owner, name, value: None if value is None else convert(owner, name, value)


def choice(*names: str) -> Callable[[Schedule, str, Any], str]:
    """A field that is one of these words."""

    def convert(owner: Schedule, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            owner._fail(name, value, f"one of {', '.join(map(repr, names))}")
        return value

    return convert


def _flag(owner: Schedule, name: str, value: Any) -> bool:
    value = _plain(value)
    if not isinstance(value, bool):
        owner._fail(name, value, "True or False")
    return value


def items(owner: Schedule, name: str, value: Any) -> tuple:
    """Any sequence as a tuple; it cannot be a string, a mapping or a single number."""
    if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
        owner._fail(name, value, "a sequence")
    return tuple(value)


def steps(owner: Schedule, name: str, value: Any) -> tuple[int | Array, ...]:
    """A sequence of steps that increases strictly."""
    found = tuple(delay(owner, f"{name}[{i}]", v) for i, v in enumerate(items(owner, name, value)))
    if any(known(a, b) and a >= b for a, b in itertools.pairwise(found)):
        owner._fail(name, found, "steps that increase strictly")
    return found


def step_pairs(owner: Schedule, name: str, value: Any) -> tuple[tuple[int | Array, float | Array], ...]:
    """{step: number}, or pairs of them in order of step; steps may be the strings that JSON makes of them."""
    if isinstance(value, Mapping):
        value = [(int(k) if isinstance(k, str) and k.isdecimal() else _plain(k), v) for k, v in value.items()]
        if all(isinstance(k, int) for k, _ in value):
            value.sort(key=lambda pair: pair[0])
    pairs = [tuple(items(owner, name, p)) for p in items(owner, name, () if value is None else value)]
    if any(len(p) != 2 for p in pairs):
        owner._fail(name, pairs, "a mapping or pairs of (step, number)")
    keys = steps(owner, name, [step for step, _ in pairs])
    return tuple(
        (k, scale(owner, f"{name}[{words.show(k)}]", v)) for k, (_, v) in zip(keys, pairs, strict=True)
    )


number = _number("a finite number", lambda x: True)
positive = _number("a finite number above 0", lambda x: x > 0)
scale = _number("a finite number of at least 0", lambda x: x >= 0)
fraction = _number("a number from 0 to 1", lambda x: 0 <= x <= 1)
length = _integer(1)
delay = _integer(0)

Number = Annotated[float | Array, number]  # any finite value
Positive = Annotated[float | Array, positive]
Fraction = Annotated[float | Array, fraction]  # [0, 1]
Bound = Annotated[float | Array | None, optional(number)]
Length = Annotated[int | Array, length]  # steps, at least 1
Delay = Annotated[int | Array, delay]  # steps, at least 0
Flag = Annotated[bool, _flag]
