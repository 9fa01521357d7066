"""The hyperparameters of an optimizer as it was written, by path, and the same optimizer with others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import hyper, select, words
from gradchain.core.hyper import Tunable
from gradchain.core.transform import Transform, make
from gradchain.schedules import Schedule

Change = Callable[[str, Any], Any]  # (path, value) -> the value to put there, itself to leave it
RATE = "learning_rate"


def arguments(tx: Transform) -> dict[str, Any]:
    """Every hyperparameter by path, "adamw/b2"; of schedules their numbers, "adamw/learning_rate/peak_value".

    A chain has no part in a path; twins are numbered. These are the arguments as they were given, where
    `hyperparams` has those of the links that were made of them.
    """
    found: dict[str, Any] = {}

    def look(path: str, value: Any) -> Any:
        found[path] = value
        return value

    changed(tx, look)
    return found


def options(tx: Transform) -> dict[str, Any]:
    """Every argument by path that is neither a hyperparameter nor a transform: masks, dtypes, switches."""
    found: dict[str, Any] = {}
    _Walk(lambda path, value: value, lambda path, value: found.setdefault(path, value)).transform(tx, "")
    return found


def changed(tx: Transform, change: Change) -> Transform:
    """The optimizer with what `change` makes of its hyperparameters."""
    return _Walk(change).transform(tx, "")


def replaced(tx: Transform, values: Mapping[str, Any]) -> Transform:
    """The optimizer with other values at some paths of `arguments` and `options`."""
    change = lambda path, value: values.get(path, value)  # noqa: E731
    return _Walk(change, change).transform(tx, "")


class _Walk:
    """A walk through the arguments of a transform, which makes anew what holds something that changed."""

    def __init__(self, change: Change, option: Change | None = None):
        self.change, self.option, self.taken = change, option, set()

    def transform(self, tx: Transform, within: str) -> Transform:
        """A transform, and all that it is made of."""
        factory, args = tx.recipe.factory, tx.recipe.args
        here = within if factory.variadic else self._named(within, factory.name)
        new = {name: self._argument(tx, name, value, here) for name, value in args.items()}
        same = all(new[name] is args[name] for name in args)
        return tx if same else make(factory, (), new)

    def _named(self, within: str, name: str) -> str:
        start = f"{within}/{name}" if within else name
        path, n = start, 0
        while path in self.taken:
            n += 1
            path = f"{start}_{n}"
        self.taken.add(path)
        return path

    def _argument(self, tx: Transform, name: str, value: Any, here: str) -> Any:
        factory = tx.recipe.factory
        if name in factory.ranges:
            return self._hyperparam(f"{here}/{name}", value)
        if factory.name == "injected" and name == "arguments":
            new = {k: self._injected(f"{here}/{k}", x) for k, x in value.items()}
            return value if all(new[k] is value[k] for k in value) else new
        before = len(self.taken)
        new = self._inside(value, here, 3)
        if self.option is None or len(self.taken) > before or factory.variadic:
            return new
        return self.option(f"{here}/{name}", value)

    def _injected(self, path: str, value: Any) -> Any:
        number = isinstance(value, int | float | Tunable) and not isinstance(value, bool)
        if number or hyper.is_array(value) or isinstance(value, Schedule):
            return self._hyperparam(path, value)
        return self._inside(value, path, 2)

    def _hyperparam(self, path: str, value: Any) -> Any:
        new = self.change(path, value)
        return self._schedule(value, path) if new is value and isinstance(value, Schedule) else new

    def _schedule(self, schedule: Schedule, here: str) -> Schedule:
        """A schedule with other numbers, or with other schedules in it."""
        new: dict[str, Any] = {}
        for name, value in vars(schedule).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                new[name] = self.change(f"{here}/{name}", value)
            elif isinstance(value, tuple):
                parts = [self._part(x, f"{here}/{name}/{i}") for i, x in enumerate(value)]
                new[name] = value if all(a is b for a, b in zip(parts, value, strict=True)) else tuple(parts)
            else:
                new[name] = self._part(value, f"{here}/{name}")
        same = all(new[name] is value for name, value in vars(schedule).items())
        return schedule if same else type(schedule)(**new)

    def _part(self, value: Any, path: str) -> Any:
        return self._schedule(value, path) if isinstance(value, Schedule) else value

    def _inside(self, value: Any, here: str, deep: int) -> Any:
        """Transforms in an argument: by itself, in a sequence, in a mapping."""
        value = getattr(value, "transform", value) if not isinstance(value, Transform) else value
        if isinstance(value, Transform):
            return self.transform(value, here)
        if not deep:
            return value
        if isinstance(value, Mapping):
            new = {k: self._inside(x, f"{here}/{k}" if here else str(k), deep - 1) for k, x in value.items()}
            return value if all(new[k] is value[k] for k in value) else new
        if type(value) in (tuple, list):
            named = len(value) == 2 and isinstance(value[0], str)  # a link of named_chain
            there = (f"{here}/{value[0]}" if here else value[0]) if named else here
            parts = [self._inside(x, there, deep - 1) for x in value]
            return value if all(a is b for a, b in zip(parts, value, strict=True)) else type(value)(parts)
        return value


def resolve(who: str, tx: Transform, wanted: str) -> list[str]:
    """The paths that a name means: all of a path, its end, or a glob, which may mean several."""
    known = list(arguments(tx))
    several = "*" in wanted or "?" in wanted
    if several:
        found = [path for path in known if select.matches(wanted, path)]
    else:
        found = [path for path in known if path == wanted or path.endswith(f"/{wanted}")]
        found = [wanted] if wanted in found else found
    if not found:
        ends = dict.fromkeys(path.rpartition("/")[2] for path in known)
        also = words.OTHER_NAMES.get(wanted, ())
        hint = words.meant(wanted, ends) if also or wanted not in words.ELSEWHERE else ""
        there = f"; there are {', '.join(known)}" if not hint or "?" in hint else ""
        raise ValueError(
            f"{who}: {tx.name} has no hyperparameter {words.show(wanted)}; {hint or words.show(tx)}{there}"
        )
    if len(found) > 1 and not several:
        raise ValueError(
            f"{who}: {words.show(wanted)} may be {' or '.join(map(repr, found))}: give one of them, "
            f"**{{{found[0]!r}: [...]}}, or mean them all: **{{'**/{wanted}': [...]}}"
        )
    return found


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A schedule multiplied by a number, where no schedule of the library is that."""

    schedule: Any
    factor: float

    def __call__(self, count: Any) -> Any:
        """The value of the schedule at a step, times the factor."""
        return self.factor * self.schedule(count)


