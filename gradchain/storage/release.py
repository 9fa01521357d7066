"""gradient_release: a stack of layers updated inside the backward pass, so that its gradient never exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from gradchain.core import tree, versions
from gradchain.core.foreign import as_transform
from gradchain.storage.inplace import Update, after, as_it_is, reason
from gradchain.storage.layerwise import TakesLayersTogether

PyTree = Any
WHO = "gradient_release"


class _Reached(Exception):
    """The loss function called layers(...)."""


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _floats(values: PyTree) -> list[Array]:
    """The leaves that have a derivative."""
    return [x for x in jax.tree.leaves(values) if _is_float(x)]


def _cotangents(like: PyTree, floats: list[Array]) -> PyTree:
    """A tree of cotangents: the given ones, and those of integers and keys, which hold nothing."""
    leaves, treedef = jax.tree.flatten(like)
    given = iter(floats)
    return treedef.unflatten(
        [next(given) if _is_float(x) else np.zeros(jnp.shape(x), jax.dtypes.float0) for x in leaves]
    )


def _depth(params: PyTree) -> int:
    """The number of layers: the length of the first axis of every leaf."""
    leaves, paths = jax.tree.leaves(params), tree.paths(params)
    if not leaves:
        raise ValueError(f"{WHO}: there are no parameters")
    for path, x in zip(paths, leaves, strict=True):
        if not x.shape or not x.shape[0] or x.shape[0] != leaves[0].shape[0]:
            raise ValueError(
                f"{WHO}: {path!r} has shape {list(x.shape)} and {paths[0]!r} {list(leaves[0].shape)}; "
                "expected stacks of layers, with one axis more in front, of the same length for all"
            )
    return leaves[0].shape[0]


class _Stack:
    """The layers run forward, and what it takes to run them backward."""

    def __init__(self, layer: Callable, params: PyTree, x: PyTree, shared: tuple, each: dict[str, Any]):
        self.treedef, self.shared, self.each = jax.tree.structure(params), shared, each
        self.consts: list[Any] = []  # what the layer closes over
        self.back: Any = None  # the structure of a layer's backward function
        self.at: list[int | None] = []  # which of its arrays are given to the layer; the others are kept

        def body(x, given):
            p, each = jax.tree.map(as_it_is, given[0]), given[1]

            def f(p, x, shared, each):
                return layer(p, x, *shared, **each)

            closed, shape = jax.make_jaxpr(f, return_shape=True)(p, x, shared, each)

            def opened(p, x, shared, each, consts):
                leaves = jax.tree.leaves((p, x, shared, each))
                return jax.tree.structure(shape).unflatten(versions.evaluate(closed.jaxpr, consts, *leaves))

            y, vjp = jax.vjp(opened, p, x, shared, each, closed.consts)
            known = jax.tree.leaves((p, each, shared, closed.consts))
            kept, self.back = jax.tree.flatten(vjp)
            self.at = [next((i for i, k in enumerate(known) if x is k), None) for x in kept]
            self.consts = closed.consts
            return y, [x for x, i in zip(kept, self.at, strict=True) if i is None]

        self.y, self.kept = lax.scan(body, x, (params, each))

    def vjp(self, p: PyTree, each: PyTree, kept: list[Array]) -> Callable:
        """The backward function of one layer."""
        known, rest = jax.tree.leaves((p, each, self.shared, self.consts)), iter(kept)
        return self.back.unflatten([next(rest) if i is None else known[i] for i in self.at])

    def backward(self, dy: PyTree, update: Update) -> tuple[tuple[PyTree, PyTree, PyTree], list[Array]]:
        """Cotangents of x, of what is shared and of what each layer has of its own; the stacks updated."""

        def body(carry, given):
            dy, total, stacks = carry
            layer, kept, each = given
            p = self.treedef.unflatten(update.params(layer, stacks))
            found = self.vjp(p, each, kept)(_cotangents(self.y, dy))
            layer, (grads, dx, shared, own) = after(layer, [_floats(ct) for ct in found[:4]])
            stacks = update.layer(layer, grads, stacks)
            return (dx, [a + b for a, b in zip(total, shared, strict=True)], stacks), own

        start = _floats(dy), [jnp.zeros_like(x) for x in _floats(self.shared)], update.stacks
        given = jnp.arange(update.layers), self.kept, self.each
        (dx, shared, stacks), own = lax.scan(body, start, given, reverse=True)
        like = zip((self.y, self.shared, self.each), (dx, shared, own), strict=True)
        return tuple(_cotangents(of, floats) for of, floats in like), stacks  # pyright: ignore[reportReturnType]


def gradient_release(tx: Any, layer: Callable, loss: Callable, *, has_aux: bool = False) -> Callable:
    """A training step that updates a stack of layers inside the backward pass: its gradient never exists.

    loss(rest, layers, *args) -> scalar, or (scalar, aux), calls layers(x, *shared, **each) once: the stack,
    which is layer(p, x, *shared, **each) -> x of the same shapes, with the p and the `each` of every layer in
    turn. The step:

        params, state, value, grads = step(params, state, rest, *args)

    params: [layers, ...] each; state = tx.init(params); value: what loss returns; grads: those of `rest`. All
    of it is what `jax.grad` of a scan and tx.step would give. `tx` may contain nothing that takes layers
    or leaves together, such as a global norm: an error names the link.
    """
    tx = as_transform(tx, WHO)

    def step(params, state, rest, /, *args, **extra):
        layers = _depth(params)
        try:
            update = Update(tx, params, state, extra, layers)
        except TakesLayersTogether as error:
            link, why = reason(tx, params, layers) or (tx.name, str(error))
            raise ValueError(
                f"{WHO}: {link} {why}; here a layer is updated before the gradients of others are known. "
                "Leave it out of the optimizer of this stack"
            ) from None

        def before(rest):
            def layers(x, *shared, **each):
                raise _Reached(x, shared, each)

            try:
                loss(rest, layers, *args)
            except _Reached as reached:
                return reached.args
            raise ValueError(f"{WHO}: the loss function did not call layers(x)")

        given, back_before = jax.vjp(before, rest)
        _check_each(given[2], update.layers)
        stack = _Stack(layer, params, *given)

        def rest_of(rest, y):
            calls = []

            def layers(x, *shared, **each):
                calls.append(1)
                if len(calls) > 1:
                    raise ValueError(f"{WHO}: the loss function called layers(x) twice; a stack is run once")
                return y

            return loss(rest, layers, *args)

        value, back, *aux = jax.vjp(rest_of, rest, stack.y, has_aux=has_aux)
        if jnp.shape(value):
            raise TypeError(f"{WHO}: the loss has shape {list(value.shape)}; expected a scalar")
        direct, dy = back(jnp.ones_like(value))
        cotangents, stacks = stack.backward(dy, update)
        (through,) = back_before(cotangents)
        grads = jax.tree.map(lambda a, b: a if a.dtype == jax.dtypes.float0 else a + b, direct, through)
        return *update.result(stacks), (value, *aux) if has_aux else value, grads

    return step


def _check_each(each: Mapping[str, Any], layers: int) -> None:
    for path, x in zip(tree.paths(each), jax.tree.leaves(each), strict=True):
        if jnp.shape(x)[:1] != (layers,):
            raise ValueError(
                f"{WHO}: layers(..., {path}=...) has shape {list(jnp.shape(x))}; expected {layers} in front, "
                "one for each layer. What all layers share is passed by position"
            )
