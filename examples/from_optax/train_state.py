"""Flax's TrainState: AdamW with warm-up, a cosine and clipped gradients on handwritten digits."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits

import gradchain.optax as optax

images, labels = load_digits(return_X_y=True)
images, labels = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)
model = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(10)])
schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-2, warmup_steps=20, decay_steps=200)
tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=1e-3))
params = model.init(jax.random.key(0), images[:1])
state = TrainState.create(apply_fn=model.apply, params=params, tx=tx)


@jax.jit
def train_step(state, x, y):
    def loss_fn(params):
        logits = state.apply_fn(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    return state.apply_gradients(grads=grads), loss


for step in range(1, 201):
    rows = jax.random.choice(jax.random.key(step), len(labels), (128,))
    state, loss = train_step(state, images[rows], labels[rows])
    if step % 50 == 0:
        print(f"step {step}: loss {loss:.4f}")
