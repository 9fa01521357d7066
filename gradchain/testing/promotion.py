"""Users may switch on JAX's checks against unwanted broadcasting and mixing of dtypes: no transform trips them."""

from __future__ import annotations

import jax

from gradchain.testing.law import law, laws_in
from gradchain.testing.problems import problem
from gradchain.testing.subjects import Subject

DTYPES = ("float32", "bfloat16")


def trace(subject: Subject) -> None:
    """Trace init, update and step, for parameters of 32 and of 16 bits; nothing is compiled."""
    tx = subject.make() if not subject.factory.variadic else subject.tx
    for dtype in DTYPES:
        params, (grads,) = jax.eval_shape(lambda d=dtype: problem(subject.shapes, d, 1))
        state = jax.eval_shape(tx.init, params)
        jax.eval_shape(subject.update(tx), grads, state, params)
        jax.eval_shape(subject.step(tx), grads, state, params)


@law(
    advice="Give arrays the same number of dimensions before they meet: x[..., None], jnp.sum(..., keepdims=True)."
)
def ranks_are_said(subject: Subject) -> None:
    """It can be traced under jax_numpy_rank_promotion="raise"."""
    with jax.numpy_rank_promotion("raise"):
        trace(subject)


@law(
    advice="Cast where dtypes meet, x.astype(y.dtype); make constants in the dtype of an array, jnp.zeros_like."
)
def dtypes_are_said(subject: Subject) -> None:
    """It can be traced under jax_numpy_dtype_promotion="strict"."""
    with jax.numpy_dtype_promotion("strict"):
        trace(subject)


LAWS = laws_in(globals())
