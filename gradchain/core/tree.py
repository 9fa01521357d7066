"""The tree algebra: paths, arithmetic and reductions over pytrees of arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

from gradchain.core import place
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


def _by_block(f: Callable[[list], Any], leaves: list[Array]) -> list:
    return [f([leaves[i] for i in block]) for block in blocks(leaves)]


# Powers of two that squares are summed at beside each other: small enough for any norm, and large enough for
# any but the smallest entries. One of the two sums has the norm to full precision, at no further read.
DOWN, UP = 2.0**-66, 2.0**32
Sums = tuple[Array, Array]


def _plus(x: Sums, y: Sums) -> Sums:
    return numerics.plus(x[0], y[0]), numerics.plus(x[1], y[1])


def _scaled(x: Array) -> tuple[Array, Array]:
    """|x|^2 at both scales; of a single number XLA would multiply these, and get 0, but for a maximum."""
    x = wide(x)
    if x.size > 1:  # there a maximum would be two more arrays on CPU
        return numerics.abs2(numerics.times(x, DOWN)), numerics.abs2(numerics.times(x, UP))
    size = jax.lax.abs(x)
    down, up = (jax.lax.max(numerics.times(size, scale), size.dtype.type(0)) for scale in (DOWN, UP))
    return jax.lax.square(down), jax.lax.square(up)


def _sums(x: Array) -> Sums:
    """Sums of |x|^2 at both scales: one is finite, the other has lost nothing to underflow."""
    down, up = _scaled(x)
    return jax.lax.reduce_sum(down, range(x.ndim)), jax.lax.reduce_sum(up, range(x.ndim))


@jax.jit
def _pair(x: Array) -> Sums:
    """The same as one reduction of two numbers, for XLA for GPU, which sums a matrix in two steps."""
    down, up = _scaled(x)
    zero = jnp.zeros((), down.dtype)
    return jax.lax.reduce((down, up), (zero, zero), _plus, tuple(range(x.ndim)))


def _added(sums: Iterable[Sums]) -> Sums:
    zero = jnp.zeros((), jnp.float32)
    return functools.reduce(_plus, sums, (zero, zero))


@jax.jit
def _squares(xs: list[Array]) -> Sums:
    return functools.reduce(_plus, map(_sums, xs))


@jax.jit
def _flat(xs: list[Array]) -> Array:
    return jnp.concatenate([wide(x).ravel() for x in xs])


def _sum_plainly(leaves: list[Array]) -> Sums:
    return _added(_by_block(_squares, leaves))


SMALL = 2**14  # elements


def _sum_on_gpu(leaves: list[Array]) -> Sums:
    """Small leaves are laid end to end and summed at once: a sum for each costs one or two kernels.

    Neither is done to leaves that are split over a mesh, which it would gather.
    """
    whole = [x for x in leaves if not place.is_split(x)]
    small = [x for x in whole if x.size <= SMALL]
    # Squared after the concatenation: of a concatenation of squares XLA makes a sum for each leaf again.
    flat = [jnp.concatenate(_by_block(_flat, small))] if small else []
    at_once = map(_pair, (*flat, *(x for x in whole if x.size > SMALL)))
    return _added([*at_once, _sum_plainly([x for x in leaves if place.is_split(x)])])


@jax.jit
def _vdot(xs: list[tuple[Array, Array]]) -> Array:
    return functools.reduce(jnp.add, [jnp.sum(wide(x).conj() * wide(y)) for x, y in xs])


def global_norm(updates: PyTree) -> Array:
    """Euclidean norm of all leaves taken as one vector, in float32 at least; its derivative at 0 is 0.

    Right from 2e-29 to the largest float32: squares are summed at two scales.
    """
    return _norm([jnp.asarray(x) for x in jax.tree.leaves(updates)])


@jax.custom_jvp
def _norm(leaves: list[Array]) -> Array:
    down, up = jax.lax.platform_dependent(leaves, cuda=_sum_on_gpu, default=_sum_plainly)
    usual = jnp.isfinite(up)
    return numerics.safe_sqrt(jnp.where(usual, up, down)) * jnp.where(usual, 1 / UP, 1 / DOWN)


@_norm.defjvp
def _(primals, tangents):
    # Of the parts as they are: at the scale that overflows 0 times infinity would come in.
    norm = _norm(*primals)
    rows = [(wide(x), wide(dx)) for x, dx in zip(*primals, *tangents, strict=True)]
    parts = [jnp.sum((numerics.safe_divide(x.conj(), norm.astype(x.dtype)) * dx).real) for x, dx in rows]
    return norm, functools.reduce(jnp.add, parts, jnp.zeros_like(norm)).astype(norm.dtype)


def vdot(tree_x: PyTree, tree_y: PyTree) -> Array:
    """Sum over all leaves of conj(x) * y, in float32 at least."""
    xs, ys = ([jnp.asarray(x) for x in jax.tree.leaves(tree)] for tree in (tree_x, tree_y))
    pairs = list(zip(xs, ys, strict=True))
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


def where(condition: Any, tree_x: PyTree, tree_y: PyTree) -> PyTree:
    """x where the scalar condition holds, else y, leaf by leaf."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), tree_x, tree_y)


def cast_like(tree: PyTree, other_tree: PyTree) -> PyTree:
    """Every leaf in the dtype of the same leaf of `other_tree`."""
    return jax.tree.map(lambda x, y: jnp.asarray(x).astype(jnp.asarray(y).dtype), tree, other_tree)


@jax.jit
def _apply(pairs: list[tuple[Array, Array]]) -> list[Array]:
    wide = [numerics.compute_dtype(p, u) for p, u in pairs]
    return [(p.astype(w) + u.astype(w)).astype(p.dtype) for (p, u), w in zip(pairs, wide, strict=True)]


def _moves(u: Any) -> bool:
    return u is not None and getattr(u, "dtype", None) != jax.dtypes.float0


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """params + updates, added in float32 at least and cast to each parameter's dtype once.

    An update of None, or of float0, which JAX gives for integers, leaves its parameter as it is.
    Raises ValueError, naming a leaf, where they have other leaves.
    """
    leaves, treedef = jax.tree.flatten(updates, is_leaf=lambda x: x is None)
    try:
        new = treedef.flatten_up_to(params)
    except ValueError:
        same_structure({"the updates": updates, "the parameters": params}, "apply_updates")
        raise
    at = [i for i, u in enumerate(leaves) if _moves(u) and new[i] is not None]
    pairs = [(jnp.asarray(new[i]), jnp.asarray(leaves[i])) for i in at]
    for block in blocks(pairs, lambda p: (p[0].shape, p[0].dtype, p[1].dtype)):
        for i, x in zip(block, _apply([pairs[i] for i in block]), strict=True):
            new[at[i]] = x
    return treedef.unflatten(new)
