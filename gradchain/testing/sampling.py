"""sample: registered transforms that together have every kernel body and every trait, for dear laws."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gradchain.core.recipe import REGISTRY
from gradchain.core.transform import Body, Transform
from gradchain.testing.subjects import example, links


def covers(tx: Transform) -> frozenset[str | Callable]:
    """What running it runs: the functions of its links, and the traits that they declare.

    An optimizer has no body of its own: it is what its links are.
    """
    found: set[str | Callable] = set()
    for link in links(tx):
        factory = link.recipe.factory
        found |= set(factory.traits)
        if factory.kind != "optimizer" and type(link.body).run is not Body.run:
            found.add(factory.fn)
    return frozenset(found)


def sample(names: Iterable[str] | None = None) -> tuple[str, ...]:
    """The fewest names, found greedily, whose examples cover what all registered ones do; always the same."""
    covered = {name: covers(example(REGISTRY[name])) for name in sorted(REGISTRY if names is None else names)}
    missing, chosen = frozenset().union(*covered.values()), []
    while missing:
        best = max(covered, key=lambda name: (len(covered[name] & missing), name))
        chosen.append(best)
        missing -= covered[best]
    return tuple(sorted(chosen))
