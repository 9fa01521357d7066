"""flatten: a transformation of one long vector instead of many arrays."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import place, tree
from gradchain.core.foreign import as_transform
from gradchain.core.transform import Body, Context, Transform, example, transform
from gradchain.math import numerics


def _dtype(leaves: list) -> Any:
    """The dtype that holds all of them."""
    kinds = {jnp.dtype(x.dtype) for x in leaves} or {jnp.dtype(jnp.float32)}
    if len(kinds) == 1:
        return kinds.pop()
    wide = max((jnp.finfo(d).bits for d in kinds), default=32) > 32
    if any(jnp.issubdtype(d, jnp.complexfloating) for d in kinds):
        return jnp.dtype(jnp.complex128 if wide else jnp.complex64)
    return jnp.dtype(jnp.float64 if wide else jnp.float32)


def _mesh(leaves: list) -> Any:
    return next((found.mesh for x in leaves if (found := place.of(x)) is not None), None)


def flat(values: Any) -> Any:
    """All leaves end to end as one vector, whole on every device; abstract if one of them is."""
    leaves = jax.tree.leaves(values)
    mesh, dtype, n = _mesh(leaves), _dtype(leaves), sum(math.prod(x.shape) for x in leaves)
    if any(isinstance(x, jax.ShapeDtypeStruct) for x in leaves):
        sharding = None if mesh is None else place.at(mesh, [()])
        return jax.ShapeDtypeStruct((n,), dtype, sharding=sharding)
    if mesh is not None:
        leaves = [x if place.of(x) is None else place.put(x, place.at(mesh, [()] * x.ndim)) for x in leaves]
    found = jnp.concatenate([jnp.zeros(0, dtype), *(x.astype(dtype).ravel() for x in leaves)])
    return found if mesh is None else place.put(found, place.at(mesh, [()]))


def parts(vector: jax.Array, like: Any) -> Any:
    """The vector as a tree like another, whose real leaves take the real part, each in its place."""
    leaves, treedef = jax.tree.flatten(like)
    start, found = 0, []
    for x in leaves:
        piece = vector[start : start + math.prod(x.shape)].reshape(x.shape)
        start += math.prod(x.shape)
        piece = (piece if jnp.iscomplexobj(x) else piece.real).astype(numerics.compute_dtype(x))
        home = place.of(x)
        found.append(piece if home is None or place.is_blind(x) else place.put(piece, home))
    return treedef.unflatten(found)


class Flat(Body):
    """A transform that sees all leaves as one vector."""

    def __init__(self, inner: Transform):
        self.inner = inner
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def acts(self, params) -> tuple[bool, ...]:
        """On all leaves: each is a part of the vector."""
        return (True,) * len(jax.tree.leaves(params))

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots for one vector."""
        return self.inner.body.slots(flat(params), plan.within())

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state for one vector."""
        return self.inner.body.init(flat(params), plan.within())

    def run(self, updates, state, params, ctx: Context):
        """The inner update of the vector."""
        weights = None if params is None else flat(params)
        here = dataclasses.replace(
            ctx, apply=False, plan=ctx.plan.within()
        )  # added leaf by leaf, each where it is
        made, new = self.inner.body.run(flat(updates), state, weights, here)
        leaves = jax.tree.leaves(updates)
        if any(map(place.is_blind, leaves)):  # or XLA would split it as the parameters are
            mesh = _mesh(leaves)
            new = jax.tree.map(lambda x: place.put(x, place.at(mesh, [()] * x.ndim)), new)
        out = parts(made, updates)
        return (tree.apply_updates(params, out) if ctx.apply else out), new


@transform(example=lambda: {"inner": example("scale_by_adam")}, traits=frozenset({"matrices"}))
def flatten(inner: Any):
    """Give a transformation all leaves end to end as one vector: few long arrays instead of many small ones.

    What is elementwise, or a norm of everything, is the same as without. State and masks within know one
    leaf, whose path is "". Over a mesh the vector is whole on every device. Leaves of several dtypes share
    the one that holds all. gradchain compiles many small leaves together anyway: this saves no time here.
    """
    return Flat(as_transform(inner, "flatten"))
