"""The engine that runs leafwise links: one traced kernel for each shape, adjacent links in one kernel."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import scales, select, tree
from gradchain.core.codec import Codec, field_of, kept
from gradchain.core.coded import same_codec, same_fields
from gradchain.core.kernel import KEPT, Program, kernel_of
from gradchain.core.link import BORN, Link, counts_of, flat, leaves_of, need_params, parts_of
from gradchain.core.returned import KernelError
from gradchain.core.slots import Leaf
from gradchain.core.transform import Context
from gradchain.math import rounding


@dataclasses.dataclass(frozen=True)
class Part:
    """A leafwise link in a run: its key in the state, and the masks of the wrappers around it."""

    link: Any  # a Leafwise
    key: str | None
    masks: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        return self.link.recipe.factory.name


def _store_shared(new, old):
    return jnp.asarray(new, old.dtype)


def clear_caches() -> None:
    """Forget every traced kernel."""
    kernel_of.cache_clear()
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
    columns: list[dict[str, Any]]  # per leaf: field -> array, or the arrays that a codec keeps
    arrays: dict[str, dict[str, list]]  # field -> part -> its array for each leaf
    codecs: list[dict[str, Codec]]  # per leaf: field -> codec, where it has one
    late: frozenset[str]  # the leaves that joined later than the link

    def scalars_of(self, path: str) -> dict[str, Any]:
        """What the kernel of a leaf is given beside arrays: of a late one its own count."""
        if path not in self.late:
            return self.scalars
        return self.scalars | {"count": counts_of(self.state, [path])[0]}


def _prepare(part: Part, updates, treedef, state, params, described, ctx: Context) -> _Live:
    link = part.link
    picked = _picked(part, params if params is not None else updates, ctx.plan.whole)
    old = None if part.key is None else link.entry(state, part.key)
    s = None if old is None else link.counted(old)
    operands, kept = link.live(old)
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
    found = link.codecs(described, picked, ctx.plan)
    codecs: list[dict[str, Codec]] = [{} for _ in range(treedef.num_leaves)]
    columns: list[dict[str, Any]] = [{} for _ in range(treedef.num_leaves)]
    arrays = {}
    if ctx.plan.codec is not None:
        same_fields(link, s, found, part.name)
    for field in link.fields:
        of = found.get(field) or [None] * len(columns)
        arrays[field] = {p: flat(s, field_of(field, p), updates, picked, part.name) for p in parts_of(of)}
        for i, column in enumerate(columns):
            if picked is None or picked[i]:
                codec = of[i]
                if ctx.plan.codec is not None:
                    same_codec(
                        codec, link.fields[field](described[i]), arrays[field][""][i], field, part.name
                    )
                if codec is None:
                    column[field] = arrays[field][""][i]
                else:
                    codecs[i][field] = codec
                    column[field] = tuple(arrays[field][p][i] for p in codec.parts)
    late = frozenset(getattr(s, BORN, ()) if link.ages else ())
    return _Live(part, picked, s, operands, kept, scalars, columns, arrays, codecs, late)


def _picked(part: Part, params, whole) -> tuple[bool, ...] | None:
    found = [select.chosen(m, params, part.name, whole) for m in part.masks]
    if part.link.where is not None:
        found.append(select.chosen(part.link.where, params, part.name, whole))
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
    asks = frozenset().union(*(part.link.asks for part in parts))
    seen: list[Any] = [None] * len(leaves)
    if "leaf" in asks or ctx.plan.codec is not None:
        seen = leaves_of(updates if params is None else params, ctx.plan)
    live = [_prepare(part, updates, treedef, state, params, seen, ctx) for part in parts]
    described = [p.bare() if "leaf" in asks else None for p in seen]
    noisy = ctx.plan.key is not None or "salt" in asks
    paths = tree.paths(updates)
    salts = [rounding.word(path) if noisy else None for path in paths]
    extra = {k: ctx.extra[k] for part in parts for k in part.link.needs}

    out: list[Any] = list(leaves)
    results: list[list[Any]] = [[None] * len(leaves) for _ in live]
    late = frozenset().union(*(v.late for v in live))
    alone = [path if path in late else None for path in paths]
    keys = _keys(leaves, weights, described, live, alone)

    def call(block: list[int], measures: bool = False) -> list[tuple[Any, Any]]:
        first = block[0]
        active = [v for v, pick in zip(live, keys[first][0], strict=True) if pick]
        if not active and not ctx.apply:
            return []
        use_p = ctx.apply or any(v.part.link.uses_params for v in active)
        kernel = kernel_of(_program(active, first, described[first], ctx.apply, measures))
        scalars = tuple([v.scalars_of(paths[first]) for v in active])
        operands = tuple([v.operands for v in active])
        rows = [
            (leaves[i], weights[i] if use_p else None, tuple([v.columns[i] for v in active]), salts[i])
            for i in block
        ]
        try:
            if len(rows) == 1:
                return [kernel(*rows[0], scalars, operands, extra, ctx.plan.key)]
            return _block(kernel)(rows, scalars, operands, extra, ctx.plan.key)
        except (TypeError, ValueError) as error:
            raise _explained(
                error, active, updates if params is None else params, first, ctx
            ) from error.__cause__

    blocks = list(tree.blocks(keys, lambda k: k))
    if ctx.plan.codec is not None:
        scales.refresh(live, blocks, call, ctx.plan.count)
    for block in blocks:
        made = call(block)
        if not made:  # nothing acts on these
            continue
        for i, (u, found) in zip(block, made, strict=True):
            out[i], columns = u, iter(found)
            for result, pick in zip(results, keys[i][0], strict=True):
                result[i] = next(columns) if pick else None
    new = {v.part.key: _pack(v, results[k], updates) for k, v in enumerate(live) if v.part.key is not None}
    return treedef.unflatten(out), new


def _same_shapes(who: str, updates, leaves: list, weights: list) -> None:
    for i, (g, p) in enumerate(zip(leaves, weights, strict=True)):
        if g.shape != p.shape:
            raise ValueError(
                f"{who}: the gradient of {tree.paths(updates)[i]!r} has shape {list(g.shape)}, "
                f"its parameter {list(p.shape)}; expected one number for each of the parameter"
                + (": take the mean over the first axis" if g.shape[1:] == p.shape else "")
            )


def _keys(leaves, weights, described, live: Sequence[_Live], alone: Sequence[str | None]) -> list[tuple]:
    """For each leaf which parts act on it and what its program depends on: leaves of one key in one call.

    A leaf `alone` has a count of its own.
    """
    everywhere = tuple(v.picked is None for v in live)
    uniform = all(everywhere)
    return [
        (
            everywhere if uniform else tuple([v.picked is None or v.picked[i] for v in live]),
            g.shape,
            g.dtype,
            None if p is None else p.dtype,
            leaf,
            tuple([tuple(v.codecs[i].items()) for v in live]),
            alone[i],
        )
        for i, (g, p, leaf) in enumerate(zip(leaves, weights, described, strict=True))
    ]


@functools.lru_cache(maxsize=KEPT)
def _block(kernel: Callable) -> Callable:
    def block(rows, scalars, operands, extra, key):
        return [kernel(*row, scalars, operands, extra, key) for row in rows]

    block.__name__ = block.__qualname__ = f"{kernel.__name__}_block"
    return jax.jit(block)


def _program(active: Sequence[_Live], i: int, leaf: Leaf | None, apply: bool, measures: bool) -> Program:
    recipes = tuple(v.part.link.recipe.static for v in active)
    codecs = tuple(tuple(v.codecs[i].items()) for v in active)
    return Program(tuple(v.part.link.program_key for v in active), recipes, leaf, apply, codecs, measures)


def _explained(error: Exception, active: Sequence[_Live], params, i: int, ctx: Context) -> Exception:
    """The error with the link and the leaf in it."""
    leaf, names = leaves_of(params, ctx.plan)[i], " + ".join(v.part.name for v in active)
    other_state = False
    for v in reversed(active):  # the first that differs is named
        for field, slot in reversed(v.part.link.fields.items()):
            found = v.columns[i][field]
            wanted = kept(v.codecs[i].get(field), slot(leaf))
            found = found[: len(wanted)] if isinstance(found, tuple) else [found]
            for x, (end, w) in zip(found, wanted.items(), strict=True):
                if x.shape != w.shape:
                    other_state, error = (
                        True,
                        KernelError(
                            f"{v.part.name}: {field_of(field, end)} has shape {list(x.shape)} in the state, "
                            f"{list(w.shape)} is needed"
                        ),
                    )
    if isinstance(error, KernelError):
        hint = "; the state belongs to other parameters: make a new one with tx.init(params)" * other_state
        return ValueError(
            f"{error}, for the leaf {leaf.path!r} with a gradient of shape {list(leaf.shape)}{hint}"
        )
    error.add_note(f"in {names}, at the leaf {leaf.path!r} of shape {list(leaf.shape)}, {leaf.dtype}")
    for v in active:
        if note := v.part.link.recipe.note(error):
            error.add_note(note)
    return error


def _pack(v: _Live, results: list, updates):
    s = v.state
    for field, arrays in v.arrays.items():
        for end, column in arrays.items():
            new = [_part(x, r, field, end, c) for x, r, c in zip(column, results, v.codecs, strict=True)]
            name = field_of(field, end)
            if v.picked is None:  # in the containers that the state has
                packed = jax.tree.structure(getattr(s, name)).unflatten(new)
            else:
                packed = Link.pack(new, updates, v.picked)
            s = s._replace(**{name: packed})
    return s._replace(hyperparams=v.kept) if v.kept else s


def _part(old, result, field: str, end: str, codecs: Mapping[str, Codec]):
    """The new array of one part of a field; a place holder stays."""
    if result is None:
        return old
    codec = codecs.get(field)
    if codec is None:
        return result[field] if not end else old
    return result[field][codec.parts.index(end)] if end in codec.parts else old
