"""sensitive: a test of a trajectory must be able to fail, so every hyperparameter must move it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from gradchain.config import from_config, to_config
from gradchain.core.recipe import REGISTRY
from gradchain.core.transform import Transform
from gradchain.testing.compare import require

MOVES = 100  # tolerances

Keys = tuple[str | int, ...]  # the way to a number in a config


def distance(found, expected, rtol: float) -> float:
    """The largest difference in units of the tolerance, rtol * (|expected| + 0.01); NaN where one is NaN."""
    require(set(found) == set(expected), f"trajectories of {sorted(found)}; expected {sorted(expected)}")
    units = [np.abs(np.asarray(found[k]) - e) / (rtol * (np.abs(e) + 0.01)) for k, e in expected.items()]
    return float(np.max([np.max(u) for u in units]))


def numbers(config: Any, keys: Keys = ()) -> Iterator[tuple[Keys, float | int]]:
    """Every numeric hyperparameter of a config, and where it stands."""
    if isinstance(config, dict | list):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            yield from numbers(value, (*keys, key))
    elif isinstance(config, int | float) and not isinstance(config, bool):
        yield keys, config


def replaced(config: Any, keys: Keys, value: Any) -> Any:
    """The config with another value at `keys`."""
    if not keys:
        return value
    new = copy.copy(config)
    new[keys[0]] = replaced(config[keys[0]], keys[1:], value)
    return new


def changed(value: float | int) -> float | int:
    """Another value: one more for an integer, a tenth less otherwise, 0.001 for zero."""
    if isinstance(value, int):
        return value + 1
    return 0.9 * value if value else 1e-3


def can_be_traced(keys: Keys) -> bool:
    """Whether the number may be an array, so that many values run in one program."""
    *_, owner, name = ("", *map(str, keys))
    factory = REGISTRY.get(owner)
    return factory is not None and name in factory.ranges and not factory.ranges[name].integer


def config_of(tx: Transform) -> dict[str, Any]:
    """The config of an optimizer, with the defaults of its own hyperparameters."""
    config: Any = to_config(tx)
    given, ranges = tx.recipe.args, tx.recipe.factory.ranges
    defaults = {k: given[k] for k in ranges if isinstance(given.get(k), int | float)}
    return {tx.name: {**defaults, **config[tx.name]}} if defaults else config


def sensitive(
    tx: Transform | Mapping[str, Any],
    run: Callable[[Transform], Mapping[str, jax.Array]],
    rtol: float,
    insensitive: Collection[str] = (),
    expected: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Require that each number in an optimizer, changed by a tenth, moves its trajectory by 100 tolerances.

    tx: an optimizer or its config. run(tx) -> {name: array} is its trajectory, a function that jit and vmap
    take. insensitive: hyperparameters that cannot matter here, which then must not. expected: the
    trajectory as it is known, else it is run. options: of the compiler.
    Returns by how much each number moves the trajectory, in units of rtol * (|value| + 0.01).
    """
    config = config_of(tx) if isinstance(tx, Transform) else dict(tx)
    found = list(numbers(config))
    if absent := sorted(set(insensitive) - {str(keys[-1]) for keys, _ in found}):
        raise ValueError(f"insensitive: {absent} are no numbers of {config}")
    moved = _moved(config, found, run, rtol, expected, dict(options or {}) or None)
    values = dict(found)
    for keys, by in moved.items():
        name, value = "/".join(map(str, keys)), values[keys]
        if keys[-1] in insensitive:
            require(by <= 1, f"{name} is said to be insensitive, and moves it by {by:.3g} tolerances")
        else:
            require(
                by > MOVES,
                f"{name} = {value} at {changed(value)} moves the trajectory by {by:.3g} tolerances; expected "
                f"more than {MOVES}: no test of it can see {name}. Take values, steps or gradients where it "
                "matters, or say that it cannot: insensitive",
            )
    return {"/".join(map(str, keys)): by for keys, by in moved.items()}


def _moved(config, found, run, rtol, expected, options) -> dict[Keys, float]:
    traced = [(keys, v) for keys, v in found if can_be_traced(keys)]
    base = np.array([v for _, v in traced], float)
    swapped = [np.where(np.arange(len(base)) == i, changed(v), base) for i, (_, v) in enumerate(traced)]

    def with_values(row):
        new = config
        for (keys, _), value in zip(traced, row, strict=True):
            new = replaced(new, keys, value)
        return run(from_config(new))

    def alone(config):
        return jax.jit(lambda: run(from_config(config)), compiler_options=options)()

    expected = alone(config) if expected is None else expected
    expected = {k: np.asarray(x) for k, x in expected.items()}
    moved: dict[Keys, float] = {}
    if traced:
        many = jax.jit(jax.vmap(with_values), compiler_options=options)(np.stack([base, *swapped]))
        unmoved, *others = ({k: np.asarray(x[i]) for k, x in many.items()} for i in range(len(traced) + 1))
        off = distance(unmoved, expected, rtol)
        require(off <= 1, f"with arrays for hyperparameters the trajectory is off by {off:.3g} tolerances")
        moved = {keys: distance(x, expected, rtol) for (keys, _), x in zip(traced, others, strict=True)}
    for keys, value in found:
        if keys not in moved:
            moved[keys] = distance(alone(replaced(config, keys, changed(value))), expected, rtol)
    return moved
