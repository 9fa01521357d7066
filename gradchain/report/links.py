"""The links of an optimizer, found through whatever wraps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from gradchain.core import hyper
from gradchain.core.hyper import Range
from gradchain.core.leaves import is_floating
from gradchain.core.transform import Body, Recipe, Transform
from gradchain.core.tree import subtree
from gradchain.wrappers.inject import Injected


@dataclasses.dataclass(frozen=True)
class Place:
    """A link: its path, the way to its entry in the state (None: it keeps none), the parameters it sees."""

    path: str
    way: tuple[str, ...] | None
    body: Body
    params: Any

    @property
    def recipe(self) -> Recipe:
        """Its factory and arguments."""
        return self.body.recipe

    @property
    def hyperparams(self) -> dict[str, Any]:
        """Its hyperparameters as they were given: numbers, arrays, schedules, tunables."""
        if isinstance(self.body, Injected):
            return self.body.hyperparams
        return {k: self.recipe.args[k] for k in self.recipe.factory.ranges}

    @property
    def ranges(self) -> Mapping[str, Range]:
        """What values its hyperparameters may take."""
        return self.body.ranges if isinstance(self.body, Injected) else self.recipe.factory.ranges

    @property
    def leaves(self) -> int:
        """On how many leaves of the parameters it works."""
        pick = getattr(self.body, "pick", None)
        picked, found = pick(self.params) if pick else None, jax.tree.leaves(self.params)
        return sum(on and is_floating(x) for on, x in zip(picked or [True] * len(found), found, strict=True))

    def entry(self, state: Any) -> Any:
        """Its entry in the optimizer's state, or in the slots."""
        for key in self.way or ():
            state = state[key]
        return state


def links(tx: Transform, params: Any = None, state: Any = None) -> list[Place]:
    """Every link of an optimizer in the order in which they run, a wrapper before what it wraps.

    With a state those that are made anew in each update have the values of the next one.

    A link's path is that of its entry in the state; one that keeps nothing has its factory's name in the
    place where its entry would be. Twins are numbered: "scale", "scale_1".
    """
    places = list(_walk(tx.body, {k: (k,) for k in tx.body.keys}, (), "", params, state))
    taken = {place.path for place in places if place.way is not None}
    found = []
    for place in places:
        path, n = place.path, 0
        while place.way is None and path in taken:
            n += 1
            path = f"{place.path}_{n}"
        taken.add(path)
        found.append(dataclasses.replace(place, path=path))
    return found


def _walk(body: Body, ways: Mapping[str, tuple[str, ...]], within: tuple[str, ...], name: str, params, state):
    """Places in a body whose entry `key` is at ways[key]; `within` and `name` are for what keeps no entry."""
    insides = body.inside()
    theirs = {way[0] for inside in insides for way in inside.where.values()}
    own = [key for key in body.keys if key not in theirs]
    if own or body.recipe.factory.ranges or not (insides or body.recipe.factory.variadic):
        place = Place("", ways[own[0]] if own else None, body, params)
        path = "/".join(place.way or (*within, name or body.recipe.factory.name))
        yield dataclasses.replace(place, path=path)
        if own and state is not None:
            insides = body.inside_at(place.entry(state))
    for inside in insides:
        there = {k: (*ways[first], *rest) for k, (first, *rest) in inside.where.items()}
        seen = params
        if params is not None and inside.picked is not None:
            seen = subtree(params, inside.picked(params))
        yield from _walk(inside.tx.body, there, (*within, *inside.within), inside.name or name, seen, state)


def tunables(places: list[Place]) -> Iterator[tuple[str, Place, str]]:
    """(path, link, argument) of every tunable hyperparameter."""
    for place in places:
        for name, value in place.hyperparams.items():
            if isinstance(value, hyper.Tunable):
                yield f"{place.path}/{name}", place, name
