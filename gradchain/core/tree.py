"""The tree algebra: paths, arithmetic and reductions over pytrees of arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

from gradchain.core import place
from gradchain.core.control import when
from gradchain.math import numerics

PyTree = Any


def is_variable(node) -> bool:
    """A Flax NNX Variable: a leaf to its users, a node with one child `value` to JAX."""
    return any(c.__name__ == "Variable" and c.__module__.startswith("flax.nnx") for c in type(node).__mro__)


def _name(key) -> str:
    match key:
        case DictKey(key=name) | FlattenedIndexKey(key=name):
            return str(name)
        case SequenceKey(idx=index):
            return str(index)
        case GetAttrKey(name=name):
            return name
    return str(key)


def _join(path) -> str:
    return "/".join(_name(key) for key in path)


@functools.lru_cache(maxsize=512)
def _paths(treedef) -> tuple[str, ...]:
    tree = jax.tree.unflatten(treedef, list(range(treedef.num_leaves)))
    found = []
    for path, node in jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_variable)[0]:
        inner = (
            [()]
            if not is_variable(node)
            else [p[1:] for p, _ in jax.tree_util.tree_flatten_with_path(node)[0]]
        )
        found += [_join((*path, *rest)) for rest in inner]
    if len(set(found)) < len(found):
        twin = next(path for i, path in enumerate(found) if path in found[:i])
        raise ValueError(
            f"two leaves have the path {twin!r}: rename one, so that masks and the state tell them apart"
        )
    return tuple(found)


def paths(tree: PyTree) -> tuple[str, ...]:
    """The path of every leaf, "encoder/kernel"; an NNX Variable counts as the array that it holds."""
    return _paths(jax.tree.structure(tree))


def same_structure(
    trees: dict[str, PyTree], who: str, advice: str = "", odd: Sequence[str] | None = None
) -> None:
    """Raise, naming `who` and the first path that differs, unless all trees have the first one's leaves.

    `odd` are the paths that differ, where some may; `advice` says which of the trees is the wrong one.
    """
    (first, reference), *others = trees.items()
    treedef = jax.tree.structure(reference)
    for name, tree in others:
        if jax.tree.structure(tree) == treedef:
            continue
        here, there = paths(reference), paths(tree)
        if here == there:  # the same leaves in other containers, such as a dict and a FrozenDict
            kinds = f"{type(reference).__name__} and {type(tree).__name__}"
            raise ValueError(
                f"{who}: {first} and {name} have the same leaves in different containers ({kinds}); "
                f"pass {name} in the containers that {first} came in"
            )
        differing = odd or [p for p in here if p not in there] + [p for p in there if p not in here]
        sides = (first, name) if differing[0] in here else (name, first)
        more = len(differing) - 1
        raise ValueError(
            f"{who}: {first} ({len(here)} leaves) and {name} ({len(there)} leaves) differ: "
            f"{differing[0]!r} is in {sides[0]} but not in {sides[1]}"
            + (f", and {more} more" if more > 0 else "")
            + advice
            + "; initialise with the parameters that you take gradients of"
        )


def subtree(values: PyTree, picked: Sequence[bool]) -> dict[str, Any]:
    """The chosen leaves of a tree as a dict by path: what a masked transform sees of any containers."""
    return {p: x for p, x, c in zip(paths(values), jax.tree.leaves(values), picked, strict=True) if c}


def merge(values: PyTree, parts: Mapping[str, Any], otherwise: Callable | None = None) -> PyTree:
    """A tree like `values` with the leaves of a dict by path put in place of its own."""
    leaves, treedef = jax.tree.flatten(values)
    own = leaves if otherwise is None else [otherwise(x) for x in leaves]
    return treedef.unflatten([parts.get(p, x) for p, x in zip(paths(values), own, strict=True)])


def map_paths(f, tree: PyTree, *rest: PyTree) -> PyTree:
    """Map f(path, leaf, *leaves) over trees of one structure."""
    leaves, treedef = jax.tree.flatten(tree)
    columns = [treedef.flatten_up_to(t) for t in rest]
    return treedef.unflatten([f(*row) for row in zip(paths(tree), leaves, *columns, strict=True)])


def wide(x: Array) -> Array:
    """The array as arithmetic wants it: float32 at least."""
    return x.astype(numerics.compute_dtype(x))


def blocks(rows: Sequence, key: Callable[[Any], Any] = lambda x: (x.shape, x.dtype)) -> Iterator[list[int]]:
    """Indices of rows in blocks of one key: alike rows, about the square root of their number at a time.

    A jitted function of a block is traced once for all blocks alike, and a call costs more to trace and to
    lower than the arguments of one more leaf: 1,000 leaves make 39 calls. Fewer than 64 rows go one by one.
    """
    alike: dict[Any, list[int]] = {}
    for i, row in enumerate(rows):
        alike.setdefault(key(row), []).append(i)
    for members in alike.values():
        size = 1 << (len(members).bit_length() // 2) if len(members) >= 64 else 1
        whole = len(members) // size * size
        yield from (members[i : i + size] for i in range(0, whole, size))
        yield from ([i] for i in members[whole:])


def _by_block(f: Callable[[list], Array], leaves: list[Array]) -> list[Array]:
    return [f([leaves[i] for i in block]) for block in blocks(leaves)]


@jax.jit
def _squares(xs: list[Array]) -> Array:
    return functools.reduce(jnp.add, [jnp.sum(numerics.abs2(wide(x))) for x in xs])


@jax.jit
def _flat(xs: list[Array]) -> Array:
    return jnp.concatenate([wide(x).ravel() for x in xs])


def _sum_plainly(leaves: list[Array]) -> Array:
    return functools.reduce(jnp.add, _by_block(_squares, leaves), jnp.zeros((), jnp.float32))


def _sum_flat(leaves: list[Array]) -> Array:
    # Squared after the concatenation: of a concatenation of squares XLA makes a sum for each leaf again.
    return jnp.sum(numerics.abs2(jnp.concatenate(_by_block(_flat, leaves))))


SMALL = 2**14  # elements


def sum_of_squares(tree: PyTree) -> Array:
    """Sum over all leaves of |x|^2, in float32 at least.

    On NVIDIA GPUs a sum per leaf costs one or two kernels, so small leaves are laid end to end and summed at
    once; on TPU that would only add copies.
    """
    leaves = jax.tree.leaves(tree)
    small = [x for x in leaves if x.size <= SMALL and not place.is_split(x)]
    if len(small) < 2:
        return _sum_plainly(leaves)
    total = jax.lax.platform_dependent(small, cuda=_sum_flat, default=_sum_plainly)
    return total + _sum_plainly([x for x in leaves if x.size > SMALL or place.is_split(x)])


@jax.jit
def _vdot(xs: list[tuple[Array, Array]]) -> Array:
    return functools.reduce(jnp.add, [jnp.sum(wide(x).conj() * wide(y)) for x, y in xs])


def global_norm(updates: PyTree) -> Array:
    """Euclidean norm of all leaves taken as one vector, in float32 at least; its derivative at 0 is 0.

    Leaves are read once more where their squares overflow or vanish, and only there.
    """
    return _root(sum_of_squares(updates), jax.tree.leaves(updates))


@jax.jit
def _root(total: Array, leaves: list[Array]) -> Array:
    info = jnp.finfo(total.dtype)
    lost = jnp.isinf(total) | (total < float(info.tiny) / float(info.eps))
    return when(lost, _scaled_norm, numerics.safe_sqrt(total), leaves)


def _scaled_norm(norm: Array, leaves: list[Array]) -> Array:
    """The norm by way of the largest entry, which is 1 while squares are summed."""
    most = functools.reduce(jnp.maximum, _by_block(_largest, leaves), jnp.zeros((), jnp.float32))
    most = jax.lax.stop_gradient(most)
    size = jnp.clip(most, 4 * float(jnp.finfo(most.dtype).tiny), float(jnp.finfo(most.dtype).max))
    sums = _by_block(lambda xs: _scaled_squares(xs, size), leaves)
    root = numerics.safe_sqrt(functools.reduce(jnp.add, sums, jnp.zeros((), jnp.float32)))
    return jnp.where(jnp.isinf(most), most, size * root).astype(norm.dtype)


@jax.jit
def _scaled_squares(xs: list[Array], size: Array) -> Array:
    return _squares([wide(x) / size.astype(numerics.real_dtype(wide(x))) for x in xs])


@jax.jit
def _largest(xs: list[Array]) -> Array:
    return functools.reduce(jnp.maximum, [jnp.max(jnp.abs(wide(x)), initial=0) for x in xs])


def vdot(x: PyTree, y: PyTree) -> Array:
    """Sum over all leaves of conj(x) * y, in float32 at least."""
    pairs = list(zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True))
    parts = [
        _vdot([pairs[i] for i in block])
        for block in blocks(pairs, lambda p: (p[0].shape, p[0].dtype, p[1].dtype))
    ]
    return functools.reduce(jnp.add, parts, jnp.zeros((), jnp.float32))


@jax.jit
def _finite(xs: list[Array]) -> Array:
    return functools.reduce(jnp.logical_and, [jnp.all(jnp.isfinite(x)) for x in xs])


def all_finite(tree: PyTree) -> Array:
    """Whether no leaf holds an infinity or a NaN."""
    return functools.reduce(jnp.logical_and, _by_block(_finite, jax.tree.leaves(tree)), jnp.array(True))


def axpy(a, x: PyTree, y: PyTree) -> PyTree:
    """a * x + y, leaf by leaf."""
    return jax.tree.map(lambda u, v: a * u + v, x, y)


def where(condition: Array, x: PyTree, y: PyTree) -> PyTree:
    """x where the scalar condition holds, else y, leaf by leaf."""
    return jax.tree.map(lambda u, v: jnp.where(condition, u, v), x, y)


def cast_like(tree: PyTree, other: PyTree) -> PyTree:
    """Every leaf in the dtype of the same leaf of `other`."""
    return jax.tree.map(lambda x, y: x.astype(y.dtype), tree, other)


@jax.jit
def _apply(pairs: list[tuple[Array, Array]]) -> list[Array]:
    wide = [numerics.compute_dtype(p, u) for p, u in pairs]
    return [(p.astype(w) + u.astype(w)).astype(p.dtype) for (p, u), w in zip(pairs, wide, strict=True)]


def _moves(u: Any) -> bool:
    return u is not None and getattr(u, "dtype", None) != jax.dtypes.float0


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """params + updates, added in float32 at least and cast to each parameter's dtype once.

    An update of None, or of float0, which JAX gives for integers, leaves its parameter as it is.
    """
    leaves, treedef = jax.tree.flatten(updates, is_leaf=lambda x: x is None)
    new = treedef.flatten_up_to(params)
    at = [i for i, u in enumerate(leaves) if _moves(u) and new[i] is not None]
    pairs = [(jnp.asarray(new[i]), jnp.asarray(leaves[i])) for i in at]
    for block in blocks(pairs, lambda p: (p[0].shape, p[0].dtype, p[1].dtype)):
        for i, x in zip(block, _apply([pairs[i] for i in block]), strict=True):
            new[at[i]] = x
    return treedef.unflatten(new)
