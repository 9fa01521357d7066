"""A variational autoencoder of handwritten digits, two latent numbers: AdamW, warmup, clipping, averaging.

python examples/vae.py
python examples/vae.py --epochs 200
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from show import arguments, progress, save, table
from sklearn.datasets import load_digits

import gradchain as gc


class VAE(nnx.Module):
    def __init__(self, latent: int, rngs: nnx.Rngs):
        self.encode = nnx.Sequential(
            nnx.Linear(64, 128, rngs=rngs), nnx.relu, nnx.Linear(128, 2 * latent, rngs=rngs)
        )
        self.decode = nnx.Sequential(
            nnx.Linear(latent, 128, rngs=rngs), nnx.relu, nnx.Linear(128, 64, rngs=rngs)
        )


def loss_fn(model, x, key):
    """(negative evidence bound, (reconstruction, divergence)) in nats an image; x: [batch, 64] in 0..1."""
    mean, log_std = jnp.split(model.encode(x), 2, axis=-1)
    z = mean + jnp.exp(log_std) * jax.random.normal(key, mean.shape)
    reconstruction = jnp.sum(gc.losses.sigmoid_binary_cross_entropy(model.decode(z), x), -1).mean()
    divergence = 0.5 * jnp.sum(mean**2 + jnp.exp(2 * log_std) - 2 * log_std - 1, -1).mean()
    return reconstruction + divergence, (reconstruction, divergence)


@nnx.jit
def train_step(model, optimizer, x, key):
    (loss, parts), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model, x, key)
    optimizer.update(model, grads)
    return loss, *parts


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=80, batch=64, learning_rate=3e-3)
    epochs = 3 if args.short else args.epochs
    x = jnp.asarray(load_digits().data / 16, jnp.float32)
    model, batches = VAE(2, nnx.Rngs(args.seed)), len(x) // args.batch
    rate = gc.warmup_cosine_decay_schedule(0.0, args.learning_rate, batches, epochs * batches)
    chain = gc.chain(gc.clip_by_global_norm(10.0), gc.adamw(rate, weight_decay=0.01, mask="**/kernel"))
    optimizer = nnx.Optimizer(model, gc.average(chain, decay=0.99), wrt=nnx.Param)
    rng, rows = np.random.default_rng(args.seed), []
    keys = jax.random.split(jax.random.key(args.seed), (epochs, batches))
    for epoch in progress(epochs, "training"):
        order = rng.permutation(len(x))[: batches * args.batch].reshape(batches, -1)
        parts = [train_step(model, optimizer, x[at], keys[epoch, i]) for i, at in enumerate(order)]
        rows.append([epoch + 1, *np.mean(jax.device_get(parts), 0).tolist()])
    head = ["epoch", "bound", "reconstruction", "divergence"]
    table("nats an image", head, rows[:: max(1, epochs // 8)])

    graph, params = nnx.split(model, nnx.Param)
    averaged = nnx.merge(graph, gc.eval_params(optimizer.tx, optimizer, params))
    side = jnp.linspace(-2, 2, 12)
    z = jnp.stack(jnp.meshgrid(side, side[::-1]), -1).reshape(-1, 2)
    images = jax.nn.sigmoid(averaged.decode(z)).reshape(12, 12, 8, 8)
    images = jnp.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 1, 3).reshape(120, 120)
    figure, (left, right) = gc.plot.panels(2, across=2, width=9.6, height=4.2)
    history = dict(zip(head, zip(*rows, strict=True), strict=True))
    gc.plot.curves(history, {"nats an image": head[1:]}, x="epoch", ax=left)
    right.imshow(images, cmap="gray_r", extent=(-2, 2, -2, 2))
    right.set(xlabel="first latent number", ylabel="second, decoded with averaged parameters")
    right.grid(visible=False)
    save(figure, args)


if __name__ == "__main__":
    main()
