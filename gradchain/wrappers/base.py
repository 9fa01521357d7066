"""Wrapper: a link around a transform. The wrapped transform's entries keep their names in the state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import ages, tree, words
from gradchain.core.compose import unique
from gradchain.core.control import is_known, when
from gradchain.core.link import Link, leaves_of, need_params, same_leaves
from gradchain.core.slots import Leaf, Shared, SlotMaker
from gradchain.core.transform import Context, Inside, Recipe, Transform
from gradchain.math.numerics import real_dtype


@dataclasses.dataclass(frozen=True)
class Inner:
    """The wrapped transform, as the wrapper's function calls it."""

    tx: Transform
    ctx: Context

    @property
    def extra(self) -> Mapping[str, Any]:
        """The extra arguments of this update."""
        return self.ctx.extra

    def leaves(self, updates, params) -> list[Leaf]:
        """Every leaf with its axes, in order."""
        return [leaf.bare() for leaf in leaves_of(updates if params is None else params, self.ctx.plan)]

    def run(self, updates, state, params):
        """Its updates (the new parameters, where they are applied at once) and its new state."""
        return self.tx.body.run(updates, state, params, self.ctx)

    def updates(self, updates, state, params):
        """Its updates, also where they would be applied at once, and its new state."""
        return self.tx.body.run(updates, state, params, dataclasses.replace(self.ctx, apply=False))

    def given(self, updates, params):
        """What a wrapper returns that made its own updates: them, or the parameters that they lead to."""
        return tree.apply_updates(params, updates) if self.ctx.apply else updates

    def init(self, params):
        """A fresh state."""
        return self.tx.body.init(params, self.ctx.plan)

    def run_if(self, due: Array, updates, state, params, scale: Array | None = None):
        """`run` on scale * updates where due; else zero updates (or the parameters) and the state as it is.

        The scaling belongs inside: outside it would write the scaled updates, in float32, in every step.
        """

        def scaled(updates, scale, state, params):
            if scale is not None:
                updates = jax.tree.map(lambda g: _scaled(g, scale), updates)
            return self.run(updates, state, params)

        if is_known(due) and due:
            return scaled(updates, scale, state, params)
        if self.ctx.apply:
            carry, operands = (params, state), (updates, scale)
        else:
            shapes, _ = jax.eval_shape(scaled, updates, scale, state, params)
            carry = (jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes), state)
            operands = (updates, scale, params)

        def run(carry, updates, scale, *params):
            return scaled(updates, scale, carry[1], params[0] if params else carry[0])

        return when(due, run, carry, *operands)


class Several:
    """The links of a chain within a wrapper, each run by itself, with its entries in the wrapper's state."""

    def __init__(self, inner: Inner):
        body: Any = inner.tx.body
        self.ctx = inner.ctx
        self.links: list[tuple[Transform, dict[str, str]]] = [
            (link, dict(zip(link.body.keys, names, strict=True)))
            for link, names in zip(body.links, body.names, strict=True)
        ]

    def run(self, which: int, updates, state, params, apply: bool = False):
        """The updates of one of them, or what they lead to, and the state with its entries renewed."""
        tx, names = self.links[which]
        inner = Inner(tx, dataclasses.replace(self.ctx, apply=apply))
        out, new = inner.run(updates, {k: state[v] for k, v in names.items()}, params)
        return out, {**state, **{names[k]: x for k, x in new.items()}}

    def fresh(self, which: int, state, params):
        """The state with the entries of one of them as at the start."""
        tx, names = self.links[which]
        old = {k: state[v] for k, v in names.items()}
        new = ages.like(Inner(tx, self.ctx).init(params), old)
        return {**state, **{names[k]: x for k, x in new.items()}}


@jax.jit
def _scaled(g, scale):
    g = tree.wide(g)  # float16 would lose what is small
    return g * scale.astype(real_dtype(g))


