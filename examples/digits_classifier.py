"""Dense 128-64-10 on handwritten digits: fit, then fine-tune with validation; accuracy, F1, confusion.

python examples/digits_classifier.py
python examples/digits_classifier.py --epochs 5 --learning-rate 0.003
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from show import arguments, progress, save, table
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

import gradchain as gc


def model_of(rngs: nnx.Rngs) -> nnx.Sequential:
    first, second, third = (nnx.Linear(m, n, rngs=rngs) for m, n in ((64, 128), (128, 64), (64, 10)))
    return nnx.Sequential(first, nnx.relu, second, nnx.relu, third)


def loss_fn(model, x, y):
    return jnp.mean(gc.losses.softmax_cross_entropy(model(x), jax.nn.one_hot(y, 10)))


@nnx.jit
def train_step(model, optimizer, x, y):
    loss, grads = nnx.value_and_grad(loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=20, batch=32, learning_rate=1e-3)
    epochs = 3 if args.short else args.epochs
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(args.seed).permutation(len(labels))
    x, y = jnp.asarray(images[order] / 16, jnp.float32), jnp.asarray(labels[order])
    first, second, held = slice(0, 1000), slice(1000, 1400), slice(1400, None)

    model, rng, curves = model_of(nnx.Rngs(args.seed)), np.random.default_rng(args.seed), []
    evaluate = nnx.jit(loss_fn)
    for phase, part, rate in (
        ("fit", first, args.learning_rate),
        ("fine-tune", second, args.learning_rate / 10),
    ):
        optimizer = nnx.Optimizer(model, gc.adam(rate), wrt=nnx.Param)
        for _ in progress(epochs, phase):
            rows = rng.permutation(np.arange(part.start, part.stop))
            for at in np.array_split(rows[: len(rows) // args.batch * args.batch], len(rows) // args.batch):
                train_step(model, optimizer, x[at], y[at])
            seen = float(evaluate(model, x[part], y[part]))
            unseen = float(evaluate(model, x[held], y[held]))
            curves.append({"epoch": len(curves) + 1, "seen in this phase": seen, "held out": unseen})

    found = np.argmax(model(x[held]), 1)
    accuracy, f1 = accuracy_score(y[held], found), f1_score(y[held], found, average="macro")
    table("held out", ["images", "accuracy", "F1, mean over digits"], [[len(found), accuracy, f1]])

    figure, (left, right) = gc.plot.panels(2, across=2, width=9.6, height=4.0)
    shown = {"cross-entropy, nats": ["seen in this phase", "held out"]}
    gc.plot.curves(curves, shown, x="epoch", log=True, ax=left)
    left.axvline(epochs + 0.5, color="gray", linestyle=":")
    left.set_xlabel("epoch; from the line on, fine-tuning on 400 others")
    confusion = confusion_matrix(y[held], found)
    right.imshow(confusion, cmap="Blues", vmax=confusion.max() * 1.4)
    for (i, j), count in np.ndenumerate(confusion):
        if count:
            right.text(j, i, count, ha="center", va="center", fontsize=8)
    right.set(xlabel="found", ylabel="digit", xticks=range(10), yticks=range(10))
    right.grid(visible=False)
    save(figure, args)


if __name__ == "__main__":
    main()
