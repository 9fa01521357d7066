"""Link: a transform with one entry in the state. Its counter and its hyperparameters are kept here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import codec, hyper, place, returned, select, slots, states, tree
from gradchain.core.codec import Codec, Plan, field_of
from gradchain.core.slots import Leaf, Shared, Slot, SlotMaker
from gradchain.core.transform import Body, Context, Recipe
from gradchain.math import numerics, rounding

BORN = "born"  # the field of leaves that joined later: path -> the link's count when it began


class Link(Body):
    """State and hyperparameters of one link: `fields` are kept per leaf, `globals` once."""

    def __init__(
        self,
        State: type | None,
        fields: Mapping[str, SlotMaker | Shared],
        clock: str = "count",
        where=None,
        ages: bool = False,
    ):
        returned.check_state(State, fields, lambda slot: isinstance(slot, Shared))
        declared = getattr(State, "_fields", ())
        self.State, self.clock, self.where = State, clock, where
        self.fields = {f: s for f, s in fields.items() if not isinstance(s, Shared)}
        self.globals = {f: s for f, s in fields.items() if isinstance(s, Shared)}
        for field in declared:
            if field not in fields:
                self.globals["count"] = slots.shared(slots.counter)
        self.ages = ages and "count" in self.globals and bool(self.fields)  # whether leaves have their own

    def bind(self, recipe: Recipe) -> Link:
        """Add the fields that the hyperparameters need, and take the factory's name as the key."""
        self.recipe = recipe
        extra = ()
        if self.clock not in (*self.globals,) and any(
            hyper.is_schedule(recipe.args[k]) for k in recipe.operands
        ):
            extra, self.globals = ("count",), {**self.globals, "count": slots.shared(slots.counter)}
        if recipe.kept:
            extra = (*extra, "hyperparams")
        self.extra = extra
        self.state_type = states.extended(self.State, extra) if self.State or extra else None
        self.keys = (recipe.factory.name,) if self.state_type else ()
        return self

    def slots(self, params, plan) -> dict[str, Any]:
        """One NamedTuple of slots under the factory's name."""
        # A pattern that matches nothing is an error here, not in the first step.
        picked = self.pick(params, plan.whole)
        if not self.state_type:
            return {}
        described = leaves_of(params, plan)
        # A scalar is placed where the parameters are, on every device of their mesh, and is of none of them.
        home = dataclasses.replace(described[0], shape=(), path="") if described else None
        arrays = [p.array for p, on in zip(described, picked or [True] * len(described), strict=True) if on]
        at_home = lambda slot: slots.at_home(slot, home, arrays)  # noqa: E731
        found: dict[str, Any] = {f: jax.tree.map(at_home, s.make(params)) for f, s in self.globals.items()}
        codecs = self.codecs(described, picked, plan)
        more = []
        for field in self.fields:
            of = codecs.get(field) or [None] * len(described)
            rows = [codec.kept(c, self.slot(field, p)) for c, p in zip(of, described, strict=True)]
            for part in parts_of(of):
                name = field_of(field, part)
                more += [name] if part else []
                column = [row.get(part) or slots.absent(p) for row, p in zip(rows, described, strict=True)]
                packed = self.pack(column, params, picked)
                found[name] = jax.tree.map(_without_variable, packed, is_leaf=tree.is_variable)
        if self.recipe.kept:
            found["hyperparams"] = {
                k: dataclasses.replace(slots.scalar(), fill=self.recipe.initial(k), leaf=home)
                for k in self.recipe.kept
            }
        made: Any = states.extended(self.State, (*more, *self.extra))
        return {self.keys[0]: made(**{f: found[f] for f in made._fields})}

    def slot(self, field: str, leaf: Leaf) -> Slot:
        """The slot of one leaf's field."""
        made = self.fields[field](leaf)
        return returned.check_slot(made, isinstance(made, Slot), field, self.recipe.factory.name)

    def codecs(self, described, picked, plan: Plan) -> dict[str, list[Codec | None]]:
        """The codec of each leaf, for the fields that are kept by any."""
        if plan.codec is None:
            return {}
        chosen = picked or (True,) * len(described)
        found = {
            field: [
                plan.codec(self.recipe.factory.name, field, self.slot(field, p)) if on else None
                for p, on in zip(described, chosen, strict=True)
            ]
            for field in self.fields
        }
        return {field: of for field, of in found.items() if any(of)}

    def opened(self, s, updates, codecs: Mapping[str, list[Codec | None]]):
        """The state with the values of what codecs keep: for links that work on whole trees."""
        for field, of in codecs.items():
            arrays = {
                p: flat(s, field_of(field, p), updates, None, self.recipe.factory.name) for p in parts_of(of)
            }
            values = [
                x if c is None else codec.decode_alone(c, [arrays[p][i] for p in c.parts])
                for i, (c, x) in enumerate(zip(of, arrays[""], strict=True))
            ]
            s = s._replace(**{field: jax.tree.structure(getattr(s, field)).unflatten(values)})
        return s

    def closed(self, new, old, updates, codecs: Mapping[str, list[Codec | None]], plan: Plan):
        """The state with its values as codecs keep them, the other way round."""
        for field, of in codecs.items():
            name, values = self.recipe.factory.name, jax.tree.leaves(getattr(new, field))
            arrays = {p: flat(old, field_of(field, p), updates, None, name) for p in parts_of(of)}
            arrays[""] = values
            for i, (c, path) in enumerate(zip(of, tree.paths(updates), strict=True)):
                if c is not None:
                    made = codec.encode_alone(c, values[i], plan.key, rounding.word(path), f"{name}/{field}")
                    for part, x in zip(c.parts, made, strict=True):
                        arrays[part][i] = x
            for part, xs in arrays.items():
                here = field_of(field, part)
                new = new._replace(**{here: jax.tree.structure(getattr(old, here)).unflatten(xs)})
        return new

    def pick(self, params, whole=None) -> tuple[bool, ...] | None:
        """Which leaves the link acts on; None for all."""
        if self.where is None:
            return None
        return select.chosen(self.where, params, self.recipe.factory.name, whole)

    def acts(self, params) -> tuple[bool, ...]:
        """Those that it picks; a link of what others act on asks for none by itself."""
        if "any_leaf" in self.recipe.factory.traits:
            return (False,) * len(jax.tree.leaves(params))
        return self.pick(params) or super().acts(params)

    @staticmethod
    def pack(values: list, like, picked: tuple[bool, ...] | None) -> Any:
        """One field of the state: a tree like the parameters or, of some leaves only, a dict by path."""
        if picked is None:
            return jax.tree.structure(like).unflatten(values)
        return {path: v for path, v, p in zip(tree.paths(like), values, picked, strict=True) if p}

    def entry(self, state: Mapping[str, Any], key: str) -> Any:
        """Its entry in a state, of the declared class or one like it."""
        found, wanted = state[key], getattr(self.state_type, "_fields", ())
        if set(wanted) <= set(getattr(found, "_fields", ())):
            return found
        raise ValueError(f"{self.recipe.factory.name}: {states.lost(key, found, self.state_type)}")

    def live(self, state) -> tuple[dict[str, Any], dict[str, Any]]:
        """The operands of this step, and the hyperparameters that the new state holds."""
        clock = getattr(state, self.clock, None)
        clock = getattr(state, "count", None) if clock is None else clock
        stored = getattr(state, "hyperparams", {})
        args = self.recipe.args
        who = self.recipe.factory.name
        operands = {k: hyper.current(who, k, args[k], clock, stored) for k in self.recipe.operands}
        dtype = jnp.result_type(float)
        kept = {k: jnp.asarray(operands.get(k, args[k]), dtype) for k in self.recipe.kept}
        return operands, kept

    def counted(self, state):
        """The state with its `count` taken one step on."""
        return state._replace(count=numerics.increment(state.count)) if "count" in state._fields else state


