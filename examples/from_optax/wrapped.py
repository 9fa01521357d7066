"""Lookahead, averages, steps without NaN, Muon and schedule-free AdamW on handwritten digits."""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import gradchain.optax as optax

images, labels = load_digits(return_X_y=True)
images, labels = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
start = {"first": jax.random.normal(jax.random.key(0), (64, 32)) / 8, "second": jnp.zeros((32, 10))}
optimizers = {
    "lookahead": optax.lookahead(optax.adam(1e-2), sync_period=5, slow_step_size=0.5),
    "ema": optax.chain(optax.adam(1e-2), optax.ema(0.5)),
    "apply_if_finite": optax.apply_if_finite(optax.adam(1e-2), max_consecutive_errors=3),
    "muon": optax.contrib.muon(0.1),
    "schedule_free": optax.contrib.schedule_free_adamw(1e-2, warmup_steps=10),
}


def loss_fn(params, x, y):
    logits = jax.nn.relu(x @ params["first"]) @ params["second"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def fit(tx, params, broken_step):
    @jax.jit
    def train_step(params, state, x, y):
        fast = params.fast if isinstance(params, optax.LookaheadParams) else params
        updates, state = tx.update(jax.grad(loss_fn)(fast, x, y), state, params)
        return optax.apply_updates(params, updates), state

    state = tx.init(params)
    for step in range(1, 61):
        rows = jax.random.choice(jax.random.key(step), len(labels), (128,))
        scale = jnp.nan if step == broken_step else 1.0
        params, state = train_step(params, state, scale * images[rows], labels[rows])
    return params, state


for name, tx in optimizers.items():
    params = optax.LookaheadParams.init_synced(start) if name == "lookahead" else start
    params, state = fit(tx, params, 30 if name == "apply_if_finite" else None)
    if name == "schedule_free":
        params = optax.contrib.schedule_free_eval_params(state, params)
    params = params.slow if name == "lookahead" else params
    print(f"{name}: loss {loss_fn(params, images, labels):.4f}")
