"""A hyperparameter is a number, an array, a schedule or tunable: said in any way, the same update."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from gradchain.core.hyper import tunable
from gradchain.core.transform import Transform
from gradchain.testing.compare import near
from gradchain.testing.derivatives import matrix
from gradchain.testing.law import law, laws_in, once, tuned
from gradchain.testing.problems import problem
from gradchain.testing.subjects import Subject

# In float64 an operand is the number itself, so that only the order of arithmetic is left to differ; in
# float32, 1 - b2 is 1.3e-5 off where b2 is an operand.
ULPS = 4096  # of float64: 1e-12
OPERAND = (
    "A hyperparameter may be a traced array: compute with it by jnp, never branch on it in Python, and let "
    "the factory's body depend on nothing but its arguments."
)


def updates_of(subject: Subject, tx: Transform, steps: int = 3) -> list:
    """The updates of some steps, the parameters standing still."""
    params, grads = problem(matrix(subject), "float64", steps)
    state, found = tx.init(params), []
    for g in grads:
        u, state = subject.update(tx)(g, state, params)
        found.append(u)
    return found


def arrays(values) -> dict[str, jax.Array]:
    """Hyperparameters as arrays."""
    return {k: jnp.asarray(float(v)) for k, v in values.items()}


@law(advice=OPERAND, when=tuned)
def constant_in_other_words(subject: Subject) -> None:
    """A number, an array, a constant schedule and a tunable of one value give the same updates."""
    words = {
        "an array": lambda v: jnp.asarray(float(v)),
        "a schedule": lambda v: lambda count: jnp.asarray(float(v)),
        "tunable": tunable,
    }
    with jax.enable_x64(True):
        expected = updates_of(subject, subject.tx)
        for word, say in words.items():
            found = updates_of(subject, subject.make(**{k: say(v) for k, v in subject.hypers.items()}))
            near({word: found}, {word: expected}, ULPS)


@law(advice=OPERAND, when=tuned)
def schedule_is_followed(subject: Subject) -> None:
    """A schedule that changes after the first step is two constants, one after the other.

    Whole numbers, such as the period of a wrapper, may follow a clock of their own.
    """
    ranges = subject.factory.ranges
    constants = {k: v for k, v in subject.hypers.items() if not ranges[k].integer}
    later = {k: v for k, v in subject.nudged.items() if k in constants}

    def schedule(first, then):
        return lambda count: jnp.where(count == 0, float(first), float(then))

    with jax.enable_x64(True):
        found = updates_of(subject, subject.make(**{k: schedule(v, later[k]) for k, v in constants.items()}))
        params, grads = problem(matrix(subject), "float64")
        state, expected = subject.tx.init(params), []
        for tx, g in zip([subject.tx, *[subject.make(**later)] * (len(grads) - 1)], grads, strict=True):
            u, state = subject.update(tx)(g, state, params)
            expected.append(u)
        near(found, expected, ULPS)


@law(advice=OPERAND, when=tuned, dear=True)
def new_values_compile_nothing(subject: Subject) -> None:
    """An array is an operand: other values run the program that is there."""
    with jax.enable_x64(True):
        params, (grads,) = problem(matrix(subject), "float64", 1)

        @jax.jit
        def first_step(values, params, grads):
            tx = subject.make(**values)
            return subject.update(tx)(grads, tx.init(params), params)[0]

        for values in (subject.hypers, subject.nudged):
            (expected,) = updates_of(subject, subject.make(**values), 1)
            near(first_step(arrays(values), params, grads), expected, ULPS)
        once(first_step)


@law(advice=OPERAND, when=tuned, dear=True)
def vmapped_over_hyperparameters(subject: Subject) -> None:
    """Several values train at once, each as it would alone."""
    with jax.enable_x64(True):
        params, grads = problem(matrix(subject), "float64", 2)

        def train(values):
            return subject.run(params, grads, subject.make(**values))[0]

        both = {k: jnp.asarray([float(v), float(subject.nudged[k])]) for k, v in subject.hypers.items()}
        found = jax.jit(jax.vmap(train))(both)
        for i in range(2):
            expected = train({k: v[i] for k, v in both.items()})
            near(jax.tree.map(lambda x, i=i: x[i], found), expected, ULPS)


LAWS = laws_in(globals())