def counts_of(state, paths: Iterable[str]) -> list[Array]:
    """The number of this step for each leaf: the link's count, less what it was when the leaf began."""
    born = getattr(state, BORN, {})
    return [state.count - born[path] if path in born else state.count for path in paths]


def parts_of(codecs: Iterable[Codec | None]) -> tuple[str, ...]:
    """The parts that the leaves of a field are kept in, the field itself first."""
    return tuple(dict.fromkeys(("", *(part for c in codecs if c is not None for part in c.parts))))


OTHERS = "; the state was made for other leaves: make a new one with tx.init(params)"


def flat(s, field: str, updates, picked, who: str) -> list:
    """A field of the state as one array for each leaf of the updates; None where a mask leaves it out."""
    value = getattr(s, field)
    if picked is None:
        same_leaves(s, [field], updates, who)
        return jax.tree.leaves(value)
    paths = tree.paths(updates)
    wanted = [path for path, chosen in zip(paths, picked, strict=True) if chosen]
    kept = value if isinstance(value, Mapping) else {}
    for path in (*wanted, *tree.paths(value)):
        if (path not in kept and path in wanted) or path not in paths:
            what = "has no" if path in paths else "has"
            why = "which its mask selects now" if path in paths else "which is not in the gradients"
            raise ValueError(f"{who}: the state's {field} {what} {path!r}, {why}{OTHERS}")
    return [kept[path] if chosen else None for path, chosen in zip(paths, picked, strict=True)]


