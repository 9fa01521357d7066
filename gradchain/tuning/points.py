"""The points of a sweep: which hyperparameters take which values, checked before anything runs."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from gradchain.core import hyper, words
from gradchain.core.foreign import as_transform
from gradchain.core.transform import Transform
from gradchain.report.arguments import arguments, replaced, resolve

WHO = "sweep"
Number = int | float
Make = Callable[[Mapping[str, Any]], Transform]


@dataclasses.dataclass(frozen=True)
class Axis:
    """A hyperparameter, its values, and the paths in the optimizer that they are put at."""

    name: str
    values: tuple[Number, ...]
    paths: tuple[str, ...] = ()

    @property
    def dtype(self) -> Any:
        """Of the operand: whole numbers where all values are and the optimizer wants them, as of steps."""
        return jnp.int32 if all(isinstance(v, int) for v in self.values) else hyper.float_type()


@dataclasses.dataclass(frozen=True)
class Grid:
    """The axes of a sweep and its points, each with a value for every axis; how a point is an optimizer."""

    axes: tuple[Axis, ...]
    points: tuple[tuple[Number, ...], ...]
    paired: bool
    make: Make

    @property
    def names(self) -> tuple[str, ...]:
        """Of the axes."""
        return tuple(axis.name for axis in self.axes)

    def operands(self, points: Sequence[int]) -> dict[str, Any]:
        """The values of some points as an array for each axis."""
        return {
            axis.name: jnp.asarray([self.points[i][k] for i in points], axis.dtype)
            for k, axis in enumerate(self.axes)
        }

    def optimizer(self, point: int) -> Transform:
        """The optimizer of a point as a plain value."""
        return self.make(dict(zip(self.names, self.points[point], strict=True)))


def grid(tx: Any, given: Mapping[str, Any], paired: bool) -> Grid:
    """The grid over `tx`, an optimizer or a function that makes one; errors for what cannot be swept."""
    if not given:
        raise ValueError(
            f"{WHO}: nothing to sweep; give values by name: {WHO}(train, tx, learning_rate=[...])"
        )
    tx = getattr(tx, "transform", tx) if not isinstance(tx, Transform) else tx
    if isinstance(tx, Transform):
        axes = tuple(_axis(tx, name, _values(name, x)) for name, x in given.items())
        _apart(axes)
        paths = {axis.name: axis.paths for axis in axes}

        def put(point: Mapping[str, Any]) -> Transform:
            return replaced(tx, {path: x for name, x in point.items() for path in paths[name]})

        make: Make = put
    else:
        axes = tuple(Axis(name, _values(name, x)) for name, x in given.items())
        make: Make = _maker(tx, [axis.name for axis in axes])
    if paired and len({len(axis.values) for axis in axes}) > 1:
        lengths = ", ".join(f"{axis.name} {len(axis.values)}" for axis in axes)
        raise ValueError(f"{WHO}: paired=True takes as many values of each; found {lengths}")
    rows = (
        zip(*(a.values for a in axes), strict=True)
        if paired
        else itertools.product(*(a.values for a in axes))
    )
    made = Grid(axes, tuple(rows), paired, make)
    for point in made.points if not isinstance(tx, Transform) else _each(axes):
        make(dict(zip(made.names, point, strict=True)))  # raises where a value is out of range
    return made


def _each(axes: Sequence[Axis]) -> list[tuple[Number, ...]]:
    """Every value once, beside the first ones of the other axes."""
    first = [axis.values[0] for axis in axes]
    return [(*first[:i], value, *first[i + 1 :]) for i, axis in enumerate(axes) for value in axis.values]


def _values(name: str, given: Any) -> tuple[Number, ...]:
    if (
        isinstance(given, str | bytes | Mapping)
        or not hasattr(given, "__iter__")
        or getattr(given, "ndim", 1) != 1
    ):
        hint = f": {name}=[{words.show(given)}]" if isinstance(given, int | float) else ""
        raise TypeError(f"{WHO}: {name} is {words.show(given)}; expected a list of numbers{hint}")
    found = [x.item() if hasattr(x, "item") else x for x in given]
    if not found:
        raise ValueError(f"{WHO}: {name} has no values; expected a list of at least one number")
    for x in found:
        if isinstance(x, bool) or not isinstance(x, int | float):
            raise TypeError(
                f"{WHO}: {name} has {words.show(x)} among its values; expected numbers, which are data of "
                f"one program. What changes the program is a loop around {WHO}: for x in [...]: {WHO}(...)"
            )
    # A float among whole numbers makes them all floats: [1, 0.5] is one array.
    whole = all(isinstance(x, int) for x in found)
    numbers = tuple(int(x) if whole else float(x) for x in found)
    if len(set(numbers)) < len(numbers):
        twice = next(x for x in numbers if numbers.count(x) > 1)
        raise ValueError(f"{WHO}: {name} has {twice} twice; expected each value once (repeats: seeds=...)")
    return numbers


def _axis(tx: Transform, name: str, values: tuple[Number, ...]) -> Axis:
    paths, known = resolve(WHO, tx, name), arguments(tx)
    for path in paths:
        if hyper.is_schedule(old := known[path]):
            numbers = [p.removeprefix(f"{path}/") for p in known if p.startswith(f"{path}/")]
            how = f"one of its numbers: {', '.join(f'{n}=[...]' for n in numbers)}" if numbers else "a number"
            raise ValueError(
                f"{WHO}: {path} is {words.show(old)}, which a number would replace; sweep {how}, or give "
                f"{WHO} a function instead of an optimizer: lambda {name.rpartition('/')[2]}: gc.adamw(...)"
            )
    floats = any(isinstance(known[path], float) for path in paths)
    return Axis(name, tuple(map(float, values)) if floats else values, tuple(paths))


def _apart(axes: Sequence[Axis]) -> None:
    for one, other in itertools.combinations(axes, 2):
        if both := set(one.paths) & set(other.paths):
            raise ValueError(f"{WHO}: {one.name!r} and {other.name!r} both set {min(both)!r}; leave one out")


def _maker(make: Any, names: list[str]) -> Make:
    if not callable(make) or (hasattr(make, "init") and not hasattr(make, "factory")):
        hint = "; of another library's give a function that makes it" if hasattr(make, "init") else ""
        raise TypeError(
            f"{WHO}: tx is {words.show(make)}; expected an optimizer such as gc.adamw(1e-3), or a function "
            f"of {', '.join(names)} that makes one{hint}"
        )
    try:
        inspect.signature(make).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(
            f"{WHO}: {words.show(make)} cannot be called with {', '.join(names)}: {error}"
        ) from None
    except ValueError:  # has no signature
        pass

    def made(point: Mapping[str, Any]) -> Transform:

        return as_transform(make(**point), WHO)

    return made
