"""chain: links run one after another, adjacent leafwise ones as one kernel per leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gradchain.core import words
from gradchain.core.engine import Part, run
from gradchain.core.foreign import as_transform
from gradchain.core.leafwise import Leafwise
from gradchain.core.masks import Freeze, Frozen, Masked
from gradchain.core.transform import Body, Context, Inside, Transform, example, transform


def unique(groups: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The names of each group with twins numbered: a second "trace" becomes "trace_1"."""
    taken: set[str] = set()
    last: dict[str, int] = {}  # the numbers below are taken
    found = []
    for group in groups:
        named = []
        for name in group:
            fresh, n = name, last.get(name, 0)
            if n:
                fresh = f"{name}_{n}"
            while fresh in taken:
                n += 1
                fresh = f"{name}_{n}"
            taken.add(fresh)
            last[name] = n
            named.append(fresh)
        found.append(tuple(named))
    return found


def _named(tx: Transform, is_it: Callable[[Transform], bool]) -> str:
    """The name of the first transform in it, itself included, of which something is true; or ""."""
    if is_it(tx):
        return tx.name
    return next((name for inside in tx.body.inside() if (name := _named(inside.tx, is_it))), "")


def rounds(tx: Transform) -> str:
    """The name of a link in it that must be the last of all, as those that round parameters are; or ""."""
    return _named(tx, lambda x: "last" in x.recipe.factory.traits)


def sets(tx: Transform) -> str:
    """The name of a link in it that sets parameters to values of its own, as pruning does; or ""."""
    return _named(tx, lambda x: "sets" in x.recipe.factory.traits)


def averages(tx: Transform) -> str:
    """The name of a link in it that keeps, for evaluation, what its updates lead the parameters to; or ""."""
    return _named(tx, lambda x: hasattr(getattr(x.body, "State", None), "eval_field"))


def solves(tx: Transform) -> str:
    """The name of one that computes what to evaluate from the trained parameters; or ""."""
    return _named(tx, lambda x: hasattr(getattr(x.body, "State", None), "eval_leaf"))


def _check_order(before: Transform, link: Transform, name: str) -> None:
    """Raise where `name`, in `link`, sets parameters of which a link before it keeps what is evaluated."""
    if average := solves(before):
        first = "" if rounds(link) else f"put {name} into the optimizer that it averages if that takes it, "
        raise ValueError(
            f"chain: {name} sets parameters from which {average} would compute its average, so that "
            f"eval_params were neither; {first}take an optimizer without one, or prune or round what "
            "eval_params gives when training is over"
        )
    if not rounds(link) and (average := averages(before)):
        raise ValueError(
            f"chain: {name} sets parameters after {average}, which keeps others, those that its own updates "
            f"lead to, and eval_params gives them; put {name} before {average}"
        )


