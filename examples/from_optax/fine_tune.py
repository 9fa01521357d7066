"""Fine-tuning: `multi_transform` and `set_to_zero` keep the first layer as it is, the head is new."""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import gradchain.optax as optax

images, labels = load_digits(return_X_y=True)
images, labels = jnp.asarray(images / 16, jnp.float32), jnp.asarray(labels)


def loss_fn(params, x, y):
    hidden = jax.nn.relu(x @ params["backbone"]["kernel"] + params["backbone"]["bias"])
    logits = hidden @ params["head"]["kernel"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def fit(tx, params, x, y):
    @jax.jit
    def step(params, state):
        loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state, loss

    state = tx.init(params)
    for i in range(1, 101):
        params, state, loss = step(params, state)
        if i % 50 == 0:
            print(f"step {i}: loss {loss:.4f}")
    return params, state


backbone = {"kernel": jax.random.normal(jax.random.key(0), (64, 32)) / 8, "bias": jnp.zeros(32)}
pretrained = {"backbone": backbone, "head": {"kernel": jnp.zeros((32, 5))}}
few = labels < 5
pretrained, _ = fit(optax.adam(1e-2), pretrained, images[few], labels[few])

names = {"backbone": "frozen", "head": "trained"}
tx = optax.multi_transform({"frozen": optax.set_to_zero(), "trained": optax.adam(3e-2)}, names)
params = {**pretrained, "head": {"kernel": jnp.zeros((32, 5))}}
params, state = fit(tx, params, images[~few], labels[~few] - 5)
print("the backbone has moved by", optax.tree.norm(optax.tree.sub(params, pretrained)["backbone"]))