def is_rate(path: str) -> bool:
    """Whether a hyperparameter is a learning rate: learning_rate, adam_learning_rate."""
    return path.endswith(RATE)


def scaled(tx: Transform, factor: Any) -> Transform:
    """The optimizer with all its learning rates times a number, which may be traced; schedules as a whole.

    With a plain number the result is a plain value: a schedule of the library stays one where it can.
    """
    plain = isinstance(factor, int | float)

    def change(path: str, value: Any) -> Any:
        if not is_rate(path) or value is None:
            return value
        if isinstance(value, Tunable):
            return hyper.tunable(value.value * factor) if plain else value.value * factor
        if hyper.is_schedule(value):
            return (_schedule(value, factor) or Scaled(value, factor)) if plain else Scaled(value, factor)
        return value * factor

    return changed(tx, change)


def _schedule(schedule: Any, factor: float) -> Any:
    """A schedule of the library with its values multiplied, None where that is not the same."""
    if not isinstance(schedule, Schedule):
        return None
    names = {name for name, x in vars(schedule).items() if isinstance(x, float) and "value" in name}
    new = dataclasses.replace(schedule, **{name: getattr(schedule, name) * factor for name in names})  # pyright: ignore
    counts = jnp.asarray([0, 1, 2, 3, 7, 20, 55, 148, 403, 1097, 2981, 8103, 22026, 10**6])
    wanted = factor * np.asarray(schedule(counts), np.float64)
    return new if np.allclose(new(counts), wanted, rtol=1e-5, atol=1e-7 * np.max(np.abs(wanted))) else None


def rates(tx: Transform) -> dict[str, float]:
    """Every learning rate by path; of a schedule its largest value."""
    found = {}
    for path, value in arguments(tx).items():
        if is_rate(path) and value is not None:
            found[path] = peak(value)
    return found


def peak(value: Any) -> float:
    """The largest value of a hyperparameter, over the first million steps where it is a schedule."""
    if isinstance(value, Tunable):
        return value.value
    if not hyper.is_schedule(value):
        return float(value)
    counts = {0, *np.geomspace(1, 1e6, 500).astype(int).tolist(), *_steps(value)}
    each = jax.jit(jax.vmap(value))
    found = float(np.max(np.asarray(each(jnp.asarray(sorted(counts), jnp.int32)))))
    written = jax.tree.leaves(list(vars(value).values())) if isinstance(value, Schedule) else []
    near = [x for x in written if isinstance(x, float) and abs(x - found) <= 1e-6 * abs(found)]
    return near[0] if near else found  # with the digits that it was written with


def _steps(schedule: Any) -> set[int]:
    """The whole numbers in a schedule, between which its value may turn, and their sums."""
    if not isinstance(schedule, Schedule):
        return set()
    found = [x for x in jax.tree.leaves(list(vars(schedule).values())) if isinstance(x, int)]
    inside = [n for part in jax.tree.leaves(list(vars(schedule).values())) for n in _steps(part)]
    numbers = {n for n in (*found, *inside) if 0 <= n < 2**30}
    return numbers | {a + b for a in numbers for b in numbers} if len(numbers) < 30 else numbers
