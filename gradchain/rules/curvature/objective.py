"""The function that a line search evaluates: along a direction, with what an update was given for it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.control import is_known
from gradchain.core.slots import Slot, filled, scalar
from gradchain.math import numerics

PyTree = Any


def arguments_of(f: Callable, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the extra arguments of an update that a function of the parameters takes by name."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # has none
        return {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(extra)
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {name: extra[name] for name in named if name in extra}


@jax.jit
def _dot(x: Array, y: Array) -> Array:
    wide = numerics.compute_dtype(x, y)
    return jnp.sum((x.astype(wide) * y.astype(wide)).real)


def number(x: Any) -> Array:
    """A scalar in the default float type, in which values, slopes and steps are kept."""
    return jnp.asarray(x).astype(scalar().dtype)


def slope_of(direction: PyTree, grad: PyTree) -> Array:
    """The derivative along a direction: the real part of the sum of direction * grad.

    As `jax.grad` gives it: of a complex parameter the gradient is the conjugate of the steepest ascent.
    """
    rows = zip(jax.tree.leaves(direction), jax.tree.leaves(grad), strict=True)
    return functools.reduce(jnp.add, [number(_dot(u, g)) for u, g in rows], number(0.0))


@jax.jit
def _times(x: Array, t: Array) -> Array:
    return tree.wide(x) * t.astype(numerics.real_dtype(tree.wide(x)))


def scaled(direction: PyTree, t: Array) -> PyTree:
    """t times a direction, leaf by leaf."""
    return jax.tree.map(lambda u: _times(u, t), direction)


def unknown(p: Any = None) -> Slot:
    """A number that starts at infinity: no search has been made."""
    return filled(scalar, jnp.inf)(p)


def tell(failed: Array, who: str, **numbers: Array) -> None:
    """Print the numbers of a search that failed."""
    text = f"{who}: no step fulfils the conditions; " + ", ".join(f"{k} {{{k}}}" for k in numbers)
    shown: Any = numbers
    jax.lax.cond(failed, lambda: jax.debug.print(text, **shown), lambda: None)


def along(f: Callable, params: PyTree, direction: PyTree) -> Callable[[Array], PyTree]:
    """t -> f(params + t * direction)."""
    return lambda t: f(tree.apply_updates(params, scaled(direction, t)))


def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Array, PyTree]]:
    """jax.value_and_grad, but for what a line search has left in the state: f(params, *args, state=state).

    A line search evaluates the function where its step leads to, which is where the next update begins. The
    entry of the state with the fields `value` and `grad` is found in gradchain's states and in others'; until
    it holds a finite value, as before the first step, both are computed. Right where the function has not
    changed since. Raises ValueError where no entry, or more than one, has both.
    """

    def value_and_grad(params, *args, state, **kwargs):
        entry = _entry(state)
        compute = functools.partial(jax.value_and_grad(value_fn), **kwargs)
        if (known := is_known(entry.value)) and not jnp.isfinite(entry.value):
            return compute(params, *args)
        shapes = jax.eval_shape(compute, params, *args)
        kept = _kept(entry, shapes)
        if known:
            return kept
        given = (params, args)
        return jax.lax.cond(jnp.isfinite(entry.value), lambda _: kept, lambda x: compute(x[0], *x[1]), given)

    return value_and_grad


def _kept(entry: Any, shapes: tuple[Any, PyTree]) -> tuple[Array, PyTree]:
    """The value and gradient of an entry in the dtypes and containers that the function gives."""
    value, like = shapes
    grads, (wanted, treedef) = jax.tree.leaves(entry.grad), jax.tree.flatten(like)
    if [g.shape for g in grads] != [x.shape for x in wanted]:
        raise ValueError(
            f"value_and_grad_from_state: the state's grad has {len(grads)} leaves of shapes "
            f"{[g.shape for g in grads][:4]}; the parameters {len(wanted)} of "
            f"{[x.shape for x in wanted][:4]}: "
            "the state was made for other parameters, or for some of them"
        )
    made = [g.astype(x.dtype) for g, x in zip(grads, wanted, strict=True)]
    return entry.value.astype(value.dtype), treedef.unflatten(made)


def _entry(state: Any) -> Any:
    found = [node for node in _nodes(state) if node.grad is not None]
    if len(found) == 1:
        entry = jax.tree.map(_bare, found[0], is_leaf=tree.is_variable)
        return entry._replace(value=jnp.asarray(entry.value)) if hasattr(entry, "_replace") else entry
    many = "more than one entry" if found else "no entry"
    raise ValueError(
        f"value_and_grad_from_state: {many} of the state has the fields value and grad; expected one, as "
        "scale_by_zoom_linesearch() or scale_by_backtracking_linesearch(..., store_grad=True) keeps"
    )


def _bare(leaf: Any) -> Any:
    return leaf.get_value() if tree.is_variable(leaf) else leaf


def _nodes(node: Any):
    """Every part of a state with fields `value` and `grad`."""
    if hasattr(node, "_fields") and {"value", "grad"} <= set(node._fields):
        yield node
        return
    if isinstance(node, Mapping):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _nodes(child)
