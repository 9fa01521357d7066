"""The points of a sweep: which arguments take which values, checked before anything runs."""

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
from gradchain.report.arguments import arguments, options, replaced, resolve

WHO = "sweep"
OPTIMIZER = "optimizer"  # the name of the axis where several optimizers are given
Make = Callable[[Mapping[str, Any]], Transform]


@dataclasses.dataclass(frozen=True)
class Axis:
    """A hyperparameter or another argument, its values, and the paths in the optimizer that they are put at.

    Numbers are data of one program. Of choices, such as masks or schedules, each makes a program of its own.
    """

    name: str
    values: tuple[Any, ...]  # as tables show them: numbers, choices, or the names of choices
    objects: tuple[Any, ...] | None = None  # what the names mean
    paths: tuple[str, ...] = ()
    choice: bool = False

    @property
    def dtype(self) -> Any:
        """Of the operand: whole numbers where all values are and the optimizer wants them, as of steps."""
        return jnp.int32 if all(isinstance(v, int) for v in self.values) else hyper.float_type()

    def meant(self, value: Any) -> Any:
        """What is put into the optimizer for one of the values."""
        return value if self.objects is None else self.objects[self.values.index(value)]


@dataclasses.dataclass(frozen=True)
class Grid:
    """The axes of a sweep and its points, each with a value for every axis; how a point is an optimizer."""

    axes: tuple[Axis, ...]
    points: tuple[tuple[Any, ...], ...]
    paired: bool
    make: Make

    @property
    def names(self) -> tuple[str, ...]:
        """Of the axes."""
        return tuple(axis.name for axis in self.axes)

    def operands(self, points: Sequence[int]) -> dict[str, Any]:
        """The values of some points as an array for each axis of numbers."""
        return {
            axis.name: jnp.asarray([self.points[i][k] for i in points], axis.dtype)
            for k, axis in enumerate(self.axes)
            if not axis.choice
        }

    def choices(self, point: int) -> dict[str, Any]:
        """What a point puts at the axes that are no numbers."""
        pairs = zip(self.axes, self.points[point], strict=True)
        return {axis.name: axis.meant(value) for axis, value in pairs if axis.choice}

    def programs(self) -> list[list[int]]:
        """The points that differ in numbers alone, together."""
        found: dict[tuple[int, ...], list[int]] = {}
        for i, point in enumerate(self.points):
            pairs = zip(self.axes, point, strict=True)
            found.setdefault(tuple(a.values.index(v) for a, v in pairs if a.choice), []).append(i)
        return list(found.values())

    def optimizer(self, point: int) -> Transform:
        """The optimizer of a point as a plain value."""
        return self.make(dict(zip(self.names, self.points[point], strict=True)) | self.choices(point))


def grid(tx: Any, given: Mapping[str, Any], paired: bool) -> Grid:
    """The grid over `tx`, one or several; errors for what cannot be swept."""
    several = _several(tx)
    if not given and not several:
        raise ValueError(
            f"{WHO}: nothing to sweep; give values by name: {WHO}(train, tx, learning_rate=[...]), or "
            f"several optimizers: {WHO}(train, [gc.adamw(1e-3), gc.muon(0.02)])"
        )
    if several:
        found = {label: _over(one, given) for label, one in several.items()}
        joined = (_joined([axes[k] for axes, _ in found.values()]) for k in range(len(given)))
        axes = (Axis(OPTIMIZER, tuple(several), choice=True), *joined)

        def chosen(point: Mapping[str, Any]) -> Transform:
            rest = {name: x for name, x in point.items() if name != OPTIMIZER}
            return found[point[OPTIMIZER]][1](rest)

        make: Make = chosen
    else:
        axes, make = _over(tx, given)
    if paired and len({len(axis.values) for axis in axes}) > 1:
        lengths = ", ".join(f"{axis.name} {len(axis.values)}" for axis in axes)
        raise ValueError(f"{WHO}: paired=True takes as many values of each; found {lengths}")
    rows = (
        zip(*(a.values for a in axes), strict=True)
        if paired
        else itertools.product(*(a.values for a in axes))
    )
    made = Grid(axes, tuple(rows), paired, make)
    plain = isinstance(getattr(tx, "transform", tx), Transform)
    for point in _each(axes) if plain else made.points:
        values = {axis.name: axis.meant(x) for axis, x in zip(axes, point, strict=True)}
        make(values)  # raises where a value is out of range
    return made


