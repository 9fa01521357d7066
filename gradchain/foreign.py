"""Transformations of other libraries as links of a chain."""

from __future__ import annotations

import inspect
from typing import Any

import jax

from gradchain import tree
from gradchain.slots import Slot
from gradchain.transform import Body, Context, Transform, example, transform


class Foreign(Body):
    """A transformation of another library: anything with `init` and `update`."""

    def __init__(self, tx, name: str):
        self.tx, self.keys = tx, (name,)
        parameters = inspect.signature(tx.update).parameters.values()
        self.extra = any(p.kind is p.VAR_KEYWORD for p in parameters)

    def slots(self, params, plan) -> dict[str, Any]:
        """The shapes of its state; along which axes they run is unknown."""
        abstract = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
        shapes = jax.eval_shape(self.tx.init, abstract)
        return {self.keys[0]: jax.tree.map(lambda x: Slot(x.shape, x.dtype, (None,) * len(x.shape)), shapes)}

    def init(self, params, plan) -> dict[str, Any]:
        """Its own init."""
        return {self.keys[0]: self.tx.init(params)}

    def run(self, updates, state, params, ctx: Context):
        """Its own update, with the extra arguments if it takes any."""
        extra = ctx.extra if self.extra else {}
        updates, new = self.tx.update(updates, state[self.keys[0]], params, **extra)
        return (tree.apply_updates(params, updates) if ctx.apply else updates), {self.keys[0]: new}


@transform(example=lambda: {"tx": example("scale_by_adam")})
def foreign(tx: Any):
    """A transformation of another library (Optax's, say) as a link; `chain` does this by itself.

    Its state is kept as it is, under the name of the function that made it.
    """
    name = getattr(tx.update, "__qualname__", "foreign").split(".")[0]
    return Foreign(tx, name if name.isidentifier() and name != "update" else "foreign")


def as_transform(tx: Any, who: str) -> Transform:
    """The transform itself, or a foreign one wrapped; an error for anything else."""
    if isinstance(tx, Transform):
        return tx
    if hasattr(tx, "init") and hasattr(tx, "update"):
        return foreign(tx)
    hint = f"; call it: {tx.__name__}()" if hasattr(tx, "factory") else ""
    raise TypeError(f"{who}: {tx!r} is not a gradient transformation (with init and update){hint}")
