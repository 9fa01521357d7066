"""sweep: train with many hyperparameters at once, in one compilation."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import words
from gradchain.tuning import points, program
from gradchain.tuning.points import WHO, Grid
from gradchain.tuning.result import Sweep


def sweep(
    train: Callable[..., Any],
    /,
    tx: Any,
    *,
    seeds: int | None = None,
    paired: bool = False,
    metric: str | None = None,
    highest: bool = False,
    at_once: int | None = None,
    compiled: bool = True,
    progress: bool | None = None,
    **values: Any,
) -> Sweep:
    """Train with every combination of some hyperparameters: sweep(train, tx, learning_rate=[...], b2=[...]).

    train(tx) runs a training and returns the loss, one number, or a dict of them, of which `metric` ("loss")
    counts; with `seeds` it is train(tx, key); `trainer` makes one. All points are data of one vmapped
    program, traced once, at_once of them at a time (None: what fits into memory). Values that are no numbers
    (masks, True and False, schedules; {name: value} names them) make a program for each combination.
    compiled=False calls train point by point with plain numbers instead, for what JAX cannot trace. Names are
    arguments of tx, or as much of their path as is unique ("adamw/b2"), or numbers of its schedules; other
    paths and globs go into **{"**/b2": [...]}. tx may be several, [tx, ...] or {name: tx}, or a function of
    the names that makes an optimizer. paired=True goes through the lists side by side, as for random points.
    highest=True: the best has the largest metric. Warns where the best is the last value tried.
    """
    if not callable(train) or hasattr(train, "init"):
        hint = "; the arguments are exchanged" if hasattr(train, "init") and callable(tx) else ""
        raise TypeError(f"{WHO}: train is {words.show(train)}; expected a function of the optimizer{hint}")
    grid = points.grid(tx, values, paired)
    n = _seeds(train, seeds)
    name = getattr(train, "__name__", "train")
    found = (_traced if compiled else _one_by_one)(train, grid, n, at_once, progress, name)
    return _judged(Sweep(grid, found, _metric(found, metric), highest))


def _seeds(train: Callable[..., Any], seeds: int | None) -> int | None:
    """The number of seeds, None where train takes no key; an error where it cannot be called so."""
    if seeds is not None and (isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1):
        raise ValueError(f"{WHO}: seeds is {words.show(seeds)}; expected a whole number, at least 1")
    given = ["tx"] if seeds is None else ["tx", "key"]
    try:
        inspect.signature(train).bind(*given)
    except TypeError as error:
        also = "; give seeds=1 for a function of a key" if seeds is None else ""
        raise TypeError(
            f"{WHO}: {words.show(train)} cannot be called as train({', '.join(given)}): {error}{also}"
        ) from None
    except ValueError:  # has no signature
        pass
    return seeds


def _traced(
    train: Callable[..., Any],
    grid: Grid,
    seeds: int | None,
    at_once: int | None,
    progress: bool | None,
    name: str,
) -> dict[str, np.ndarray]:
    n, parts = seeds or 1, grid.programs()
    found: dict[str, np.ndarray] = {}
    for k, part in enumerate(parts):
        runs = [i for i in part for _ in range(n)]
        numbers = jnp.asarray([s for _ in part for s in range(n)], jnp.uint32)
        chosen = grid.choices(part[0])

        def one(operands: Any, chosen: Mapping[str, Any] = chosen) -> dict[str, Any]:
            point, seed = operands
            keys = () if seeds is None else (jax.random.key(seed),)
            return program.numbers(WHO, name, train(grid.make({**point, **chosen}), *keys))

        label = WHO if len(parts) == 1 else f"{WHO} {k + 1} of {len(parts)}"
        got = program.run(label, one, (grid.operands(runs), numbers), at_once, progress, name)
        found = found or {key: np.empty((len(grid.points), n)) for key in got}
        if got.keys() != found.keys():
            raise ValueError(
                f"{WHO}: {name} returned {words.listed([*got])} for {grid.points[part[0]]}, and "
                f"{words.listed([*found])} before; expected the same names"
            )
        for key, x in got.items():
            found[key][part] = np.asarray(x, np.float64).reshape(-1, n)
    return found


def _one_by_one(
    train: Callable[..., Any],
    grid: Grid,
    seeds: int | None,
    at_once: int | None,
    progress: bool | None,
    name: str,
) -> dict[str, np.ndarray]:
    if at_once is not None:
        raise ValueError(f"{WHO}: compiled=False runs one point at a time; leave out at_once")
    found: list[Mapping[str, Any]] = []
    with program.told(WHO, len(grid.points) * (seeds or 1), progress) as tell:
        for i in range(len(grid.points)):
            for seed in range(seeds or 1):
                tell(len(found), "running")
                keys = () if seeds is None else (jax.random.key(seed),)
                found.append(program.numbers(WHO, name, train(grid.optimizer(i), *keys)))
    return {
        key: np.asarray([row[key] for row in found], np.float64).reshape(-1, seeds or 1) for key in found[0]
    }


def _metric(found: Mapping[str, np.ndarray], metric: str | None) -> str:
    """The name of the number that counts."""
    if metric is None and len(found) > 1 and "loss" not in found:
        raise ValueError(f"{WHO}: train returned {words.listed([*found])}; say which counts: metric=...")
    if metric is None:
        return "loss" if "loss" in found else next(iter(found))
    if metric not in found:
        raise ValueError(f"{WHO}: train returned no {words.show(metric)}; {words.meant(metric, found)}")
    return metric


def _judged(result: Sweep) -> Sweep:
    """The result; a warning where more values should be tried."""
    for text in result.edges:
        warnings.warn(f"{WHO}: {text}", stacklevel=3)
    return result
