"""The functions for users also run where JAX is set to promote neither dtypes nor ranks."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc

X = {"a": jnp.ones((3, 2)), "b": jnp.ones(2, jnp.bfloat16), "c": jnp.ones(())}
CALLS = {
    "norm": lambda: [gc.tree.norm(X, ord) for ord in (None, 1, jnp.inf)],
    "sum": lambda: gc.tree.sum(X),
    "update_moment": lambda: gc.update_moment(X, X, 0.9, 2),
    "per element": lambda: [gc.update_moment_per_elem_norm(X, X, 0.9, order) for order in (1, 2, 3, 1.5)],
    "infinity": lambda: gc.update_infinity_moment(X, X, 0.9, 1e-3),
    "bias_correction": lambda: [gc.bias_correction(X, 0.9, t) for t in (3, jnp.int32(3))],
    "incremental_update": lambda: [gc.incremental_update(X, X, rate) for rate in (0.1, jnp.float32(0.1))],
    "periodic_update": lambda: gc.periodic_update(X, X, jnp.int32(3), 3),
    "random_like": lambda: gc.tree.random_like(jax.random.key(0), X),
    "safe_norm": lambda: [gc.safe_norm(X["a"], 0.1, axis=axis) for axis in (None, 0, 1)],
    "scale_gradient": lambda: [
        jax.grad(lambda x, s=s: jnp.sum(gc.scale_gradient(x, s)))(X["b"]) for s in (0.5, 2, jnp.float32(0.5))
    ],
    "multi_normal": lambda: gc.multi_normal(jnp.ones(3), jnp.ones(3)).log_prob(
        gc.multi_normal(jnp.ones(3), jnp.ones(3)).sample((2,), jax.random.key(0))
    ),
    "microbatch": lambda: [
        gc.microbatch(lambda x: x.sum(0), 0, 2, kind, num_real_microbatches=2)(jnp.ones((8, 3), jnp.bfloat16))
        for kind in gc.microbatching.AccumulationType
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_without_promotion(name):
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert gc.tree.all_finite(CALLS[name]())
