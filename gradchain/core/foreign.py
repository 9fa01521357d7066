"""Transformations of other libraries as links of a chain."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, NamedSharding

from gradchain.core import place, tree, words
from gradchain.core.codec import Plan
from gradchain.core.link import leaves_of
from gradchain.core.recipe import REGISTRY
from gradchain.core.slots import Axes, Leaf, Slot
from gradchain.core.transform import Body, Context, Transform, example, transform


class Foreign(Body):
    """A transformation of another library: anything with `init` and `update`."""

    def __init__(self, tx, name: str):
        self.tx, self.keys = tx, (name,)
        parameters = inspect.signature(tx.update).parameters.values()
        self.extra = any(p.kind is p.VAR_KEYWORD for p in parameters)

    def slots(self, params, plan) -> dict[str, Any]:
        """Its state, split as a trace of its init over explicit axes says, else as the parameters."""
        leaves = leaves_of(params, plan)
        described = {p.path: p for p in leaves}
        shapes = self._trace(leaves, jax.tree.structure(params), plan)
        split = lambda path, x: _slot(x, _owner(path, described), leaves)  # noqa: E731
        return {self.keys[0]: tree.map_paths(split, shapes)}

    def _trace(self, leaves: Sequence[Leaf], treedef, plan) -> Any:
        """The abstract state; with shardings, if the leaves have any and the trace goes through."""
        meshes = {p.sharding.mesh for p in leaves if p.sharding is not None}
        plain = [jax.ShapeDtypeStruct(p.shape, p.dtype) for p in leaves]
        if len(meshes) == 1:
            (mesh,) = meshes
            kinds = (AxisType.Explicit,) * len(mesh.axis_names)
            typed = AbstractMesh(tuple(mesh.shape.values()), mesh.axis_names, axis_types=kinds)
            structs = [
                jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=p.sharding and place.on(typed, p.sharding))
                for x, p in zip(plain, leaves, strict=True)
            ]
            # Whatever it raises: an indivisible dimension, an operation that explicit axes do not have.
            try:
                with jax.sharding.use_abstract_mesh(typed):
                    return jax.eval_shape(self.tx.init, _lifted(treedef.unflatten(structs), plan))
            except Warning:  # one that was made an error
                raise
            except Exception:
                pass
        return jax.eval_shape(self.tx.init, _lifted(treedef.unflatten(plain), plan))

    def init(self, params, plan) -> dict[str, Any]:
        """Its own init, each array where its slot is."""

        def put(x: Any, slot: Slot) -> Any:
            to = slot.sharding
            if to is None or to == place.of(x) or (plan.placed is None and place.is_blind(x)):
                return x
            return place.put(x, to)

        made = self.tx.init(_lifted(params, plan))
        return {self.keys[0]: jax.tree.map(put, made, self.slots(params, plan)[self.keys[0]])}

    def acts(self, params) -> tuple[bool, ...]:
        """On all leaves, unless it has the name of one that asks for none."""
        known = REGISTRY.get(self.keys[0])
        asks = known is None or "any_leaf" not in known.traits
        return (asks,) * len(jax.tree.leaves(params))

    def run(self, updates, state, params, ctx: Context):
        """Its own update, with the extra arguments if it takes any."""
        extra = ctx.extra if self.extra else {}
        given, weights = _lifted(updates, ctx.plan), None if params is None else _lifted(params, ctx.plan)
        out, new = self.tx.update(given, state[self.keys[0]], weights, **extra)
        updates = out if given is updates else dict(zip(tree.paths(out), jax.tree.leaves(out), strict=True))
        return (tree.apply_updates(params, updates) if ctx.apply else updates), {self.keys[0]: new}


def _lifted(values: Any, plan: Plan) -> Any:
    """Leaves in the containers that the transformation is to see."""
    return values if plan.lift is None else plan.lift(values)


def _owner(path: str, leaves: Mapping[str, Leaf]) -> Leaf | None:
    """The parameter that an array of state is of: its path ends in the parameter's."""
    names = path.split("/")
    return next((leaves[end] for i in range(len(names)) if (end := "/".join(names[i:])) in leaves), None)


