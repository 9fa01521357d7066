"""The description of any transform's state in Optax's form, from what the transform is made of."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import jax.numpy as jnp

from gradchain.core import hyper
from gradchain.core.compose import Chain
from gradchain.core.foreign import Foreign
from gradchain.core.link import Link
from gradchain.core.masks import Masked, Partition
from gradchain.core.states import extended
from gradchain.core.transform import Body, Transform
from gradchain.optax.form import Alone, Entries, Entry, Field, Fixed, Form, Node, Row, Table, Way
from gradchain.optax.types import EmptyState, MaskedNode
from gradchain.types import MaskedState, PartitionState

EMPTY = Row((), EmptyState)
F = TypeVar("F", bound=Field)
FORMS: dict[str, Callable[[At], Node]] = {}  # by the name of a factory


def form_of_factory(*names: str):
    """Enter a function At -> Node as the form of transforms that these factories make."""

    def enter(f: Callable[[At], Node]) -> Callable[[At], Node]:
        FORMS.update(dict.fromkeys(names, f))
        return f

    return enter


@dataclasses.dataclass(frozen=True)
class At:
    """A transform within an optimizer: the ways to its entries, and whether a mask is around it.

    Its attributes are nodes: `at.count` is the field `count` of its own entry.
    """

    tx: Transform
    ways: Mapping[str, Way]
    masked: bool = False
    free: bool = False  # it sees another tree than the parameters

    @property
    def body(self) -> Body:
        return self.tx.body

    @property
    def args(self) -> Mapping[str, Any]:
        """The arguments of the factory whose body this is."""
        return self.body.recipe.args

    @property
    def own(self) -> Way:
        """The way to the entry of a link."""
        return self.ways[self.body.keys[0]]

    def __getattr__(self, field: str) -> Field:
        if field.startswith("_") or not isinstance(self.body, Link):
            raise AttributeError(field)
        return Field(self.own, field, field in self.body.fields and not self.free, self.masked)

    def of(self, field: str, kind: type[F], **more: Any) -> F:
        """A field of its own entry as another kind of node."""
        plain = getattr(self, field)
        return kind(plain.way, plain.field, plain.by_leaf, plain.masked, **more)

    @functools.cached_property
    def parts(self) -> list[At]:
        """The transforms that it is made of."""
        return [
            At(
                part.tx,
                {k: (*self.ways[first], *rest) for k, (first, *rest) in part.where.items()},
                self.masked or part.picked is not None,
                self.free,
            )
            for part in self.body.inside()
        ]

    @property
    def inner(self) -> Node:
        """The form of what it wraps."""
        return node(self.parts[0])

    @property
    def inner_free(self) -> Node:
        """The form of what it wraps, which sees another tree."""
        return node(dataclasses.replace(self.parts[0], free=True))

    @property
    def groups(self) -> dict[str, At]:
        """The groups of a partition by label."""
        body = self.body
        return dict(zip(body.groups, self.parts, strict=True)) if isinstance(body, Partition) else {}

    def link(self, name: str) -> At:
        """The first link in it that a factory of this name made."""
        return next(at for at in self.walk() if at.body.recipe.factory.name == name)

    def find(self, name: str) -> Node:
        """The form of the first link in it that a factory of this name made; EmptyState without one."""
        return node(self.link(name)) if self.has(name) else EMPTY

    def has(self, name: str) -> bool:
        """Whether there is such a link in it."""
        return any(at.body.recipe.factory.name == name for at in self.walk())

    def decay(self) -> Node:
        """The form of its weight decay, which is left out where it is zero."""
        if self.has("add_decayed_weights"):
            return self.find("add_decayed_weights")
        return EMPTY if self.tx.args.get("mask") is None else masked(EMPTY)

    def row(self, *names: str) -> Row:
        """Links in it by the names of their factories, as `find` finds them."""
        return Row([self.decay() if name == "add_decayed_weights" else self.find(name) for name in names])

    def walk(self):
        """It and all in it, the outer before the inner."""
        yield self
        for part in self.parts:
            yield from part.walk()


def node(at: At) -> Node:
    """The description of a transform's state."""
    recipe = at.body.recipe
    for name in (at.tx.name, recipe.factory.name):
        if name in FORMS:
            return FORMS[name](at)
    body = at.body
    if type(body) is Chain:
        named = any(body.labels)
        nodes = [node(part) for part in at.parts]
        return Table(dict(zip(body.labels, nodes, strict=True))) if named else Row(nodes)
    if type(body) is Masked:
        return masked(at.inner)
    if type(body) is Partition:
        labels = {text: label for label, text in body.names.items()}
        groups = zip(body.groups, at.parts, strict=True)
        return Row([Table({labels.get(k, k): masked(node(part)) for k, part in groups})], PartitionState)
    if isinstance(body, Foreign):
        return Alone(at.own)
    if isinstance(body, Link) and not at.parts:
        return link(at)
    return Entries(at.ways) if at.ways else EMPTY


def link(at: At, hidden: Collection[str] = ()) -> Node:
    """The declared state of a link, field by field, without hyperparameters that no user may set."""
    body: Any = at.body
    tunable = any(isinstance(body.recipe.args[k], hyper.Tunable) for k in body.recipe.kept)
    extra = tuple(f for f in body.extra if tunable or f != "hyperparams")
    declared = None if hidden else body.State
    if declared is None and not extra:
        return EMPTY
    cls = extended(declared, extra)
    return Row([getattr(at, f) for f in getattr(cls, "_fields", ())], cls)


def masked(inner: Node) -> Node:
    """What a mask is around."""
    return Row([inner], MaskedState)


def form(tx: Transform) -> Form:
    """The description of a transform's state, and of the entries of its links."""
    at = At(tx, {k: (k,) for k in tx.body.keys})
    root = node(at)
    entries = [entry(part) for part in described(at) if isinstance(part.body, Link) and part.body.keys]
    return Form(root, entries, MaskedNode())


def described(at: At):
    """What is described of an optimizer, without what is in entries that stand as they are."""
    if isinstance(node(at), Entries):
        return
    yield at
    for part in at.parts:
        yield from described(part)


def entry(at: At) -> Entry:
    """The entry of a link, and what is not shown of it: constants, and numbers as they start."""
    body: Any = at.body

    def fill(field: str) -> Any:
        if field == "hyperparams":
            return {k: jnp.asarray(body.recipe.initial(k), jnp.result_type(float)) for k in body.recipe.kept}
        return body.globals[field].make(None).make()

    return Entry(at.own, body.state_type, fill)


__all__ = ["EMPTY", "FORMS", "At", "Fixed", "form", "form_of_factory", "node"]
