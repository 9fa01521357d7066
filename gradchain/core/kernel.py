"""The kernel of a run of leafwise links: a jitted function for each shape, which reads and writes codes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gradchain.core import versions
from gradchain.core.codec import Codec, encode
from gradchain.core.recipe import Recipe
from gradchain.core.returned import KernelError, field_of_state, pair_of, update_of
from gradchain.core.slots import Leaf
from gradchain.math import numerics


@dataclasses.dataclass(frozen=True)
class Program:
    """The kernel of a run for one leaf; equal keys share one compiled function. It must hold no tracers."""

    key: tuple
    recipes: tuple[Recipe, ...] = dataclasses.field(compare=False)
    leaf: Leaf | None
    apply: bool
    codecs: tuple[tuple[tuple[str, Codec], ...], ...]  # for each recipe, those of its fields
    measures: bool = False  # makes the scales of delayed codecs instead

    @functools.cached_property
    def name(self) -> str:
        """What the function is called in a profile."""
        return "_".join(r.factory.name for r in self.recipes) or "apply_updates"


def _like(x, dtype):
    """An array of state in the dtype that the kernel computes in; integers and flags stay."""
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    return x.astype(numerics.wide_dtype(x.dtype, jnp.finfo(dtype).dtype))


KEPT = 512  # programs; each holds 0.4 MB and more, and making one again costs tens of milliseconds


@functools.lru_cache(maxsize=KEPT)
def kernel_of(program: Program) -> Callable:
    """kernel(g, p, columns, salt, scalars, operands, extra, key) -> (update or parameter, new columns).

    The column of a delayed codec has the scales to encode with behind the arrays that are kept.
    """

    def kernel(g, p, columns, salt, scalars, operands, extra, key):
        dtype = numerics.compute_dtype(g, *(() if p is None else (p,)))
        u, wide_p = g.astype(dtype), None if p is None else p.astype(dtype)
        kept = []
        for recipe, column, found, shared, values in zip(
            program.recipes, columns, map(dict, program.codecs), scalars, operands, strict=True
        ):
            link, name = recipe.build(values), recipe.factory.name
            given = {"leaf": program.leaf, "salt": salt, **extra}
            asked = {k: given[k] for k in link.asks}
            args = (wide_p,) if link.uses_params else ()
            if link.State is None:
                u = update_of(link.step(u, *args, **asked), name, g)
                kept.append(())
            else:
                opened = {f: _decode(found[f], x) if f in found else x for f, x in column.items()}
                local = link.State(**shared, **{f: _like(x, dtype) for f, x in opened.items()})
                step = functools.partial(link.step, **asked)
                if through := {f: c for f, c in found.items() if c.through}:
                    step = _through(step, through, key, salt, name)
                u, s = pair_of(step(u, local, *args), link.State, name)
                u = update_of(u, name, g, "(u, s) with u")
                store = _measure if program.measures else _store
                kept.append({
                    f: store(getattr(s, f), x, found.get(f), key, salt, name, f) for f, x in column.items()
                })  # fmt: skip
            u = u.astype(dtype)
        if program.measures:
            return None, tuple(kept)
        made = u if p is None or not program.apply else numerics.plus(wide_p, u).astype(p.dtype)
        return made, tuple(kept)

    kernel.__name__ = kernel.__qualname__ = program.name
    return jax.jit(kernel)


def _store(new, old, codec: Codec | None, key, salt, name: str, field: str):
    """A field as it is kept, of the shapes and dtypes that the state has."""
    if codec is None:
        return field_of_state(new, old, name, field)
    kept = len(codec.parts)
    parts = encode(codec, new, key, salt, f"{name}/{field}", old[kept:])
    return tuple(field_of_state(x, y, name, field) for x, y in zip(parts, old[:kept], strict=True))


def _measure(new, old, codec: Codec | None, *_):
    """The scales of a field, where its codec has any."""
    return codec.measure(new.astype(jnp.float32)) if codec is not None and codec.delayed else ()


def _decode(codec: Codec, arrays: tuple):
    return codec.decode(*arrays[: len(codec.parts)])


def _through(step: Callable, found: Mapping[str, Codec], key, salt, name: str) -> Callable:
    """The step with the update computed from what the codecs store of some fields.

    The kernel is traced, and where it has computed such a field, what is stored of it takes its place: a
    second moment kept as rows and columns then divides the gradient as Adafactor's does.
    """

    def run(*args):
        closed, shape = jax.make_jaxpr(step, return_shape=True)(*args)
        jaxpr, consts, values = closed.jaxpr, list(closed.consts), jax.tree.leaves(args)
        treedef = jax.tree.structure(shape)
        places = jax.tree.unflatten(treedef, range(treedef.num_leaves))[1]
        made = {v: i for i, eqn in enumerate(jaxpr.eqns) for v in eqn.outvars}
        fields = {jaxpr.outvars[getattr(places, f)]: f for f in found}
        for var in sorted(fields.keys() & made.keys(), key=made.__getitem__):  # others have not changed
            field, eqn = fields[var], jaxpr.eqns[made[var]]
            if len(eqn.outvars) > 1:
                raise KernelError(
                    f"{name}: {field} comes out of a function together with other results, so that "
                    f"{found[field]!r} cannot take its place"
                )
            (x,) = versions.evaluate(jaxpr.replace(outvars=[var]), consts, *values)
            kept = encode(found[field], x, key, salt, f"{name}/{field}")
            consts.append(found[field].decode(*kept).astype(x.dtype))
            rest = [e for e in jaxpr.eqns if e is not eqn]
            jaxpr = jaxpr.replace(constvars=[*jaxpr.constvars, var], eqns=rest)
            made = {v: i for i, e in enumerate(rest) for v in e.outvars}
        return treedef.unflatten(versions.evaluate(jaxpr, consts, *values))

    return run
