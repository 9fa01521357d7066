"""Let the learning rate fall where the validation loss does not, and stop at the third time: digits.

python examples/early_stopping.py
python examples/early_stopping.py --patience 3
"""

import jax
import jax.numpy as jnp
import numpy as np
from show import arguments, console, progress, save, table
from sklearn.datasets import load_digits

import gradchain as gc


def loss_fn(params, x, y):
    hidden = jax.nn.relu(x @ params["hidden"] + params["bias"])
    return jnp.mean(gc.losses.softmax_cross_entropy_with_integer_labels(hidden @ params["out"], y))


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=200, patience=5, learning_rate=0.01, batch=50)
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(args.seed).permutation(len(labels))
    x, y = jnp.asarray(images[order] / 16, jnp.float32), jnp.asarray(labels[order])
    x, held, y, y_held = x[:500], x[500:1000], y[:500], y[500:1000]
    first, second = jax.random.split(jax.random.key(args.seed))
    params = {
        "hidden": jax.random.normal(first, (64, 64)) / 8,
        "bias": jnp.zeros(64),
        "out": jax.random.normal(second, (64, 10)) / 8,
    }
    batches = len(y) // args.batch
    # The loss of an epoch stands for all its steps: accumulation_size averages them to one value.
    plateau = gc.reduce_on_plateau(factor=0.3, patience=args.patience, accumulation_size=batches)
    tx = gc.chain(gc.adam(args.learning_rate), plateau)
    state = tx.init(params)

    @jax.jit
    def train_step(params, state, x, y, value):
        return tx.step(jax.grad(loss_fn)(params, x, y), state, params, value=value)

    judge, rng, rows, best = jax.jit(loss_fn), np.random.default_rng(args.seed), [], (np.inf, 0, params)
    value = judge(params, held, y_held)
    for epoch in progress(10 if args.short else args.epochs, "until the rate has fallen three times"):
        for at in np.array_split(rng.permutation(len(y)), batches):
            params, state = train_step(params, state, x[at], y[at], value)
        value = judge(params, held, y_held)
        scale = float(gc.metrics(state)["plateau_scale"])
        rows.append((epoch + 1, float(judge(params, x, y)), float(value), scale))
        if value < best[0]:
            best = (float(value), epoch + 1, params)
        if scale < 0.3**2.5:
            break
    table(
        "the run",
        ["epoch", "training loss", "validation loss", "scale of the rate"],
        rows[:: max(1, len(rows) // 10)],
    )
    console.print(
        f"stopped after epoch {rows[-1][0]}; best validation loss {best[0]:.4f} after epoch {best[1]}"
    )
    names = ("epoch", "training", "validation", "scale")
    history = dict(zip(names, zip(*rows, strict=True), strict=True))
    panels = {"loss, nats": ["training", "validation"], "scale of the learning rate": "scale"}
    figure = gc.plot.curves(history, panels, x="epoch", log=True)
    figure.axes[0].plot([best[1]], [best[0]], "o", color="gray")
    figure.axes[0].annotate("kept", (best[1], best[0]), (4, 6), textcoords="offset points", color="gray")
    save(figure, args)


if __name__ == "__main__":
    main()
