"""Keras 3's fit with an optimizer of gradchain: digits, a schedule, callbacks, saving, loading, going on.

python examples/keras_fit.py
python examples/keras_fit.py --epochs 10 --learning-rate 0.01
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # before the first import of keras

import jax
import keras
import numpy as np
from show import arguments, console, save, table
from sklearn.datasets import load_digits

import gradchain as gc


class Progress(keras.callbacks.Callback):
    """A row for each epoch: what Keras measured, and what the optimizer's state says."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        found = gc.metrics(self.model.optimizer.state)
        opt = {"gradient norm": float(found["grad_norm"]), "learning rate": float(found["learning_rate"])}
        self.rows.append({"epoch": epoch + 1, **logs, **opt})


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=30, batch=50, learning_rate=3e-3)
    epochs = 3 if args.short else args.epochs
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(args.seed).permutation(len(labels))
    x, y = images[order].astype("float32") / 16, labels[order].astype("int32")
    x, held, y, y_held = x[:1200], x[1200:], y[:1200], y[1200:]

    steps = epochs * -(-len(y) // args.batch)
    rate = gc.warmup_cosine_decay_schedule(0.0, args.learning_rate, steps // 10, steps)
    chain = gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(rate, weight_decay=0.01, mask="**/kernel"))
    keras.utils.set_random_seed(args.seed)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((64,)), dense(128, "relu"), dense(64, "relu"), dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(gc.keras(gc.monitored(chain)), loss, metrics=["accuracy"])
    progress = Progress()
    stop = keras.callbacks.EarlyStopping("val_loss", patience=10)
    model.fit(x, y, args.batch, epochs, 0, [progress, stop], validation_data=(held, y_held))
    rows, head = (
        progress.rows,
        ("epoch", "loss", "val_loss", "val_accuracy", "gradient norm", "learning rate"),
    )
    shown = [*rows[: -1 : max(1, len(rows) // 8)], rows[-1]]
    table("each epoch", head, [[row[name] for name in head] for row in shown])

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "keras_fit.keras"
    model.save(path)  # the optimizer and its state, too
    gc.keras()  # in a new process: makes the optimizer's class known to Keras
    loaded = keras.saving.load_model(path)
    pairs = zip(*(jax.tree.leaves(m.optimizer.state) for m in (model, loaded)), strict=True)
    same = all(np.array_equal(one, other) for one, other in pairs)
    count = int(gc.metrics(loaded.optimizer.state)["step"])
    console.print(f"saved and loaded: step {count:,}, state {'the same' if same else 'NOT the same'}")
    on = []
    for one in (model, loaded):
        keras.utils.set_random_seed(args.seed)  # the order of the images
        on.append(one.fit(x, y, args.batch, 1, 0).history["loss"][0])
    console.print(f"one more epoch, loss: {on[0]:.6f} as it was, {on[1]:.6f} as it was loaded")

    panels = {"loss, nats": ["loss", "val_loss"], "accuracy": ["accuracy", "val_accuracy"]}
    panels |= {name: name for name in head[-2:]}
    save(gc.plot.curves(rows, panels, x="epoch"), args)


if __name__ == "__main__":
    main()
