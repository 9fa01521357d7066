"""split_columns: the parts of a fused kernel as leaves of their own, for any optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import place, select, tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.recipe import ErrorInput
from gradchain.core.transform import Transform, example, wrapper
from gradchain.wrappers.parted import Parted

PyTree = Any


class Columns(Parted):
    """A transform that sees blocks of columns."""

    def __init__(self, inner: Transform, blocks: Mapping[str, int | Sequence[int]]):
        super().__init__(inner)
        self.blocks = dict(blocks)

    def widths(self, params: PyTree) -> list[tuple[int, ...]]:
        """The columns of each block of each leaf; none for a leaf that stays whole."""
        return [
            self._widths(path, x) for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True)
        ]

    def _widths(self, path: str, x: Any) -> tuple[int, ...]:
        given = next((n for pattern, n in self.blocks.items() if select.matches(pattern, path)), None)
        if given is None:
            return ()
        columns = x.shape[-1] if x.shape else 0
        found = (columns // given,) * given if isinstance(given, int) else tuple(given)
        if not columns or sum(found) != columns:
            raise ValueError(
                f"split_columns: {path!r} has {columns} columns, which are not {words.show(given)} blocks; "
                "expected a number that divides them, or the columns of each block"
            )
        return found

    def split(self, values: PyTree, like: PyTree) -> PyTree:
        """The tree with a tuple of blocks for each leaf that has some."""
        flat, treedef = jax.tree.flatten(values)
        rows = zip(flat, self.widths(like), strict=True)
        return treedef.unflatten([_blocks(x, widths) if widths else x for x, widths in rows])

    def joined(self, values: PyTree, like: PyTree) -> PyTree:
        """The other way round, each leaf where it is in `like`."""
        treedef = jax.tree.structure(like)
        rows = zip(treedef.flatten_up_to(values), jax.tree.leaves(like), self.widths(like), strict=True)
        return treedef.unflatten([_whole(x, p) if widths else x for x, p, widths in rows])


def _blocks(x: Any, widths: Sequence[int]) -> tuple:
    """Blocks of columns; split over a mesh as the leaf is, where its devices divide them all."""
    whole = home = place.of(x)
    if home is not None:
        split = place.split_of(home.spec, len(x.shape))
        count = math.prod(home.mesh.shape[name] for name in split[-1])
        whole = place.at(home.mesh, [*split[:-1], ()])
        home = whole if any(n % count for n in widths) else home
    if isinstance(x, jax.ShapeDtypeStruct):
        return tuple(jax.ShapeDtypeStruct((*x.shape[:-1], n), x.dtype, sharding=home) for n in widths)
    x = x if whole is None or place.is_blind(x) else place.put(x, whole)
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    parts = [x[..., end - n : end] for end, n in zip(ends, widths, strict=True)]
    return tuple(p if home is None or place.is_blind(p) else place.put(p, home) for p in parts)


def _whole(parts: Sequence[Any], like: Any) -> Any:
    """The leaf of these blocks, where `like` is."""
    home = place.of(like)
    if home is None or place.is_blind(like):
        return jnp.concatenate(parts, -1)
    whole = place.at(home.mesh, [*place.split_of(home.spec, like.ndim)[:-1], ()])
    return place.put(jnp.concatenate([place.put(p, whole) for p in parts], -1), home)


def _are_blocks(given: Any) -> bool:
    """Whether something is a number of blocks, or the columns of each."""
    numbers = given if isinstance(given, list | tuple) and given else (given,)
    return all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers)


@wrapper(
    example=lambda: {"inner": example("adam"), "blocks": {}},
    near=("with_axes", "split_real_and_imaginary"),
    errors=lambda: [
        ErrorInput({"blocks": {"**": "3"}}, TypeError, ("blocks['**'] is '3'", "a number of blocks")),
        ErrorInput({"blocks": {"**": (2, 0)}}, TypeError, ("blocks['**'] is (2, 0)",)),
        ErrorInput({"blocks": {3: 2}}, TypeError, ("blocks is {3: 2}", "texts for keys")),
    ],
)
def split_columns(inner: Any, blocks: Mapping[str, Any]):
    """Let an optimizer treat blocks of columns of some leaves as leaves: one matrix for each of q, k and v.

    split_columns(muon(0.02), {"**/qkv/kernel": 3}): `blocks` maps patterns of paths to a number of blocks
    along the last axis, or to the columns of each, (512, 128, 128). Inside, "kernel" is "kernel/0",
    "kernel/1", ..., also in the state and for masks. With a block for each head this is Muon by heads; a
    kernel [in, 3, heads, dim] needs no blocks, with_axes(muon(0.02), {"**/qkv/kernel": "rbbc"}) reads it so.
    A leaf whose columns are split over a mesh is gathered along them, and put back.
    Raises ValueError for a leaf whose columns are not such blocks.
    """
    for pattern, given in blocks.items():
        if not _are_blocks(given):
            raise TypeError(
                f"split_columns: blocks[{pattern!r}] is {words.show(given)}; expected a number of blocks, "
                "or the columns of each: 3, or (512, 128, 128)"
            )
    return Columns(as_transform(inner, "split_columns"), blocks)
