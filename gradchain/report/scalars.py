"""scalars: what a state says of the last step, as plain numbers under stable names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from gradchain.core import tree, words
from gradchain.report import held
from gradchain.report.metrics import metrics

MOST = 4096  # numbers of one metric


def scalars(state: Any, /, prefix: str = "opt", **more: Any) -> dict[str, float]:
    """What `metrics` reports, as floats of Python in a flat dict: {"opt/learning_rate": 0.1, ...}.

    `state` is whatever `metrics` takes, or what it gave inside of jit. A metric that is a tree, such as those
    of monitored(tx, layers=True), has one name for each leaf: "opt/update_ratio/encoder/kernel", and one for
    each layer of a stack: "opt/update_ratio/blocks/kernel/0". `more` are numbers of yours under their own
    names: scalars(state, loss=loss). The names depend on the optimizer and the parameters' paths alone; none
    is a path below another. Not in jit: the numbers are fetched, all at once.
    """
    given = isinstance(state, Mapping) and not any(True for _ in held.entries(held.arrays(state)))
    found = dict(state) if given else metrics(state)
    named = {f"{prefix}/{k}" if prefix else k: v for k, v in found.items()}
    if twice := named.keys() & more.keys():
        raise ValueError(
            f"scalars: {sorted(twice)[0]!r} is the name of a metric; expected another name for yours"
        )
    named |= more
    for name, value in named.items():
        if any(isinstance(x, Tracer) for x in jax.tree.leaves(value)):
            raise TypeError(
                f"scalars: {name!r} is traced; return gc.metrics(state) from jit, and call scalars on it"
            )
    fetched = jax.device_get(list(named.values()))
    return {path: x for name, value in zip(named, fetched, strict=True) for path, x in _flat(name, value)}


def _flat(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers of a metric, each with its name."""
    leaves = jax.tree.leaves(value)
    paths = [""] if jax.tree.structure(value) == jax.tree.structure(0) else tree.paths(value)
    for path, leaf in zip(paths, leaves, strict=True):
        where = f"{name}/{path}" if path else name
        array = np.asarray(leaf)
        real = array.dtype.kind in "biuf" or jax.numpy.issubdtype(array.dtype, jax.numpy.floating)
        if not real or array.size > MOST:
            raise TypeError(
                f"scalars: {where!r} is {words.show(leaf)}; expected real numbers, {MOST} at most: measure "
                "less of it, a norm or a mean"
            )
        numbers = array.astype(np.float64)
        for at in np.ndindex(numbers.shape):
            yield "/".join((where, *map(str, at))), float(numbers[at])