class Chain(Body):
    """Links run one after another; adjacent leafwise ones as one kernel per leaf."""

    def __init__(self, links: Sequence[Transform], names: Sequence[str | None] = ()):
        self.links = tuple(links)
        bodies = [link.body for link in self.links]
        given = [
            body.keys if name is None else tuple(name if k == link.name else f"{name}/{k}" for k in body.keys)
            for link, body, name in zip(self.links, bodies, names or [None] * len(bodies), strict=True)
        ]
        self.names, self.labels = unique(given), [name or "" for name in names or [""] * len(bodies)]
        self.keys = tuple(k for group in self.names for k in group)
        self.needs = frozenset().union(*(body.needs for body in bodies))
        self.steps = list(self._steps())

        for link in self.links[:-1]:
            if name := rounds(link):
                raise ValueError(
                    f"chain: {name} rounds the parameters and must be the last link; {self.links[-1].name} "
                    "stands after it"
                )
        for i, link in enumerate(self.links):
            if name := sets(link):
                for before in self.links[:i]:
                    _check_order(before, link, name)

    def _entries(self) -> Iterator[tuple[Body, dict[str, str], tuple]]:
        """Every body of the chain with nested chains opened: (body, its key -> ours, masks)."""
        for link, names in zip(self.links, self.names, strict=True):
            rename = dict(zip(link.body.keys, names, strict=True))
            if isinstance(link.body, Chain):
                for body, inner, masks in link.body._entries():
                    yield body, {k: rename[v] for k, v in inner.items()}, masks
            elif isinstance(link.body, Masked) and isinstance(inner := link.body.inner.body, Leafwise):
                if inner.before is None and not link.body.masks_extra:
                    yield inner, rename, (link.body.mask,)
                else:
                    yield link.body, rename, ()
            else:
                yield link.body, rename, ()

    def _steps(self) -> Iterator[list[Part] | tuple[Body, dict[str, str]]]:
        """The links as they run: runs of leafwise parts, and other bodies one by one."""
        parts: list[Part] = []
        for body, rename, masks in self._entries():
            leaf = isinstance(body, Leafwise)
            if parts and (
                not leaf or body.before is not None
            ):  # a reduction needs the updates before it whole
                yield parts
                parts = []
            if leaf:
                parts.append(Part(body, rename[body.keys[0]] if body.keys else None, masks))
            else:
                yield body, rename
        if parts:
            yield parts

    def inside(self) -> list[Inside]:
        """The links."""
        found = []
        for link, names, label in zip(self.links, self.names, self.labels, strict=True):
            where = {k: (name,) for k, name in zip(link.body.keys, names, strict=True)}
            single = not link.body.inside()
            found.append(
                Inside(link, where, (label,) if label and not single else (), label if single else "")
            )
        return found

    def slots(self, params, plan) -> dict[str, Any]:
        """All links' slots in one dict."""
        return self._gather(lambda body: body.slots(params, plan))

    def init(self, params, plan) -> dict[str, Any]:
        """All links' states in one dict."""
        return self._gather(lambda body: body.init(params, plan))

    def _gather(self, of) -> dict[str, Any]:
        found = {}
        for link, names in zip(self.links, self.names, strict=True):
            made = of(link.body)
            found |= {name: made[k] for k, name in zip(link.body.keys, names, strict=True)}
        return found

    def run(self, updates, state, params, ctx: Context):
        """Every step in turn; the last one applies the updates if they are to be applied."""
        new: dict[str, Any] = {}
        steps = self.steps or [[]]
        for i, step in enumerate(steps):
            here = Context(ctx.extra, ctx.apply and i == len(steps) - 1, ctx.plan)
            if isinstance(step, list):
                updates, found = run(step, updates, state, params, here)
                new |= found
            else:
                body, rename = step
                updates, found = body.run(updates, {k: state[v] for k, v in rename.items()}, params, here)
                new |= {rename[k]: v for k, v in found.items()}
        return updates, new


@transform(example=lambda: {"links": (example("scale_by_adam"), example("scale"))})
def chain(*links):
    """Apply transformations one after another, each to the updates of the one before.

    The state is a dict from link name to the link's state: adding, removing or moving a link leaves the
    other entries as they are. Nested chains are opened; links of one name are numbered ("trace", "trace_1").
    Transformations of other libraries may stand between gradchain's.
    """
    made = [as_transform(link, "chain") for link in links]
    frozen = [link.body.mask for link in made if isinstance(link.body, Freeze)]
    if not frozen:
        return Chain(made)
    rest = [link for link in made if not isinstance(link.body, Freeze)]
    return Frozen(chain(*rest), frozen)


@transform(example=lambda: {"links": (("first", example("scale_by_adam")), ("last", example("scale")))})
def named_chain(*links):
    """A chain of pairs (name, transformation): the names replace the links' own in the state and in paths."""
    for link in links:
        if not (isinstance(link, Sequence) and len(link) == 2 and isinstance(link[0], str)):
            raise TypeError(
                f"named_chain: {words.show(link)} is not a pair (name, transformation): "
                'named_chain(("decay", add_decayed_weights(0.1)), ...)'
            )
    return Chain([as_transform(tx, "named_chain") for _, tx in links], [name for name, _ in links])