def same_leaves(s, fields: Iterable[str], updates, who: str) -> None:
    """Raise where a field that a state keeps for each leaf has other leaves than the updates."""
    treedef = jax.tree.structure(updates)
    for field in fields:
        value = getattr(s, field)
        if jax.tree.structure(value) != treedef and tree.paths(value) != tree.paths(updates):
            tree.same_structure({"the gradients": updates, f"the state's {field}": value}, who, OTHERS)


def _without_variable(node):
    """A slot that is not like its parameter, out of the parameter's Variable: its axis names do not fit."""
    if not tree.is_variable(node):
        return node
    (slot,) = jax.tree.leaves(node)
    return node if slot.axes == tuple(range(len(slot.leaf.shape))) else slot


def leaves_of(params, plan: Plan) -> list[Leaf]:
    """Every leaf of the parameters, described."""
    placed = plan.placed or (lambda _, x: place.of(x))
    return [
        Leaf(path, tuple(x.shape), x.dtype, plan.axes(path, tuple(x.shape)), x, placed(path, x))
        for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True)
    ]


def need_params(who: str, params) -> None:
    """Raise where a link that uses the parameters was not given them."""
    if params is None:
        raise ValueError(f"{who} needs the parameters: call tx.update(grads, state, params)")


def asked_for(f: Callable) -> frozenset[str]:
    """The names of the keyword-only arguments that a function cannot do without."""
    code = returned.code_of(f, "the function")
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return frozenset(names) - set(f.__kwdefaults__ or ())


class Treewise(Link):
    """A link that works on whole trees: update(updates, s, params, **extra) -> (updates, s)."""

    def __init__(
        self, State, update: Callable, fields: Mapping[str, SlotMaker | Shared], params: bool = False
    ):
        self.fn, self.uses_params = update, params
        self.asks, self.rest = asked_for(update), returned.takes_rest(update)
        self.needs = self.asks - {"leaves", "counts"}
        super().__init__(State, fields, ages="counts" in self.asks)

    def run(self, updates, state, params, ctx: Context):
        """Run the update on the trees; with ctx.apply, add the result to the parameters."""
        name = self.recipe.factory.name
        if self.uses_params:
            need_params(name, params)
        old = self.entry(state, self.keys[0]) if self.keys else None
        same_leaves(old, self.fields, updates, name)
        leaves = leaves_of(updates if params is None else params, ctx.plan)
        found = self.codecs(leaves, None, ctx.plan)
        for field in self.fields:
            flat(old, field, updates, None, name)  # raises where the state is of other leaves
        operands, kept = self.live(old)
        body = self.recipe.build(operands) if operands else self
        extra = {k: leaves if k == "leaves" else ctx.extra[k] for k in self.asks - {"counts"}}
        extra = {**ctx.extra, **extra} if self.rest else extra
        s = None if old is None else self.counted(old)
        if self.State is None:  # s is nothing, or a counter for schedules, or tunables
            updates = body.fn(updates, params, **extra)
        else:
            if "counts" in self.asks:
                extra["counts"] = counts_of(s, tree.paths(updates))
            made = body.fn(updates, self.opened(s, updates, found), params, **extra)
            out, s = returned.pair_of(made, type(old), name, "(updates, s)")
            s, updates = self.closed(s, old, updates, found, ctx.plan), out
        new = {} if s is None else {self.keys[0]: s._replace(hyperparams=kept) if kept else s}
        return (tree.apply_updates(params, updates) if ctx.apply else updates), new


def treewise(State, update: Callable, *, params: bool = False, **fields: SlotMaker | Shared) -> Treewise:
    """Lift update(updates, s, params, **extra) -> (updates, s) on whole trees to a transform.

    For what touches several leaves at once. `fields` give the slots of State: a slot for each leaf, or
    shared(slot); a field `count` is counted by the engine. Keyword-only arguments: `leaves`, the description
    of each leaf (path, shape, dtype, axes, sharding), in order; `counts`, the number of this step for each,
    less than s.count for one that joined later; any other is an extra argument of `tx.update`, and **extra
    takes all others. With State None the function is update(updates, params, **extra) -> updates.
    """
    return Treewise(State, update, fields, params)
