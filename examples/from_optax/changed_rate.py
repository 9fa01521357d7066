"""A rate that the loop lowers, by `inject_hyperparams`, with gradients of four batches in each step."""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import gradchain.optax as optax

images, labels = load_digits(return_X_y=True)
images, labels = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
params = {"kernel": jnp.zeros((64, 10)), "bias": jnp.zeros(10)}
tx = optax.MultiSteps(optax.inject_hyperparams(optax.adamw)(learning_rate=0.2), every_k_schedule=4)
state = tx.init(params)


@jax.jit
def loss_fn(params, x, y):
    logits = x @ params["kernel"] + params["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


@jax.jit
def train_step(params, state, x, y):
    updates, state = tx.update(jax.grad(loss_fn)(params, x, y), state, params)
    return optax.apply_updates(params, updates), state


best = float("inf")
for epoch in range(1, 7):
    for i in range(0, 1472, 64):
        params, state = train_step(params, state, images[i : i + 64], labels[i : i + 64])
    loss = loss_fn(params, images[1472:], labels[1472:])
    hyperparams = state.inner_opt_state.hyperparams
    print(f"epoch {epoch}, rate {hyperparams['learning_rate']:.4f}: held-out loss {loss:.4f}")
    if loss > 0.95 * best:
        hyperparams["learning_rate"] = hyperparams["learning_rate"] / 2
    best = min(best, float(loss))
print("steps taken:", state.gradient_step)
