"""Leaves that nothing acts on: whatever they are, an optimizer's links do not see them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import tree, words

PyTree = Any


@functools.cache
def _inexact(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.inexact)


def is_floating(x: Any) -> bool:
    """Whether a leaf is a floating-point (or complex) array, which an optimizer can act on."""
    return is_array(x) and _inexact(x.dtype)


def is_array(x: Any) -> bool:
    """Whether a leaf is an array of any kind, abstract ones and random keys included."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


def all_floating(params: PyTree) -> bool:
    """Whether every leaf is one that an optimizer can act on."""
    return all(map(is_floating, jax.tree.leaves(params)))


def floating(params: PyTree) -> PyTree:
    """The parameters as an optimizer sees them: by path without the other leaves, where there are any."""
    leaves = jax.tree.leaves(params)
    return params if all_floating(leaves) else tree.subtree(params, list(map(is_floating, leaves)))


def check(params: PyTree, acted: Sequence[bool], who: str) -> None:
    """Raise, naming the leaf, where something acts on a parameter that is no floating-point array."""
    rows = zip(tree.paths(params), jax.tree.leaves(params), acted, strict=True)
    wrong = {path: x for path, x, on in rows if on and not is_floating(x)}
    if not wrong:
        return
    (path, x), *_ = wrong.items()
    found = f"{x.dtype}{list(x.shape)}" if is_array(x) else words.show(x)
    but = f"path != {path!r}" if len(wrong) == 1 else f"path not in {tuple(wrong)!r}"
    if len(wrong) > 4:
        but = "hasattr(leaf, 'dtype') and jnp.issubdtype(leaf.dtype, jnp.inexact)"
    more = f"; {len(wrong) - 1} more are none" if len(wrong) > 1 else ""
    array = f"Make it an array, jnp.asarray({x!r}), l" if isinstance(x, float) else "L"
    do = f"{array}eave it out of the parameters, or wrap the optimizer: masked(tx, lambda path, leaf: {but})"
    raise TypeError(f"{who}: the parameter {path!r} is {found}; expected a floating-point array{more}. {do}")


def run(body: Any, who: str, updates: PyTree, state: dict, params: PyTree, ctx: Any) -> tuple[PyTree, dict]:
    """body.run(updates, state, params, ctx), where some leaves are left out, or the trees differ.

    The body sees those of its leaves that are floating-point arrays and have a gradient, as a dict by path.
    Where nothing acts, a gradient may be None or float0; the parameter stays as it is, and its update is
    zero, or None. Raises where the body acts on a leaf that is no such array, or has no gradient.
    """
    whole = updates if params is None else params
    leaves, paths = jax.tree.leaves(whole), tree.paths(whole)
    given = dict(zip(tree.paths(updates), jax.tree.leaves(updates), strict=True))
    acted = body.acts(whole)
    seen = [on or (is_floating(x) and p in given) for p, x, on in zip(paths, leaves, acted, strict=True)]
    if params is not None:
        wanted = {path for path, on in zip(paths, seen, strict=True) if on}
        if not (wanted <= given.keys() <= set(paths) <= _with_nones(updates)):
            _differ(who, updates, params, state, acted)
        check(params, acted, who)
        if all(seen):
            tree.same_structure({"the gradients": updates, "the parameters": params}, who)
    if all(seen):
        return body.run(updates, state, params, ctx)
    ctx = dataclasses.replace(ctx.within(params, seen), plan=dataclasses.replace(ctx.plan, whole=whole))
    inner = {path: given[path] for path, on in zip(paths, seen, strict=True) if on}
    out, new = body.run(inner, state, None if params is None else tree.subtree(params, seen), ctx)
    if ctx.apply:
        return tree.merge(params, out), new
    weights = {} if params is None else dict(zip(paths, leaves, strict=True))
    still = {path: _still(g, weights.get(path)) for path, g in given.items() if path not in out}
    return tree.merge(updates, {**out, **still}), new


def _with_nones(updates: PyTree) -> set[str]:
    """The paths of all leaves, with those at which the gradients have None."""
    shown = jax.tree.map(lambda x: x is None, updates, is_leaf=lambda x: x is None)
    return set(tree.paths(shown))


def _still(g: Any, p: Any) -> Any:
    """The update of a leaf that nothing acts on: p + u is p, in whichever framework adds them."""
    if not _numeric(p):  # not given, or nothing that can be added to
        return g
    return jnp.zeros_like(p) if getattr(g, "dtype", None) == jax.dtypes.float0 else jnp.zeros_like(g)


def _numeric(x: Any) -> bool:
    kinds = (jnp.number, jnp.bool_)
    return is_array(x) and any(jnp.issubdtype(x.dtype, kind) for kind in kinds)


def _differ(who: str, updates: PyTree, params: PyTree, state: PyTree, acted: Sequence[bool]) -> None:
    """Raise for gradients and parameters of different leaves, saying which of them the state was made for."""
    here, there = tree.paths(updates), tree.paths(params)
    kept = tree.paths(state)

    def in_state(path: str) -> bool:
        return any(p == path or p.endswith(f"/{path}") for p in kept)

    on = {path for path, a in zip(there, acted, strict=True) if a}
    odd = [p for p in here if p not in there] or [p for p in there if p in on and p not in here]
    odd = odd or [p for p in there if p not in here]
    advice = ""
    if any(in_state(p) for p in here if p in there):  # it keeps something for each leaf
        right = "gradients" if in_state(odd[0]) == (odd[0] in here) else "parameters"
        wrong = "parameters" if right == "gradients" else "gradients"
        advice = f"; the state was made for the {right}, so the {wrong} are the wrong argument"
    if isinstance(updates, tuple) and len(updates) == 2 and tree.paths(updates[1]) == there:
        advice = "; they are (value, gradients), as jax.value_and_grad returns them: give the second"
    tree.same_structure({"the gradients": updates, "the parameters": params}, who, advice, odd)
