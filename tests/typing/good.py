"""A user's program: strict pyright has nothing to say about it."""

# pyright: strict

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc

if TYPE_CHECKING:
    from flax import nnx

Params = dict[str, jax.Array]


def loss_fn(params: Params) -> jax.Array:
    return jnp.sum(jnp.square(params["w"] - 1.0))


def warmup(step: jax.Array) -> jax.Array:
    return jnp.minimum(step / 100, 1.0) * 1e-3


def make(rate: gc.typing.Hyper, mask: gc.typing.Selection = "**/kernel") -> gc.Transform:
    """Numbers, arrays, schedules and tunables alike."""
    return gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(rate, b1=np.float32(0.9), mask=mask))


def train(params: Params, model: "nnx.Module") -> gc.Params:
    rates: list[gc.typing.Hyper] = [1, 1e-3, jnp.float32(1e-3), np.float32(0.1), gc.tunable(0.1), warmup]
    rates.append(gc.cosine_decay_schedule(0.1, decay_steps=100))
    chains = [gc.sgd(lambda step: 0.1), *map(make, rates)]
    tx: gc.Transform = gc.accumulate(gc.chain(*chains, gc.identity()), every=4)
    print(
        gc.describe(tx, params).total_bytes,
        gc.adam(0.1, mu_dtype=jnp.bfloat16),
        gc.adam(0.1, mu_dtype="bfloat16"),
    )
    state: gc.OptState = tx.init(params)
    value, grads = jax.value_and_grad(loss_fn)(params)  # pyright: ignore[reportUnknownMemberType]  # JAX's
    params, state = tx.step(grads, state, params)
    updates, state = tx.update(grads, state, params, value=value)
    params = gc.apply_updates(params, updates)
    print(gc.metrics(state), gc.hyperparams(state), gc.from_config(gc.to_config(tx)) == tx)
    gc.partition({"a": gc.sgd(0.1), "b": gc.freeze("**")}, {"**/bias": "a", "**": "b"})
    groups = gc.named_chain(("decay", gc.add_decayed_weights(0.1)), ("rest", gc.stored(tx, "log8")))
    print(groups.replace().args, gc.eval_params(tx, state, params), tx == groups, list(gc.search("adam")))
    print(
        gc.muon(0.02, ns_coeffs="cans").optax,
        {tx: hash(tx)},
        gc.set_hyperparams(tx, state, learning_rate=0.1),
    )
    print(nnx.Optimizer(model, gc.muon(0.02), wrt=nnx.Param))  # pyright: ignore[reportUnknownMemberType]  # Flax's
    return params
