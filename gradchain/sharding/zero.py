"""zero: state and update split over the data axes of a mesh (ZeRO, arXiv:1910.02054)."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.core import Tracer

from gradchain.core import ages, place, tree, words
from gradchain.core.codec import Plan
from gradchain.core.foreign import as_transform
from gradchain.core.link import need_params
from gradchain.core.recipe import ErrorInput
from gradchain.core.transform import Body, Context, Transform, example, transform
from gradchain.sharding.gather import gathered_into
from gradchain.sharding.mesh import data_axes
from gradchain.sharding.split import Rule, ShardingWarning


class Zero(Body):
    """A transform that runs on parameters, gradients and state split over data axes."""

    def __init__(self, inner: Transform, rule: Rule, stage: int):
        self.inner, self.rule, self.stage = inner, rule, stage
        self.keys, self.needs = inner.body.keys, inner.body.needs

    def plan(self, plan: Plan, params: Any) -> Plan:
        """The plan, with leaves where they are split: by path, for what is inside sees them split already."""
        paths, leaves = tree.paths(params), jax.tree.leaves(params)
        at = {path: self.rule.target(path, x) for path, x in zip(paths, leaves, strict=True)}
        return dataclasses.replace(plan, placed=lambda path, _: at[path])

    def split(self, params: Any) -> Any:
        """The parameters where they are updated."""
        return tree.map_paths(lambda path, x: self._move(path, x, x), params)

    def _move(self, path: str, x: Any, param: Any) -> Any:
        home, target = self.rule.home(path, param), self.rule.target(path, param)
        if home is None or target is None:
            return x
        if isinstance(x, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=target)
        return place.put_along(x, place.split_of(home.spec, x.ndim), target)

    def gathered(self, path: str, x: Any, param: Any, to: Any) -> Any:
        """An array that is split as `param` is updated, moved where `to`, a method of the rule, has that."""
        home, target = to(path, param), self.rule.target(path, param)
        if home is None or target is None:
            return x
        return place.put_along(x, place.split_of(target.spec, x.ndim), home)

    def _home(self, path: str, x: Any, param: Any) -> Any:
        return self.gathered(path, x, param, self.rule.home)

    def _written(self, path: str, x: Any, param: Any) -> Any:
        """A new parameter, gathered into the array of the old one where that is possible."""
        home, target = self.rule.home(path, param), self.rule.target(path, param)
        if home is None or target is None or not isinstance(x, Tracer):
            return self._home(path, x, param)
        start, end = (place.split_of(s.spec, x.ndim) for s in (home, target))
        found = gathered_into(param, x, start, end)
        return self._home(path, x, param) if found is None else found

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots, split."""
        return self.inner.body.slots(params, self.plan(plan, params))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state, split."""
        mesh = jax.sharding.get_abstract_mesh()
        if not mesh.empty and all(place.of(x) is None for x in jax.tree.leaves(params)):
            data_axes(mesh, self.rule.axis, "zero")  # of parameters on no mesh the one in force is asked
        return self.inner.body.init(self.split(params), self.plan(plan, params))

    def run(self, updates, state, params, ctx: Context):
        """Scatter the gradients, update the parts, gather the parameters."""
        need_params("zero", params)
        tree.same_structure({"the gradients": updates, "the parameters": params}, "zero")
        for note in self.rule.notes(params):
            warnings.warn(note, ShardingWarning, stacklevel=2)
        inside = dataclasses.replace(ctx, plan=self.plan(ctx.plan, params))
        parts = tree.map_paths(self._move, updates, params)
        out, new = self.inner.body.run(parts, state, self.split(params), inside)
        write = ctx.apply and self.stage < 3 and not _of_matrices(self.inner)
        home = self._written if write else self._home
        out = tree.map_paths(home, out, params)
        return out, jax.tree.map(_kept, new, ages.like(self.slots(params, ctx.plan), new))


def _kept(x: Any, slot: Any) -> Any:
    """An array of state in its place; on a mesh with automatic axes nothing else would hold it there."""
    if slot.sharding is None or slot.memory is not None:
        return x
    return place.put(x, slot.sharding)


def zeros_of(tx: Transform) -> list[Zero]:
    """Every `zero` in an optimizer."""
    here = [tx.body] if isinstance(tx.body, Zero) else []
    return here + [found for inside in tx.body.inside() for found in zeros_of(inside.tx)]


def _of_matrices(tx: Transform) -> bool:
    """Whether an optimizer moves whole matrices: XLA then gathers the old parameters once more."""
    return "matrices" in tx.recipe.factory.traits or any(_of_matrices(part.tx) for part in tx.body.inside())


@transform(
    paper="arXiv:1910.02054",
    traits=frozenset({"specs"}),
    example=lambda: {"inner": example("scale_by_adam"), "axis": "data", "stage": 1},
    errors=lambda: [
        *(ErrorInput({"axis": x}, ValueError, ("axis is", "each once")) for x in ("", [], ("a", "a"))),
        ErrorInput({"stage": 4}, ValueError, ("stage is 4", "1, 2 or 3")),
        ErrorInput({"min_size": -1}, ValueError, ("min_size is -1", "0 or more")),
    ],
)
def zero(
    inner: Any,
    axis: str | Sequence[str] = "data",
    *,
    stage: int = 1,
    specs: Mapping[str, Any] | None = None,
    min_size: int = 2**14,
):
    """Split the state and the update of a transformation over data axes: zero(adamw(1e-3), "data").

    Gradients are reduce-scattered, each device updates its part, parameters are gathered. `axis` is a mesh
    axis, several, or "data" for "data0", "data1", ... (`make_mesh`). stage 1 and 2 give parameters back as
    they came; with 2, `microbatch_grad` sums split gradients; with 3 parameters stay split between steps, and
    the model, or `gather_params`, gathers them. Each axis goes to the dimension with most left of it; leaves
    under `min_size` numbers stay whole. On a mesh with automatic axes a trace cannot see specs: `specs` maps
    patterns of paths to those of parameters that are split over other axes. Wrap the whole optimizer.
    Raises ValueError for an axis that the mesh has not, of the parameters or else jax.set_mesh; without one
    nothing is split. Warns (ShardingWarning) of leaves that stay whole.
    """
    if stage not in (1, 2, 3):
        raise ValueError(f"zero: stage is {words.show(stage)}; expected 1, 2 or 3")
    if not isinstance(min_size, int) or min_size < 0:
        raise ValueError(f"zero: min_size is {words.show(min_size)}; expected a whole number, 0 or more")
    names = axis if isinstance(axis, str) else tuple(axis)
    each = (names,) if isinstance(names, str) else names
    if not each or not all(isinstance(n, str) and n for n in each) or len(set(each)) < len(each):
        raise ValueError(f"zero: axis is {words.show(axis)}; expected a mesh axis, or several, each once")
    return Zero(as_transform(inner, "zero"), Rule(names, min_size, specs, stage == 3), stage)


def gather_params(tx: Transform, params: Any, dtype: Any = None) -> Any:
    """Parameters that `zero(..., stage=3)` keeps split, whole again, on the way in `dtype` if one is given.

    For the start of a step, outside of what is differentiated: within it, the gradient would be summed
    everywhere before it is split. Each leaf is gathered one mesh axis after the other.
    """
    found = zeros_of(tx)
    if not found:
        raise ValueError(f"gather_params: {tx.name} has no zero(...) in it, so nothing is split")
    zero = found[0]

    def gather(path: str, x: Any) -> Any:
        split, narrow = zero.rule.target(path, x), x if dtype is None else x.astype(dtype)
        if dtype is not None and split is not None:  # or an automatic mesh gathers first, and casts then
            narrow = place.put(narrow, split)
        return zero.gathered(path, narrow, x, zero.rule.whole)

    return tree.map_paths(gather, params)
