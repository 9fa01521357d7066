"""The engine that runs leafwise links: one traced kernel for each shape, adjacent links in one kernel."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain import numerics, select, tree
from gradchain.link import Link, leaves_of, need_params
from gradchain.recipe import Recipe
from gradchain.slots import Leaf
from gradchain.transform import Context


@dataclasses.dataclass(frozen=True)
class Part:
    """A leafwise link in a run: its key in the state, and the masks of the wrappers around it."""

    link: Any  # a Leafwise
    key: str | None
    masks: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return self.link.recipe.factory.name


@dataclasses.dataclass(frozen=True)
class _Program:
    """The kernel of a run for one leaf; equal keys share one compiled function. It must hold no tracers."""

    key: tuple
    recipes: tuple[Recipe, ...] = dataclasses.field(compare=False)
    leaf: Leaf | None
    apply: bool

    @functools.cached_property
    def name(self) -> str:
        return "_".join(r.factory.name for r in self.recipes) or "apply_updates"


class KernelError(ValueError):
    """A kernel that could not run on a leaf."""


def _like(x, dtype):
    """An array of state in the dtype that the kernel computes in; integers and flags stay."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    wide = jnp.promote_types(x.dtype, jnp.finfo(dtype).dtype)
    return x.astype(wide)


@functools.lru_cache(maxsize=4096)
def _kernel(program: _Program) -> Callable:
    def kernel(g, p, columns, salt, scalars, operands, extra):
        dtype = numerics.compute_dtype(g, *(() if p is None else (p,)))
        u, wide_p = g.astype(dtype), None if p is None else p.astype(dtype)
        kept = []
        for recipe, column, shared, values in zip(program.recipes, columns, scalars, operands, strict=True):
            link = recipe.build(values)
            given = {"leaf": program.leaf, "salt": salt, **extra}
            asked = {k: given[k] for k in link.asks}
            args = (wide_p,) if link.uses_params else ()
            if link.State is None:
                u = link.step(u, *args, **asked)
                kept.append(())
            else:
                local = link.State(**shared, **{f: _like(x, dtype) for f, x in column.items()})
                u, s = link.step(u, local, *args, **asked)
                kept.append({f: _store(getattr(s, f), x, recipe.factory.name, f) for f, x in column.items()})
            if u.shape != g.shape:
                raise KernelError(
                    f"{recipe.factory.name}: the update has shape {u.shape}, the gradient {g.shape}"
                )
            u = u.astype(dtype)
        return (u if p is None or not program.apply else (wide_p + u).astype(p.dtype)), tuple(kept)

    kernel.__name__ = kernel.__qualname__ = program.name
    return jax.jit(kernel)


def _store(new, old, name: str, field: str):
    if new.shape != old.shape:
        raise KernelError(
            f"{name}: {field} has shape {list(old.shape)} in the state, {list(new.shape)} is needed"
        )
    return new.astype(old.dtype)


def _store_shared(new, old):
    return jnp.asarray(new, old.dtype)


@functools.lru_cache(maxsize=65536)
def _salt(path: str) -> np.uint32:
    return np.uint32(zlib.crc32(path.encode()))


def clear_caches() -> None:
    """Forget every traced kernel."""
    _kernel.cache_clear()
    _block.cache_clear()


@dataclasses.dataclass
class _Live:
    """One part of a run in this step."""

    part: Part
    picked: tuple[bool, ...] | None
    state: Any
    operands: dict[str, Any]
    kept: dict[str, Any]
    scalars: dict[str, Any]
    columns: list[dict[str, Any]]  # per leaf: field -> array


def _prepare(part: Part, updates, treedef, state, params, ctx: Context) -> _Live:
    link = part.link
    picked = _picked(part, params if params is not None else updates)
    s = None if part.key is None else link.counted(state[part.key])
    operands, kept = link.live(None if part.key is None else state[part.key])
    if link.before:
        body = link.recipe.build(operands) if operands else link
        new = body.before(_subset(updates, picked), s)
        s = new._replace(
            **{f: jax.tree.map(_store_shared, getattr(new, f), getattr(s, f)) for f in link.globals}
        )
    scalars = (
        {}
        if s is None
        else {f: getattr(s, f) for f in link.globals if f in getattr(link.State, "_fields", ())}
    )
    columns: list[dict[str, Any]] = [{} for _ in range(treedef.num_leaves)]
    for field in link.fields:
        value = getattr(s, field)
        if picked is None:
            if jax.tree.structure(value) != treedef and tree.paths(value) != tree.paths(updates):
                tree.same_structure({"the gradients": updates, f"the state's {field}": value}, part.name)
            for column, x in zip(columns, jax.tree.leaves(value), strict=True):
                column[field] = x
        else:
            for column, path, chosen in zip(columns, tree.paths(updates), picked, strict=True):
                if chosen:
                    if path not in value:
                        raise ValueError(
                            f"{part.name}: the state's {field} has no {path!r}, which its mask selects now"
                        )
                    column[field] = value[path]
    return _Live(part, picked, s, operands, kept, scalars, columns)


def _picked(part: Part, params) -> tuple[bool, ...] | None:
    found = [select.chosen(m, params, part.name) for m in part.masks]
    if part.link.where is not None:
        found.append(select.chosen(part.link.where, params, part.name))
    return tuple(map(all, zip(*found, strict=True))) if found else None


def _subset(updates, picked):
    if picked is None:
        return updates
    return [x for x, chosen in zip(jax.tree.leaves(updates), picked, strict=True) if chosen]