class Wrapper(Link):
    """fn(inner, updates, s, state, params) -> (out, s, state), with s its own state and `state` the inner."""

    def __init__(
        self,
        State,
        tx: Transform,
        fn: Callable,
        clock: str,
        needs: frozenset[str],
        fields: Mapping,
        params: bool = False,
    ):
        super().__init__(State, fields, clock)
        self.uses_params = params
        self.tx, self.fn, self.needs = tx, fn, needs | tx.body.needs

    def bind(self, recipe: Recipe) -> Wrapper:
        """Its own entry first, then those of the wrapped transform."""
        super().bind(recipe)
        own, self.inner_keys = unique([self.keys, self.tx.body.keys])
        self.own = own[0] if own else ""  # without a state of its own there is no entry
        self.keys = (*own, *self.inner_keys)
        return self

    def slots(self, params, plan) -> dict[str, Any]:
        """Its own slots and the inner ones."""
        return super().slots(params, plan) | self._outer(self.tx.body.slots(params, plan))

    def init(self, params, plan) -> dict[str, Any]:
        """Its own state and the inner one."""
        own = jax.tree.map(lambda s: s.make(), super().slots(params, plan))
        return own | self._outer(self.tx.body.init(params, plan))

    def inside(self) -> list[Inside]:
        """The wrapped transform."""
        return [
            Inside(self.tx, {k: (name,) for k, name in zip(self.tx.body.keys, self.inner_keys, strict=True)})
        ]

    def _outer(self, inner: Mapping[str, Any]) -> dict[str, Any]:
        return {name: inner[k] for k, name in zip(self.tx.body.keys, self.inner_keys, strict=True)}

    def run(self, updates, state, params, ctx: Context):
        """Run the wrapper's function on the wrapped transform."""
        if self.uses_params:
            need_params(self.recipe.factory.name, params)
        own = self.entry(state, self.own) if self.own else None
        same_leaves(own, self.fields, updates, self.recipe.factory.name)
        inner = {k: state[name] for k, name in zip(self.tx.body.keys, self.inner_keys, strict=True)}
        operands, kept = self.live(own)
        body = self.recipe.build(operands) if operands else self
        found = self.codecs(leaves_of(updates if params is None else params, ctx.plan), None, ctx.plan)
        out, new, inner = body.fn(
            Inner(self.tx, ctx), updates, self.opened(own, updates, found), inner, params
        )
        if not self.own:
            return out, self._outer(inner)
        own = self.closed(new, own, updates, found, ctx.plan)
        own = self.counted(own) if "count" in self.extra else own  # its own function counts what it declares
        return out, {self.own: own._replace(hyperparams=kept) if kept else own, **self._outer(inner)}


def wrap(
    State,
    tx: Transform,
    fn: Callable,
    *,
    clock: str = "count",
    needs: frozenset[str] = frozenset(),
    params: bool = False,
    fields: Mapping[str, SlotMaker | Shared],
) -> Wrapper:
    """Make a wrapper of `tx` from fn(inner, updates, s, state, params) -> (out, s, state).

    inner.run(updates, state, params) runs the wrapped transform, inner.run_if(due, ...) does where due; both
    return (out, state). inner.updates(...) never applies what it returns, inner.given(updates, params) is out
    for updates of the wrapper's own. `clock` names the counter that schedules of the wrapper's
    hyperparameters read; `params` says that it cannot do without the parameters.
    """
    return Wrapper(State, tx, fn, clock, needs, fields, params)


def mean_over(axis_name: str | None, values: Any, who: str, argument: str = "batch_axis_name") -> Any:
    """The mean over a mesh axis, within shard_map; None: the values as they are."""
    if axis_name is None:
        return values
    try:
        return jax.lax.pmean(values, axis_name)
    except NameError:
        raise ValueError(
            f"{who}: {argument} is {words.show(axis_name)}, no mesh axis within shard_map here; expected one "
            "of those of the jax.shard_map that this runs in; without shard_map leave it out"
        ) from None
