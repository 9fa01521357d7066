"""JAX may be set to promote neither ranks nor dtypes by itself: no transform leans on it."""

from __future__ import annotations

import jax

from gradchain.core.hyper import tunable
from gradchain.core.transform import Transform
from gradchain.testing import problems
from gradchain.testing.law import law, laws_in
from gradchain.testing.subjects import Subject

SHAPES = {**problems.SHAPES, "stack": problems.array(2, 4, 3)}


def trace(subject: Subject, tx: Transform, dtype: str) -> None:
    """Trace init, update and step; nothing is compiled."""
    params = problems.random(subject.shapes or SHAPES, dtype)
    state = jax.eval_shape(tx.init, params)
    jax.eval_shape(subject.update(tx), params, state, params)
    jax.eval_shape(subject.step(tx), params, state, params)


def traces(subject: Subject) -> None:
    """Trace it for 32 and 16 bits, and with its hyperparameters in the state."""
    trace(subject, subject.tx, "float32")
    trace(subject, subject.tx, "bfloat16")
    if constants := subject.hypers:
        trace(subject, subject.make(**{k: tunable(v) for k, v in constants.items()}), "bfloat16")


@law(advice="Give arrays one number of dimensions before they meet: x[..., None], jnp.sum(x, keepdims=True).")
def ranks_are_said(subject: Subject) -> None:
    """It can be traced under jax_numpy_rank_promotion="raise"."""
    with jax.numpy_rank_promotion("raise"):
        traces(subject)


@law(advice="Cast where dtypes meet, x.astype(y.dtype), and make constants by jnp.zeros_like and its kin.")
def dtypes_are_said(subject: Subject) -> None:
    """It can be traced under jax_numpy_dtype_promotion="strict"."""
    with jax.numpy_dtype_promotion("strict"):
        traces(subject)


LAWS = laws_in(globals())
