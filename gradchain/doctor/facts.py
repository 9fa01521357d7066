"""Facts: what is known of a run, brought into one form."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import tree, words
from gradchain.core.hyper import Tunable
from gradchain.core.leaves import is_floating
from gradchain.core.transform import Transform
from gradchain.report import held
from gradchain.report.arguments import arguments, changed
from gradchain.report.links import Place, links
from gradchain.report.metrics import metrics
from gradchain.writers.reading import numbers, records

PREFIX = "opt/"
MOMENTS = ("mu", "nu", "trace", "sum_of_squares")  # fields that only gradients fill


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """What `diagnose` was given; what follows from it is computed once, when it is asked for."""

    state: Any = None
    params: Any = None
    tx: Transform | None = None
    grads: Any = None
    history: Sequence[Mapping[str, float]] = ()
    steps: int | None = None

    @functools.cached_property
    def entries(self) -> list[tuple[str, Any]]:
        """Every entry of the state with its path."""
        return [] if self.state is None else list(held.entries(held.arrays(self.state)))

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """The metrics of the state by name, those of leaves by name/path, the largest of each."""
        if self.state is None:
            return {}
        found = {}
        for name, value in metrics(self.state).items():
            single = jax.tree.structure(value) == jax.tree.structure(0)
            for path, x in zip([""] if single else tree.paths(value), jax.tree.leaves(value), strict=True):
                if np.size(x):
                    found[f"{name}/{path}" if path else name] = float(np.max(np.real(x)))
        return found

    @functools.cached_property
    def step(self) -> int:
        """How many updates the state has seen."""
        return int(self.metrics.get("step", 0))

    @functools.cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """The parameters by path."""
        return leaves(self.params)

    @functools.cached_property
    def slopes(self) -> dict[str, np.ndarray]:
        """The gradients by path."""
        return leaves(self.grads)

    @functools.cached_property
    def updates(self) -> dict[str, np.ndarray]:
        """What the optimizer adds to each parameter for these gradients; {} where not all is known."""
        return leaves(self._updates(self.tx))

    def _updates(self, tx: Transform | None) -> Any:
        if not self.can_update or tx is None:
            return None
        state = held.arrays(self.state)
        kept = {k: v for k, v in state.items() if k in tx.body.keys}
        return jax.jit(tx.update)(self.grads, kept, self.params)[0]

    @property
    def can_update(self) -> bool:
        """Whether the next update can be computed."""
        known = self.tx is not None and not self.tx.body.needs
        return known and not any(x is None for x in (self.state, self.params, self.grads))

    @property
    def decays(self) -> bool:
        """Whether the optimizer has a weight decay above 0."""
        return any(x > 0 for path, x in self.arguments.items() if path.endswith("weight_decay"))

    @functools.cached_property
    def without_decay(self) -> dict[str, np.ndarray]:
        """The updates that the optimizer would make with weight decay 0."""
        if self.tx is None:
            return {}

        def off(path: str, value: Any) -> Any:
            return jnp.zeros(()) if path.endswith("weight_decay") and value is not None else value

        return leaves(self._updates(changed(self.tx, off)))

    @functools.cached_property
    def arguments(self) -> dict[str, Any]:
        """The hyperparameters of the optimizer by path, as numbers; schedules by their value at this step."""
        found = {}
        for path, value in arguments(self.tx).items() if self.tx is not None else ():
            value: Any = value.value if isinstance(value, Tunable) else value
            value = value(max(self.step - 1, 0)) if callable(value) else value
            if value is not None and np.shape(value) == ():
                found[path] = float(value)
        return found

    @functools.cached_property
    def links(self) -> list[tuple[Place, Any]]:
        """The links of the optimizer with their entries in the state."""
        if self.tx is None or self.state is None:
            return []
        bare = held.checked(self.state, self.tx, "diagnose")
        return [(place, place.entry(bare)) for place in links(self.tx) if place.way is not None]

    @functools.cached_property
    def series(self) -> dict[str, np.ndarray]:
        """The history by name without "opt/", each a value for every row that has it."""
        found: dict[str, list[float]] = {}
        for row in self.history:
            for name, value in row.items():
                found.setdefault(name.removeprefix(PREFIX), []).append(float(value))
        return {name: np.asarray(x, np.float64) for name, x in found.items()}

    def series_of(self, name: str) -> dict[str, np.ndarray]:
        """The series of a metric by path: of single leaves, "update_ratio/dense/kernel", or of a link."""
        return {_path(k, name): x for k, x in self.series.items() if f"/{name}/" in f"/{k}/"}

    def last_of(self, name: str) -> dict[str, float]:
        """The same of the state alone."""
        return {_path(k, name): x for k, x in self.metrics.items() if f"/{name}/" in f"/{k}/"}

    @property
    def length(self) -> int:
        """Steps of the whole run: those given, or those that the history has; 0 where none is known."""
        counts = self.series.get("step")
        return self.steps or (int(counts.max()) if counts is not None and counts.size else 0)


def _path(key: str, name: str) -> str:
    """What stands around the name of a metric: the leaf, or the link."""
    return f"/{key}/".replace(f"/{name}/", "/", 1).strip("/")


def leaves(given: Any) -> dict[str, np.ndarray]:
    """The floating-point arrays of a tree by path, float32 at least, on the host."""
    if given is None:
        return {}
    bare = jax.tree.map(held.value_of, given, is_leaf=tree.is_variable)
    pairs = zip(tree.paths(bare), jax.tree.leaves(bare), strict=True)
    return {path: wide(x) for path, x in pairs if is_floating(x)}


def wide(x: Any) -> np.ndarray:
    """An array as NumPy's, float32 at least."""
    x = jnp.asarray(x)
    return np.asarray(x if jnp.iscomplexobj(x) else x.astype(jnp.promote_types(x.dtype, jnp.float32)))


