"""Dtypes, weak types and structures of the state never change, in any precision, and no step makes a NaN."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from gradchain.core.hyper import tunable
from gradchain.core.transform import Transform
from gradchain.core.tree import apply_updates
from gradchain.core.versions import jaxprs_in
from gradchain.testing import problems
from gradchain.testing.compare import finite, kinds, leaves, require, same_kinds, same_structure
from gradchain.testing.law import law, laws_in, once
from gradchain.testing.problems import LARGE, STEPS, mixed
from gradchain.testing.subjects import Subject

NARROW = (jnp.float32, jnp.bfloat16, jnp.float16)
POLICY = (
    "The library keeps dtypes: a kernel gets arrays of float32 at least and mentions none. "
    "Where a slot has a dtype of its own say it, slots.typed(slot, dtype)."
)


def wide(*dtypes):
    """The dtype that updates are computed in."""
    return jnp.result_type(jnp.float32, *dtypes)


def check_kinds(subject: Subject, tx: Transform, params, grads) -> None:
    """The policy on dtypes, without running anything."""
    state = jax.eval_shape(tx.init, params)
    updates, after = jax.eval_shape(subject.update(tx), grads, state, params)
    same_kinds(after, state, "the state after an update")
    for path, kind in kinds_by_path({"state": after, "updates": updates}):
        require(not kind.weak, f"{path} is of a weak type, which compiles again")
    same_structure(updates, params, "the tree of updates")
    for u, g, p in zip(*map(jax.tree.leaves, (updates, grads, params)), strict=True):
        require(u.shape == p.shape, f"an update has the shape {u.shape}; its parameter {p.shape}")
        require(
            u.dtype in (wide(g.dtype, p.dtype), wide(g.dtype), g.dtype),
            f"the update of a {p.dtype} parameter from a {g.dtype} gradient is {u.dtype}; "
            "expected float32 at least",
        )
    if tx is not subject.tx:
        return  # a step is an update and its application, whatever the hyperparameters are
    new, after = jax.eval_shape(subject.step(tx), grads, state, params)
    same_kinds(new, params, "the parameters after a step")
    same_kinds(after, state, "the state after a step")


def kinds_by_path(tree):
    """(path, kind) of every leaf."""
    found = jax.tree_util.tree_flatten_with_path(kinds(tree), is_leaf=lambda x: hasattr(x, "weak"))[0]
    return [(jax.tree_util.keystr(path), kind) for path, kind in found]


def variants(subject: Subject) -> Iterator[Transform]:
    """The transform, and its hyperparameters scheduled, as arrays, and in the state."""
    constants = subject.hypers
    yield subject.tx
    if constants:
        yield subject.make(**{k: (lambda count, v=v: jnp.float32(v)) for k, v in constants.items()})
        yield subject.make(**{k: jnp.asarray(v, jnp.float32) for k, v in constants.items()})
        yield subject.make(**{k: tunable(v) for k, v in constants.items()})


def shapes_of(subject: Subject):
    """The shapes of its parameters."""
    return subject.shapes or problems.SHAPES


@law(advice=POLICY)
def kinds_are_stable(subject: Subject) -> None:
    """Shapes, dtypes and structures stay from step to step, whatever is scheduled, for 16 to 64 bits."""
    with jax.enable_x64(True):
        params, grads = (mixed(shapes_of(subject), subject.dtypes, seed) for seed in (0, 10))
        for tx in variants(subject):
            check_kinds(subject, tx, params, grads)


@law(advice=POLICY)
def kinds_are_stable_without_x64(subject: Subject) -> None:
    """Shapes, dtypes and structures stay from step to step without 64 bits as well."""
    params, (grads,) = subject.problem(steps=1)
    for tx in variants(subject):
        check_kinds(subject, tx, params, grads)


@law(advice=POLICY)
def gradients_of_another_dtype(subject: Subject) -> None:
    """Gradients may be of fewer or more bits than the parameters."""
    shapes = shapes_of(subject)
    params = mixed(shapes, ("bfloat16", "float32"))
    check_kinds(subject, subject.tx, params, mixed(shapes, ("float32", "bfloat16"), 10))


@law(advice=POLICY + " Or declare the trait 'narrow_state'.", unless=("narrow_state",))
def state_is_wide(subject: Subject) -> None:
    """Moments of 16-bit parameters are float32, unless the transform is asked for less."""
    params, _ = subject.problem("bfloat16")
    for path, kind in kinds_by_path(jax.eval_shape(subject.tx.init, params)):
        narrow = jnp.issubdtype(kind.dtype, jnp.floating) and kind.dtype != "float32"
        require(not narrow, f"the state {path} of bfloat16 parameters is {kind.dtype}; expected float32")


SAFE = "Divide with gc.numerics.safe_divide and take roots with safe_sqrt where the argument can be 0."


@law(advice=SAFE)
def finite_at_zero_and_large_gradients(subject: Subject) -> None:
    """Zero, then large, then zero gradients: no 0/0, no square that overflows, no inf - inf; one program."""
    dtypes, tx = [d for d in subject.dtypes if d != "float64"], subject.tx
    params = mixed(shapes_of(subject), dtypes)
    do = jax.jit(subject.update())
    zeros = jax.tree.map(jnp.zeros_like, params)
    large = jax.tree.map(lambda p: jnp.full_like(p, LARGE), params)
    rough = mixed(shapes_of(subject), dtypes, 10, LARGE)
    state = tx.init(params)
    for grads in [zeros, zeros, rough, zeros, *[large] * STEPS]:
        updates, state = do(grads, state, params)
        finite(updates, "the update")
        finite(state, "the state")
    once(do, subject.compilations)
    params, state = zeros, tx.init(zeros)
    for seed in range(STEPS):
        updates, state = do(mixed(shapes_of(subject), dtypes, 20 + seed), state, params)
        params = apply_updates(params, updates)
        finite(params, "from zero parameters, the parameter")
        finite(state, "from zero parameters, the state")


def made(jaxpr):
    """Every value that a program computes, at any depth: (primitive, type)."""
    for eqn in jaxpr.eqns:
        yield from ((eqn.primitive.name, x.aval) for x in eqn.outvars)
        for inner in jaxprs_in(eqn):
            yield from made(inner)


@law(advice="Look for a cast or a constant of float32 in the kernel.", unless=("codes",))
def float64_is_computed_in_float64(subject: Subject) -> None:
    """No value of float64 parameters is rounded on the way."""
    with jax.enable_x64(True):
        params, (grads,) = subject.problem("float64", steps=1)
        state = subject.tx.init(params)
        for path, x in leaves(state).items():
            require(x.dtype != jnp.float32 or x.ndim == 0, f"the state {path} is float32")
        program = jax.make_jaxpr(subject.update())(grads, state, params).jaxpr
        narrow = [f"{op} gives {x}" for op, x in made(program) if getattr(x, "dtype", None) in NARROW]
        require(not narrow, f"values rounded on the way: {', '.join(narrow[:4])}")


LAWS = laws_in(globals())
