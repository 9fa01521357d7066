"""split_real_and_imaginary: complex parameters as pairs of real ones, for any optimizer."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gradchain.core import leaves, tree
from gradchain.core.codec import Plan
from gradchain.core.foreign import as_transform
from gradchain.core.transform import Body, Context, Transform, example, wrapper

PyTree = Any


class RealAndImaginary(NamedTuple):
    """The two parts of a complex leaf."""

    real: Any
    imaginary: Any


def _is_complex(x: Any) -> bool:
    return leaves.is_array(x) and jnp.issubdtype(x.dtype, jnp.complexfloating)


def _pair(x: Any) -> RealAndImaginary:
    if isinstance(x, jax.ShapeDtypeStruct):
        part = jax.ShapeDtypeStruct(x.shape, jnp.finfo(x.dtype).dtype, sharding=x.sharding)
        return RealAndImaginary(part, part)
    return RealAndImaginary(jnp.real(x), jnp.imag(x))


def _split(values: PyTree, like: PyTree) -> PyTree:
    """The tree with a pair of real arrays for each leaf that is complex in `like`."""
    return jax.tree.map(lambda x, p: _pair(x) if _is_complex(p) else x, values, like)


def _joined(values: PyTree, like: PyTree) -> PyTree:
    """The other way round."""
    treedef = jax.tree.structure(like)
    rows = zip(treedef.flatten_up_to(values), jax.tree.leaves(like), strict=True)
    return treedef.unflatten([lax.complex(*x) if _is_complex(p) else x for x, p in rows])


class Split(Body):
    """A transform that sees real arrays only."""

    def __init__(self, inner: Transform):
        self.inner = inner
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def plan(self, plan: Plan, params: PyTree) -> Plan:
        """The plan for the parts: each is read and placed as its leaf is."""
        owners: dict[str, str] = {
            f"{path}/{part}" if path else part: path
            for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True)
            for part in (RealAndImaginary._fields if _is_complex(x) else ())
        }
        axes, placed = plan.axes, plan.placed

        def owner(path: str) -> str:
            return owners.get(path, path)

        return dataclasses.replace(
            plan.within(),
            axes=lambda path, shape: axes(owner(path), shape),
            placed=None if placed is None else lambda path, x: placed(owner(path), x),
        )

    def acts(self, params) -> tuple[bool, ...]:
        """Where the inner one acts on either part."""
        treedef, seen = jax.tree.structure(params), _split(params, params)
        on = jax.tree.structure(seen).unflatten(self.inner.body.acts(seen))
        return tuple(any(jax.tree.leaves(x)) for x in treedef.flatten_up_to(on))

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots."""
        return self.inner.body.slots(_split(params, params), self.plan(plan, params))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state."""
        return self.inner.body.init(_split(params, params), self.plan(plan, params))

    def run(self, updates, state, params, ctx: Context):
        """The inner update of the parts."""
        like = updates if params is None else params
        weights = None if params is None else _split(params, params)
        inside = dataclasses.replace(ctx, plan=self.plan(ctx.plan, like))
        out, new = self.inner.body.run(_split(updates, like), state, weights, inside)
        return _joined(out, like), new


@wrapper(example=lambda: {"inner": example("adam")})
def split_real_and_imaginary(inner: Any):
    """Let an optimizer treat each complex leaf as a pair of real ones.

    Most rules here take complex numbers as they are, with |g|^2 for squares; in torch and in this wrapper
    real and imaginary part have statistics of their own. Inside, "kernel" is "kernel/real" and
    "kernel/imaginary", also in the state and for masks ("**/kernel/*"); real leaves stay as they are.
    """
    return Split(as_transform(inner, "split_real_and_imaginary"))
