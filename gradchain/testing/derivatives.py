"""A step can be differentiated: no NaN from a root or a division at zero (google-deepmind/optax#882)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gradchain.testing.compare import finite
from gradchain.testing.law import law, laws_in, tuned
from gradchain.testing.problems import array, problem, random
from gradchain.testing.subjects import Subject

SAFE = (
    "Take roots with gc.numerics.safe_sqrt and divide with safe_divide, whose derivatives are finite at 0. "
    "What can have no derivative declares the trait 'no_derivative'."
)


def matrix(subject: Subject):
    """The shape of one leaf, in a tree."""
    return {"kernel": subject.shape_pair[0] if subject.shapes is not None else array(4, 3)}


@law(advice=SAFE, unless=("no_derivative",), dear=True)
def derivative_of_two_steps(subject: Subject) -> None:
    """Reverse mode, with respect to the parameters: from some gradients, none, and those of a loss."""
    params, grads = problem(matrix(subject), steps=2)
    params = jax.tree.map(lambda p: p.at[(0,) * p.ndim].set(0), params)  # the minimum of the loss |p|^2 / 2

    def end(params, grads, of_loss):
        after, state = params, subject.tx.init(params)
        for g in grads:
            # One program for all three: where its own gradient is taken, it is the parameter.
            g = jax.tree.map(lambda g, p: jnp.where(of_loss, p, g), g, after)
            after, state = subject.step()(g, state, after)
        return sum(jnp.sum(jnp.sin(x)) for x in jax.tree.leaves(after))

    slope = jax.jit(jax.grad(end))
    zeros = jax.tree.map(jnp.zeros_like, grads)
    for what, given, of_loss in [("some", grads, False), ("zero", zeros, False), ("its loss's", zeros, True)]:
        finite(slope(params, given, of_loss), f"with {what} gradients, the derivative")


@law(advice=SAFE, unless=("no_derivative",), dear=True)
def tangent_of_a_step(subject: Subject) -> None:
    """Forward mode, with respect to the gradients, at some and at none."""
    params, grads = problem(matrix(subject), steps=1)
    state = subject.tx.init(params)
    do = jax.jit(lambda g: jax.jvp(lambda g: subject.step()(g, state, params)[0], (g,), (g,)))
    finite(do(grads[0]), "the (step, tangent)")
    finite(do(jax.tree.map(jnp.zeros_like, grads[0])), "at zero gradients, the (step, tangent)")


@law(advice=SAFE, unless=("no_derivative",), when=tuned, dear=True)
def derivative_by_hyperparameters(subject: Subject) -> None:
    """Reverse mode through two steps, with respect to every hyperparameter."""
    with jax.enable_x64(True):
        shapes = matrix(subject)
        params = random(shapes, "float64")
        grads = [random(shapes, "float64", 1 + i) for i in range(2)]

        def end(values):
            after, _ = subject.run(params, grads, subject.make(**values))
            return sum(jnp.sum(jnp.cos(x)) for x in jax.tree.leaves(after))

        given = {k: jnp.asarray(float(v)) for k, v in subject.hypers.items()}
        finite(jax.jit(jax.grad(end))(given), "the derivative with respect to")


LAWS = laws_in(globals())