def _several(tx: Any) -> dict[str, Any]:
    """Several optimizers by name; none where one is given."""
    if hasattr(tx, "init") or not isinstance(tx, Mapping | list | tuple):
        return {}
    if isinstance(tx, Mapping):
        found = {str(name): one for name, one in tx.items()}
    else:
        names = [getattr(one, "name", words.show(one)) for one in tx]
        found = {
            name if names.count(name) == 1 else words.show(one): one
            for name, one in zip(names, tx, strict=True)
        }
    if not found or len(found) < len(tx):
        raise ValueError(
            f"{WHO}: tx is {words.show(tx)}; expected different optimizers, or {{name: optimizer, ...}}"
        )
    return found


def _over(tx: Any, given: Mapping[str, Any]) -> tuple[tuple[Axis, ...], Make]:
    """The axes over one optimizer, or over a function that makes one, and how a point is made."""
    tx = getattr(tx, "transform", tx) if not isinstance(tx, Transform) else tx
    if not isinstance(tx, Transform):
        axes = tuple(_values(name, x) for name, x in given.items())
        return axes, _maker(tx, [axis.name for axis in axes])
    axes = tuple(_axis(tx, _values(name, x)) for name, x in given.items())
    _apart(axes)
    paths = {axis.name: axis.paths for axis in axes}

    def put(point: Mapping[str, Any]) -> Transform:
        return replaced(tx, {path: x for name, x in point.items() for path in paths[name]})

    return axes, put


def _joined(axes: Sequence[Axis]) -> Axis:
    """One axis over several optimizers: choices if of any, floats if of any."""
    return max(axes, key=lambda axis: (axis.choice, isinstance(axis.values[0], float)))


def _each(axes: Sequence[Axis]) -> list[tuple[Any, ...]]:
    """Every value once, beside the first ones of the other axes."""
    first = [axis.values[0] for axis in axes]
    return [(*first[:i], value, *first[i + 1 :]) for i, axis in enumerate(axes) for value in axis.values]


def _values(name: str, given: Any) -> Axis:
    if isinstance(given, Mapping):
        if not given:
            raise ValueError(f"{WHO}: {name} has no values; expected at least one, {{its name: value, ...}}")
        return Axis(name, tuple(map(str, given)), tuple(given.values()), choice=True)
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__") or getattr(given, "ndim", 1) != 1:
        raise TypeError(
            f"{WHO}: {name} is {words.show(given)}; expected a list of values: {name}=[{words.show(given)}]"
        )
    found = [x.item() if hasattr(x, "item") and getattr(x, "ndim", 1) == 0 else x for x in given]
    if not found:
        raise ValueError(f"{WHO}: {name} has no values; expected a list of at least one")
    choice = any(isinstance(x, bool) or not isinstance(x, int | float) for x in found)
    if not choice:  # a float among whole numbers makes them all floats: [1, 0.5] is one array
        whole = all(isinstance(x, int) for x in found)
        found = [int(x) if whole else float(x) for x in found]
    if twice := [words.show(x) for x in found if [words.show(y) for y in found].count(words.show(x)) > 1]:
        raise ValueError(f"{WHO}: {name} has {twice[0]} twice; expected each value once (repeats: seeds=...)")
    if choice and not all(isinstance(x, str | int | float | None) for x in found):
        return Axis(name, tuple(map(words.show, found)), tuple(found), choice=True)
    return Axis(name, tuple(found), choice=choice)


def _axis(tx: Transform, axis: Axis) -> Axis:
    """The axis with the paths that it is put at."""
    name, known = axis.name, arguments(tx)
    others = [p for p in options(tx) if p == name or p.endswith(f"/{name}")]
    if others and not any(p == name or p.endswith(f"/{name}") for p in known):
        if len(others) > 1:
            raise ValueError(
                f"{WHO}: {words.show(name)} may be {' or '.join(map(repr, others))}: give one of them, "
                f"**{{{others[0]!r}: [...]}}"
            )
        return dataclasses.replace(axis, paths=tuple(others), choice=True)
    paths = tuple(resolve(WHO, tx, name))
    if axis.choice:
        return dataclasses.replace(axis, paths=paths)
    for path in paths:
        if hyper.is_schedule(old := known[path]):
            numbers = [p.removeprefix(f"{path}/") for p in known if p.startswith(f"{path}/")]
            how = f"one of its numbers: {', '.join(f'{n}=[...]' for n in numbers)}" if numbers else "a number"
            raise ValueError(
                f"{WHO}: {path} is {words.show(old)}, which a number would replace; sweep {how}, or give "
                f"{WHO} a function instead of an optimizer: lambda {name.rpartition('/')[2]}: gc.adamw(...)"
            )
    floats = any(isinstance(known[path], float) for path in paths)
    values = tuple(map(float, axis.values)) if floats else axis.values
    return dataclasses.replace(axis, values=values, paths=paths)


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
