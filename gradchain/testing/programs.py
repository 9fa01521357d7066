"""One algorithm, whichever way it is run: eager, jitted, scanned, donated, in one call or in two."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core.tree import apply_updates
from gradchain.core.versions import jaxprs_in
from gradchain.report.operations import MOVES
from gradchain.testing.compare import near, require, same_bits, same_kinds
from gradchain.testing.law import law, laws_in, once
from gradchain.testing.problems import array, problem
from gradchain.testing.subjects import Subject, run

PER_LEAF = 16  # equations that one more leaf may cost in a link on whole trees, and in all others together
PURE = "A kernel is a pure function of its arguments: no Python number that changes, no branch on a value."
COPIES = MOVES | {"dynamic_slice", "dynamic_update_slice"}


def scanned(subject: Subject, params, grads):
    """(params, state) after steps in one jitted scan."""
    do = subject.step()
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *grads)
    train = jax.jit(lambda *c: jax.lax.scan(lambda c, g: (do(g, c[1], c[0]), None), c, stacked)[0])
    return train(params, subject.tx.init(params))


@law(advice=PURE)
def jitted_is_eager(subject: Subject) -> None:
    """A jitted step does what an eager one does, and one program serves all steps."""
    found = subject.jitted
    once(subject.train, subject.compilations)
    near(found, subject.eager, subject.ulps)


@law(advice=PURE, dear=True)
def scanned_is_eager(subject: Subject) -> None:
    """Steps within jax.lax.scan do what eager ones do."""
    near(scanned(subject, *subject.problem()), subject.eager, subject.ulps)


@law(advice=PURE, slow=True)
def programs_agree_in_other_dtypes(subject: Subject) -> None:
    """Eager, jitted and scanned steps agree in bfloat16, float16 and float64, in units of the parameters."""
    with jax.enable_x64(True):
        for dtype in subject.dtypes:
            params, grads = subject.problem(dtype)
            eager, state = subject.run(params, grads), subject.tx.init(params)
            same_kinds(eager[0], params, f"the {dtype} parameters after a step")
            near(run(jax.jit(subject.step()), state, params, grads), eager, subject.ulps, dtype)
            near(scanned(subject, params, grads), eager, subject.ulps, dtype)


@law(advice="Leave it to the library to apply updates: a kernel gives the update, never the new parameter.")
def step_is_update_and_apply(subject: Subject) -> None:
    """tx.step is tx.update and then gc.apply_updates."""
    params, grads = subject.problem()
    state = subject.tx.init(params)
    for g in grads:
        updates, after = subject.update()(g, state, params)
        expected = apply_updates(params, updates)
        found, state = subject.step()(g, state, params)
        same_kinds(found, expected, "the parameters after a step")
        same_kinds(found, params, "the parameters after a step")
        near(found, expected, subject.ulps)
        near(state, after, subject.ulps)
        params = found


@law(advice="Each array of state is made on its own, by a slot: never one array at two places.")
def donated_buffers(subject: Subject) -> None:
    """A step may be given the buffers of parameters and state, all of which it gives up."""
    params, (g, *_) = subject.problem()
    state = subject.tx.init(params)
    buffers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((params, state))]
    require(len(set(buffers)) == len(buffers), "two leaves of the state and parameters share a buffer")
    # jit drops a scalar that is only written
    old = [(p, x) for p, x in jax.tree_util.tree_flatten_with_path((params, state))[0] if x.size > 1]
    subject.train(params, state, g)
    for path, x in old:
        require(x.is_deleted(), f"the buffer of (params, state){jax.tree_util.keystr(path)} was not given up")


@law(advice="Slots depend on the shape and dtype of a leaf, never on its values.")
def abstract_init_is_init(subject: Subject) -> None:
    """The state can be known without being made: tx.slots, jax.eval_shape and jit give what init gives."""
    tx, (params, _) = subject.tx, subject.problem(steps=1)
    real = tx.init(params)
    same_kinds(jax.eval_shape(tx.init, params), real, "the state by jax.eval_shape")
    jitted = jax.jit(tx.init)(params)
    same_kinds(jitted, real, "the state by jit")
    same_bits(jitted, real)
    for given in (params, jax.eval_shape(lambda: params)):
        described = jax.tree.map(lambda s: s.abstract(), tx.slots(given))
        same_kinds(described, real, "the state as tx.slots describes it")


def equations(jaxpr, seen: dict[int, Any]) -> int:
    """How many equations a program has to be traced and lowered, one that is called twice counted once."""
    count = len(jaxpr.eqns)
    for eqn in jaxpr.eqns:
        for inner in jaxprs_in(eqn):
            if id(inner) not in seen:
                seen[id(inner)] = inner
                count += equations(inner, seen)
    return count


def computes(jaxpr) -> bool:
    """Whether a program does more than copy and name anew, as the branches of a choice of arrays do."""
    inside = [(eqn.primitive.name, list(jaxprs_in(eqn))) for eqn in jaxpr.eqns]
    return any(any(map(computes, inner)) if inner else name not in COPIES for name, inner in inside)


def traced(subject: Subject, copies: int) -> tuple[int, int]:
    """The distinct programs that compute, and the equations of a step on so many copies of two leaves."""
    shapes = {f"layer{i}": {"kernel": array(4, 3), "bias": array(3)} for i in range(copies)}
    params, (grads,) = problem(shapes, steps=1)
    seen: dict[int, Any] = {}
    program = jax.make_jaxpr(subject.step())(grads, subject.tx.init(params), params)
    count = equations(program.jaxpr, seen)
    return sum(map(computes, seen.values())), count


@law(advice="Lift a kernel for one array by gc.leafwise; in gc.treewise, jit what runs for each leaf.")
def one_trace_per_shape(subject: Subject) -> None:
    """A kernel is traced once per shape, not once per leaf, and little stands outside of kernels."""
    (few, less), (many, more) = traced(subject, 2), traced(subject, 6)
    text = f"{few} programs for two copies of a layer, {many} for six: a kernel traced for every leaf"
    require(many == few, text)
    cost, limit = (more - less) / 8, PER_LEAF * max(1, subject.on_trees)
    require(cost <= limit, f"{cost:g} equations outside of kernels for every leaf; at most {limit}")


@law(
    advice="An update from one leaf depends on nothing but its own state, path and step.",
    when=lambda s: "" if s.per_leaf else "leaves of this transform know of each other",
)
def halves_run_separately(subject: Subject) -> None:
    """Where leaves do not know of each other, each steps as it does alone, to the bit."""
    params, grads = subject.problem()
    treedef = jax.tree.structure(params)
    for i in range(treedef.num_leaves):
        alone = lambda tree, i=i: treedef.unflatten(  # noqa: E731
            [x if i == j else None for j, x in enumerate(jax.tree.leaves(tree))]
        )
        found, _ = subject.run(alone(params), [alone(g) for g in grads])
        same_bits(found, alone(subject.eager[0]))


@law(advice=PURE, dear=True)
def vmapped_over_models(subject: Subject) -> None:
    """Several models of one shape train at once, each with its state, as they would alone."""
    several = [subject.problem(steps=2, size=1.0 + i) for i in range(2)]
    expected = [subject.run(params, grads) for params, grads in several]
    params, grads = jax.tree.map(lambda *x: jnp.stack(x), *several)
    found = jax.jit(jax.vmap(lambda params, *grads: subject.run(params, grads)))(params, *grads)
    for i, alone in enumerate(expected):
        near(jax.tree.map(lambda x, i=i: x[i], found), alone, subject.ulps)


@law(advice="Nothing writes into an array it was given, as NumPy's in-place operations do.")
def arguments_are_left_alone(subject: Subject) -> None:
    """An update leaves gradients, state and parameters as they were."""
    params, (grads, *_) = subject.problem()
    state = subject.tx.init(params)
    before = jax.tree.map(jnp.copy, (grads, state, params))
    subject.step()(grads, state, params)
    same_bits((grads, state, params), before)


LAWS = laws_in(globals())
