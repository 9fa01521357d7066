"""Wishes: how a checkpoint is to be loaded, and what messages call that."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from gradchain.checkpoint.cells import Cell
from gradchain.checkpoint.errors import CheckpointError
from gradchain.core import select, tree


@dataclasses.dataclass(frozen=True)
class Wishes:
    """How a state is to be loaded, and what messages call it."""

    initialise: Any = ()  # as the user gave it
    strict: bool = False
    who: str = "load_state"
    chosen: frozenset[str] = frozenset()  # the paths that `initialise` means

    def anew(self, path: str) -> bool:
        """Whether a leaf is to start anew whatever was saved."""
        return path in self.chosen

    def over(self, params: Any, cells: Mapping[str, Cell], aux: Any = None) -> Wishes:
        """The same wishes, once it is known what there is to choose from.

        Patterns and predicates see the paths of a checkpoint: params/head/kernel, aux/... and those of the
        state, scale_by_adam/mu/head/kernel. A tree is like the parameters, each of which has its state.
        """
        spec = _listed(self.initialise)
        if spec is None:
            return self
        weights = dict(zip(tree.paths(params), jax.tree.leaves(params), strict=True))
        there = {f"params/{path}": x for path, x in weights.items()}
        there |= {path: cell.whole for path, cell in cells.items()}
        there |= {f"aux/{path}": x for path, x in zip(tree.paths(aux), jax.tree.leaves(aux), strict=True)}
        if isinstance(spec, list):
            picked = {path for path in there if any(select.matches(s, path) for s in spec)}
            self._hit(spec, list(there))
        elif select.is_predicate(spec):
            picked = {path for path, x in there.items() if spec(path, x)}
        else:
            said = self._by_tree(spec, params)
            picked = {f"params/{path}" for path, chosen in said.items() if chosen}
            picked |= {path for path, cell in cells.items() if said.get(cell.leaf or "")}
        return dataclasses.replace(self, chosen=frozenset(picked))

    def _by_tree(self, spec: Any, params: Any) -> dict[str, bool]:
        """What a tree, or a function that makes one, says of each parameter."""
        said = dict(zip(tree.paths(params), select.values(spec, params), strict=True))
        for path, value in said.items():
            if not isinstance(value, bool | np.bool_):
                raise CheckpointError(
                    f"{self.who}: initialise says {value!r} for {path!r}; expected patterns of paths, "
                    "(path, leaf) -> bool, or a tree like the parameters with True or False for each"
                )
        return said

    def _hit(self, patterns: Iterable[str | re.Pattern], paths: list[str]) -> None:
        for pattern in patterns:
            if not any(select.matches(pattern, path) for path in paths):
                raise CheckpointError(
                    f"{self.who}: initialise={pattern!r} matches nothing that could start anew; "
                    f"{select.hint(pattern, paths)}"
                )


def _listed(given: Any) -> Any:
    """One pattern or several as a list, None where there is none, any other selection as it is."""
    if given is None or isinstance(given, str | re.Pattern):
        return None if given is None else [given]
    if isinstance(given, list | tuple | set | frozenset | Iterator):
        several = list(given)
        if all(isinstance(s, str | re.Pattern) for s in several):
            return several or None
    return given
