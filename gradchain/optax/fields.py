"""Fields that Optax keeps in another way than a link does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from gradchain.core.link import leaves_of
from gradchain.core.slots import Leaf, SlotMaker, absent
from gradchain.core.transform import PLAN
from gradchain.optax.form import Field, Node, entry_at


@dataclasses.dataclass(frozen=True)
class Item(Field):
    """One value of a field that is a dict."""

    key: str = ""

    def out(self, state, like):
        """The value under the key."""
        return getattr(entry_at(state, self.way), self.field)[self.key]

    def into(self, theirs, like, found):
        """The value under the key, beside the others."""
        found.setdefault((self.way, self.field), {})[self.key] = theirs


@dataclasses.dataclass(frozen=True)
class Not(Field):
    """A truth value of which Optax keeps the opposite."""

    def out(self, state, like):
        """The opposite."""
        return ~super().out(state, like)

    def into(self, theirs, like, found):
        """The opposite."""
        super().into(~theirs, like, found)


@dataclasses.dataclass(frozen=True)
class AtStart(Field):
    """A counter of which Optax keeps only whether it is 0."""

    def out(self, state, like):
        """Whether it is 0."""
        return super().out(state, like) == 0

    def into(self, theirs, like, found):
        """0, or more."""
        super().into(1 - theirs.astype(jnp.int32), like, found)


@dataclasses.dataclass(frozen=True)
class Columns(Node):
    """Fields with an array for each leaf, where Optax has for each leaf a list, as long as it has axes."""

    parts: Sequence[Field]

    def out(self, state, like):
        """For each leaf its list."""
        columns = [jax.tree.leaves(part.out(state, like)) for part in self.parts]
        leaves, treedef = jax.tree.flatten(like.tree)
        rows = zip(leaves, *columns, strict=True)
        return treedef.unflatten([list(row[: len(p.shape)]) for p, *row in rows])

    def into(self, theirs, like, found):
        """For each field its column; a scalar where a leaf has no such axis."""
        treedef = jax.tree.structure(like.tree)
        rows = treedef.flatten_up_to(theirs)
        for i, part in enumerate(self.parts):
            column = [row[i] if i < len(row) else jnp.zeros(()) for row in rows]
            part.into(treedef.unflatten(column), like, found)


@dataclasses.dataclass(frozen=True)
class Padded(Field):
    """A field in which Optax has an array of length 1 for a leaf that keeps nothing, here a scalar."""

    slot: SlotMaker = absent

    def out(self, state, like):
        """The field, with vectors for scalars that are none of a scalar parameter."""
        value = getattr(entry_at(state, self.way), self.field)
        kept = like.by_path(value)
        for leaf in leaves_of(like.tree, PLAN):
            if leaf.path in kept and self._nothing(leaf):
                kept[leaf.path] = kept[leaf.path].reshape(1)
        return like.whole(kept)

    def into(self, theirs, like, found):
        """The field, with scalars where nothing is kept."""
        kept = like.by_path(theirs)
        for leaf in leaves_of(like.tree, PLAN):
            if leaf.path in kept and self._nothing(leaf):
                kept[leaf.path] = kept[leaf.path].reshape(())
        super().into(like.whole(kept), like, found)

    def _nothing(self, leaf: Leaf) -> bool:
        return self.slot(leaf).shape == () and (bool(leaf.shape) or self.field != "v")
