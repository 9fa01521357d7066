"""unfreeze: leaves that begin to train at a step of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import ages, select, tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.link import BORN, Link
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, shared
from gradchain.core.transform import Body, example, wrapper
from gradchain.math.numerics import increment
from gradchain.wrappers.base import Wrapper

PyTree = Any


class UnfreezeState(NamedTuple):
    count: Array  # [] int32, steps taken


class Unfreeze(Wrapper):
    """A wrapper whose late leaves have ages in the links that it wraps, from the start on."""

    def __init__(self, tx, starts: Mapping[str, int]):
        self.starts = starts
        super().__init__(UnfreezeState, tx, self.step, "count", frozenset(), {"count": shared(counter)})

    def late(self, params) -> dict[str, int]:
        """The step at which a leaf begins, by path; the first pattern counts, and 0 is not late."""
        paths = tree.paths(params)
        for pattern in self.starts:
            if paths and not any(select.matches(pattern, path) for path in paths):
                raise ValueError(
                    f"unfreeze: {words.show(pattern)} matches none of {len(paths)} leaves; "
                    f"{select.hint(pattern, paths)}"
                )
        found = {p: next((n for k, n in self.starts.items() if select.matches(k, p)), 0) for p in paths}
        return {path: n for path, n in found.items() if n}

    def slots(self, params, plan) -> dict[str, Any]:
        """The slots, with a start for each late leaf in each link that counts."""
        return self._aged(super().slots(params, plan), params, None)

    def init(self, params, plan) -> dict[str, Any]:
        """The state, likewise."""
        return self._aged(super().init(params, plan), params, self.slots(params, plan))

    def _aged(self, state: dict[str, Any], params, described: dict[str, Any] | None) -> dict[str, Any]:
        late = self.late(params)
        for way, link in self.entries():
            entry = _at(state, way)
            inside = {path for field in _own(link, entry) for path in tree.paths(getattr(entry, field))}
            mine = [path for path in late if path in inside]
            if not (link.ages and mine):
                continue
            aged = ages.with_born(entry, mine)
            if described is not None:
                born = getattr(_at(described, way), BORN)
                aged = aged._replace(**{BORN: jax.tree.map(lambda slot: slot.make(), born)})
            state = _put(state, way, aged)
        return state

    def entries(self) -> list[tuple[tuple[str, ...], Link]]:
        """Every link that is wrapped and the way to its entry, by the names that this state has."""
        ways = {k: (name,) for k, name in zip(self.tx.body.keys, self.inner_keys, strict=True)}
        return list(_links(self.tx.body, ways))

    def step(self, inner, g, s, state, params):
        """Run on gradients that are zero where a leaf has not begun, and keep what is its own as it was."""
        on = {path: s.count >= n for path, n in self.late(g if params is None else params).items()}

        def begun(path, x):
            return jnp.where(on[path], x, jnp.zeros_like(x)) if path in on else x

        out, new = inner.updates(tree.map_paths(begun, g), state, params)
        names = dict(zip(self.inner_keys, self.tx.body.keys, strict=True))
        for (first, *rest), link in self.entries():
            way = (names[first], *rest)
            new = _put(new, way, _held(link, _at(new, way), _at(state, way), on))
        out = inner.given(tree.map_paths(begun, out), params)
        return out, s._replace(count=increment(s.count)), new


def _links(body: Body, ways: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], Link]]:
    insides = body.inside()
    theirs = {way[0] for inside in insides for way in inside.where.values()}
    if isinstance(body, Link):
        yield from ((ways[key], body) for key in body.keys if key not in theirs)
    for inside in insides:
        there = {k: (*ways[first], *rest) for k, (first, *rest) in inside.where.items()}
        yield from _links(inside.tx.body, there)


def _own(link: Link, entry: Any) -> list[str]:
    """The fields that an entry has for each leaf, those in which codecs keep them included."""
    return [f for f in entry._fields if f not in (*link.globals, *link.extra, BORN)]


def _at(state: Any, way: tuple[str, ...]) -> Any:
    for key in way:
        state = state[key]
    return state


def _put(state: Mapping[str, Any], way: tuple[str, ...], entry: Any) -> dict[str, Any]:
    first, *rest = way
    return {**state, first: _put(state[first], tuple(rest), entry) if rest else entry}


def _held(link: Link, new: Any, old: Any, on: Mapping[str, Array]) -> Any:
    """The new entry, of leaves that have not begun the old one; they begin at the count that follows."""

    def kept(path, x, y):
        return jnp.where(on[path], x, y) if path in on else x

    found = {f: tree.map_paths(kept, getattr(new, f), getattr(old, f)) for f in _own(link, new)}
    if (born := getattr(new, BORN, None)) is not None:
        found[BORN] = {path: jnp.where(on[path], x, new.count) for path, x in born.items()}
    return new._replace(**found)


@wrapper(
    paper="arXiv:1801.06146",
    near=("layerwise_decay", "partition"),
    example=lambda: {"tx": example("adamw"), "starts": {"**": 1}},
    errors=lambda: [
        ErrorInput({"starts": {"**": -1}}, ValueError, ("the step of '**' is -1", "0 to 2147483647")),
        ErrorInput({"starts": {"**": 0.5}}, ValueError, ("the step of '**' is 0.5",)),
        ErrorInput({"starts": ["**"]}, TypeError, ("starts is ['**']", "expected a mapping")),
    ],
)
def unfreeze(tx: Any, starts: Mapping[str, int]):
    """Let leaves begin to train at steps of their own: unfreeze(tx, {"layers/2/**": 1000, "layers/3/**": 0}).

    `starts` is {glob: step}, the first match counts, and leaves that none matches train from the first step.
    Until a leaf begins it stays, its gradient counts in no norm, and its moments are as they started; from
    then on its bias correction counts its own steps. Its gradient is still computed: `freeze` saves that, and
    state, for leaves that never train.
    """
    for pattern, n in starts.items():
        if isinstance(n, bool) or not isinstance(n, int) or not 0 <= n < 2**31:
            raise ValueError(
                f"unfreeze: the step of {pattern!r} is {words.show(n)}; expected a whole number from 0 to "
                "2147483647"
            )
    return Unfreeze(as_transform(tx, "unfreeze"), starts)
