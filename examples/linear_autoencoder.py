"""Linear 10-20-10 by SGD at 0.01 for 1,000 epochs: ten measurements of 442 patients from themselves.

python examples/linear_autoencoder.py
python examples/linear_autoencoder.py --epochs 200 --learning-rate 0.1
"""

import jax.numpy as jnp
from flax import nnx
from show import arguments, progress, save, table
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

import gradchain as gc


def loss_fn(model, x):
    return jnp.mean(gc.losses.squared_error(model(x), x))


@nnx.jit
def train_step(model, optimizer, x):
    loss, grads = nnx.value_and_grad(loss_fn)(model, x)
    optimizer.update(model, grads)
    return loss, gc.metrics(optimizer)["grad_norm"]


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=1000, learning_rate=0.01)
    x = jnp.asarray(StandardScaler().fit_transform(load_diabetes(scaled=False).data), jnp.float32)
    rngs = nnx.Rngs(args.seed)
    model = nnx.Sequential(nnx.Linear(10, 20, rngs=rngs), nnx.Linear(20, 10, rngs=rngs))
    optimizer = nnx.Optimizer(model, gc.monitored(gc.sgd(args.learning_rate)), wrt=nnx.Param)
    losses, norms = [], []
    for _ in progress(50 if args.short else args.epochs, "training"):
        loss, norm = train_step(model, optimizer, x)
        losses.append(float(loss))
        norms.append(float(norm))

    every = max(1, len(losses) // 8)
    rows = [[i, losses[i], norms[i]] for i in range(0, len(losses), every)]
    table("each epoch is one step over all patients", ["epoch", "mean squared error", "gradient norm"], rows)
    history = {"mean squared error, variances": losses, "gradient norm": norms}
    save(gc.plot.curves({"epoch": range(len(losses)), **history}, [*history], x="epoch", log=True), args)


if __name__ == "__main__":
    main()