def rms(x: np.ndarray) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.abs(x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)) ** 2)))


def fields(entry: Any) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of an entry's fields by path, as they are kept."""
    found = {}
    for name, value in entry._asdict().items():
        if not hasattr(value, "dtype"):
            pairs = zip(tree.paths(value), jax.tree.leaves(value), strict=True)
            found[name] = {path: x for path, x in pairs if hasattr(x, "dtype") and x.size}
    return found


def count_of(entry: Any, default: int) -> int:
    """How many updates an entry has counted; the default where it counts none."""
    found = entry._asdict().get("count")  # a NamedTuple without such a field has a method count
    return default if found is None else int(np.max(np.asarray(found)))


def gathered(state: Any, params: Any, tx: Any, grads: Any, history: Any, steps: Any) -> Facts:
    """The facts of what was given; errors for what is none of it."""
    who = "diagnose"
    if history is None and (is_history(state) or isinstance(state, str | os.PathLike)):
        state, history = None, state
    if isinstance(history, str | os.PathLike):
        history = [numbers(row) for row in records(history)]
    if all(x is None for x in (state, params, tx, grads, history)):
        raise ValueError(
            f"{who}: nothing to look at; give a state, a history of metrics, or an optimizer: tx="
        )
    if isinstance(state, Transform) or callable(getattr(state, "init", None)):
        raise TypeError(
            f"{who}: the first argument is an optimizer; expected its state: diagnose(state, tx=tx)"
        )
    if state is not None and held.opt_state(state) is not state:
        tx = getattr(state, "tx", None) if tx is None else tx
        params = getattr(state, "params", None) if params is None else params
    tx = getattr(tx, "transform", tx) if not isinstance(tx, Transform) else tx
    tx = tx if isinstance(tx, Transform) else None  # another library's: its arguments are not known
    if history is not None and not is_history(history):
        raise TypeError(
            f"{who}: history is {words.show(history)}; expected a list of dicts of numbers by name, one for "
            "each step that was logged, or the path of a CSV or JSON Lines file of them"
        )
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(
            f"{who}: steps is {words.show(steps)}; expected the number of updates of the whole run"
        )
    fetched = jax.device_get([{k: v for k, v in row.items() if _is_number(v)} for row in history or ()])
    rows = [{k: float(v) for k, v in row.items()} for row in fetched]
    return Facts(state, params, tx, grads, rows, steps)


def is_history(given: Any) -> bool:
    """Whether something is a list of rows of numbers by name."""
    if isinstance(given, str | Mapping) or hasattr(given, "_fields") or not isinstance(given, Iterable):
        return False
    rows = given if isinstance(given, list | tuple) else []
    return bool(rows) and all(
        isinstance(row, Mapping)
        and all(isinstance(k, str) for k in row)
        and any(map(_is_number, row.values()))
        for row in rows
    )


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | np.generic) or (hasattr(x, "dtype") and np.shape(x) == ())


def percent(x: float) -> str:
    """A share as percent."""
    return f"{100 * x:.3g} %" if math.isfinite(x) else str(x)