def _slot(x: jax.ShapeDtypeStruct, p: Leaf | None, leaves: Sequence[Leaf]) -> Slot:
    """An array of state, split as it was traced, in the axes of its parameter where they tell it."""
    whole, along = (None,) * len(x.shape), tuple(range(len(x.shape)))
    mesh = next((leaf.sharding.mesh for leaf in leaves if leaf.sharding is not None), None)
    if not isinstance(x.sharding, NamedSharding) or mesh is None:
        home = dataclasses.replace(leaves[0], shape=()) if leaves else None
        same = p is not None and p.shape == x.shape
        return Slot(x.shape, x.dtype, along if same else whole, leaf=p or home)
    split = place.split_of(x.sharding.spec, len(x.shape))
    if p is not None and p.sharding is not None:
        of = place.split_of(p.sharding.spec, len(p.shape))
        axes = tuple(of.index(names) if names and names in of else None for names in split)
        if all(axis is not None or not names for axis, names in zip(axes, split, strict=True)):
            return Slot(x.shape, x.dtype, axes, leaf=p)
    at = place.at(mesh, split)
    array = jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at)
    return Slot(x.shape, x.dtype, along, leaf=Leaf("", x.shape, x.dtype, Axes(), array, at))


@transform(example=lambda: {"tx": example("scale_by_adam")})
def foreign(tx: Any):
    """A transformation of another library (Optax's, say) as a link; `chain` does this by itself.

    Its state is kept as it is, under the name of the function that made it.
    """
    if not is_pair(tx):
        raise TypeError(f"foreign: tx is {words.show(tx)}; expected a transformation (with init and update)")
    name = getattr(tx.update, "__qualname__", "foreign").split(".")[0]
    return Foreign(tx, name if name.isidentifier() and name != "update" else "foreign")


def is_pair(tx: Any) -> bool:
    """Whether it has the two functions of a gradient transformation."""
    return callable(getattr(tx, "init", None)) and callable(getattr(tx, "update", None))


def as_transform(tx: Any, who: str) -> Transform:
    """The transform itself, or a foreign one wrapped; an error for anything else."""
    if isinstance(tx, Transform):
        return tx
    if isinstance(inside := getattr(tx, "transform", None), Transform):  # in another form
        return inside
    if is_pair(tx) and not hasattr(tx, "factory") and not isinstance(tx, type):
        return foreign(tx)
    raise TypeError(
        f"{who}: {words.show(tx)} is not a gradient transformation (with init and update){_hint(tx, who)}"
    )


def with_extra_args_support(tx: Any) -> Transform:
    """A transformation whose update takes extra arguments by name: those of gradchain do as they are.

    Another library's becomes a link, which passes them on if its update takes any, and else leaves them out.
    """
    return as_transform(tx, "with_extra_args_support")


def _hint(tx: Any, who: str) -> str:
    """What to write instead of what is no transformation."""
    if hasattr(type(tx), "_at"):
        return "; a schedule is a learning rate, adam(schedule), or a factor, scale_by_schedule(schedule)"
    if callable(tx) and hasattr(tx, "__name__"):
        return f"; call it: {tx.__name__}()"
    if isinstance(tx, list | tuple):
        if len(tx) == 2 and isinstance(tx[0], str):
            return "; pairs (name, transformation) are for named_chain"
        if any(isinstance(x, Transform) or hasattr(x, "update") for x in tx):
            return f"; give them one by one: {who if who.endswith('chain') else 'chain'}(*links)"
    if isinstance(tx, str | re.Pattern) and not who.endswith("chain"):
        return f"; the transformation comes first: {who}(tx, ...)"
    if isinstance(tx, Mapping | str):
        return "; a configuration is read by from_config(...)"
    if isinstance(tx, int | float) and not isinstance(tx, bool):
        return "; a factor is scale(...)"
    return ""