def run(parts: Sequence[Part], updates, state: dict, params, ctx: Context) -> tuple[Any, dict]:
    """Run adjacent leafwise links as one kernel per leaf: the updates (or parameters) and the new state."""
    leaves, treedef = jax.tree.flatten(updates)
    if params is None:
        for part in parts:
            if part.link.uses_params:
                need_params(part.name, params)
        weights = [None] * len(leaves)
    else:
        tree.same_structure(
            {"the gradients": updates, "the parameters": params}, parts[0].name if parts else "step"
        )
        weights = jax.tree.leaves(params)
        _same_shapes(parts[0].name if parts else "step", updates, leaves, weights)
    live = [_prepare(part, updates, treedef, state, params, ctx) for part in parts]
    asks = frozenset().union(*(part.link.asks for part in parts))
    described: list[Leaf | None] = [None] * len(leaves)
    if "leaf" in asks:
        described = [dataclasses.replace(leaf, path="", array=None) for leaf in leaves_of(updates, ctx.axes)]
    salts = [_salt(path) for path in tree.paths(updates)] if "salt" in asks else [None] * len(leaves)
    extra = {k: ctx.extra[k] for part in parts for k in part.link.needs}

    out: list[Any] = list(leaves)
    results: list[list[Any]] = [[None] * len(leaves) for _ in live]
    keys = _keys(leaves, weights, described, live)
    for block in tree.blocks(keys, lambda k: k):
        first = block[0]
        picks = keys[first][0]
        active = [v for v, pick in zip(live, picks, strict=True) if pick]
        if not active and not ctx.apply:
            continue
        use_p = ctx.apply or any(v.part.link.uses_params for v in active)
        kernel = _kernel(_program(active, described[first], ctx.apply))
        scalars, operands = tuple([v.scalars for v in active]), tuple([v.operands for v in active])
        rows = [
            (leaves[i], weights[i] if use_p else None, tuple([v.columns[i] for v in active]), salts[i])
            for i in block
        ]
        try:
            if len(rows) == 1:
                made = [kernel(*rows[0], scalars, operands, extra)]
            else:
                made = _block(kernel)(rows, scalars, operands, extra)
        except (TypeError, ValueError) as error:
            raise _explained(error, active, updates, first, ctx) from error.__cause__
        for i, (u, kept) in zip(block, made, strict=True):
            out[i], columns = u, iter(kept)
            for result, pick in zip(results, picks, strict=True):
                result[i] = next(columns) if pick else None
    new = {v.part.key: _pack(v, results[k], updates) for k, v in enumerate(live) if v.part.key is not None}
    return treedef.unflatten(out), new


def _same_shapes(who: str, updates, leaves: list, weights: list) -> None:
    for i, (g, p) in enumerate(zip(leaves, weights, strict=True)):
        if g.shape != p.shape:
            raise ValueError(
                f"{who}: the gradient of {tree.paths(updates)[i]!r} has shape {list(g.shape)}, "
                f"its parameter {list(p.shape)}"
            )


def _keys(leaves, weights, described, live: Sequence[_Live]) -> list[tuple]:
    """For each leaf which parts act on it and what its program depends on: one traced kernel for each key."""
    everywhere = tuple(v.picked is None for v in live)
    uniform = all(everywhere)
    return [
        (
            everywhere if uniform else tuple([v.picked is None or v.picked[i] for v in live]),
            g.shape,
            g.dtype,
            None if p is None else p.dtype,
            leaf,
        )
        for i, (g, p, leaf) in enumerate(zip(leaves, weights, described, strict=True))
    ]


@functools.lru_cache(maxsize=4096)
def _block(kernel: Callable) -> Callable:
    def block(rows, scalars, operands, extra):
        return [kernel(*row, scalars, operands, extra) for row in rows]

    block.__name__ = block.__qualname__ = f"{kernel.__name__}_block"
    return jax.jit(block)


def _program(active: Sequence[_Live], leaf: Leaf | None, apply: bool) -> _Program:
    recipes = tuple(v.part.link.recipe.static for v in active)
    return _Program(tuple(v.part.link.recipe.static_key for v in active), recipes, leaf, apply)


def _explained(error: Exception, active: Sequence[_Live], updates, i: int, ctx: Context) -> Exception:
    """The error with the link and the leaf in it."""
    leaf, names = leaves_of(updates, ctx.axes)[i], " + ".join(v.part.name for v in active)
    for v in reversed(active):  # the first that differs is named
        for field, slot in reversed(v.part.link.fields.items()):
            here, wanted = list(v.columns[i][field].shape), list(slot(leaf).shape)
            if here != wanted:
                error = KernelError(
                    f"{v.part.name}: {field} has shape {here} in the state, {wanted} is needed"
                )
    if isinstance(error, KernelError):
        return ValueError(
            f"{error}, for the leaf {leaf.path!r} with a gradient of shape {list(leaf.shape)}; "
            "the state belongs to other parameters: make a new one with tx.init(params)"
        )
    error.add_note(f"in {names}, at the leaf {leaf.path!r} of shape {list(leaf.shape)}, {leaf.dtype}")
    return error


def _pack(v: _Live, results: list, updates):
    s = v.state
    for field in v.part.link.fields:
        column = [None if r is None else r[field] for r in results]
        if v.picked is None:  # in the containers that the state has
            packed = jax.tree.structure(getattr(s, field)).unflatten(column)
        else:
            packed = Link.pack(column, updates, v.picked)
        s = s._replace(**{field: packed})
    return s._replace(hyperparams=v.kept) if v.kept else s
