"""L1, L2, decoupled decay and dropout on 150 handwritten digits: less fit, better digits.

python examples/regularisation.py
python examples/regularisation.py --images 300 --steps 1000
"""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from show import arguments, progress, save, table
from sklearn.datasets import load_digits

import gradchain as gc

RATE = 1e-3
MATRICES = "**/kernel"
RULES = {  # name: (optimizer, share of hidden numbers that dropout leaves out)
    "none": (gc.adam(RATE), 0.0),
    "L2, in the gradient": (gc.chain(gc.add_decayed_weights(1e-3, MATRICES), gc.adam(RATE)), 0.0),
    "decoupled decay": (gc.adamw(RATE, weight_decay=1.0, mask=MATRICES), 0.0),
    "L1, subgradient": (gc.chain(gc.add_l1(3e-4, MATRICES), gc.adam(RATE)), 0.0),
    "L1, proximal": (gc.chain(gc.adam(RATE), gc.proximal_l1(RATE * 0.1, MATRICES)), 0.0),
    "dropout": (gc.adam(RATE), 0.5),
}


class Model(nnx.Module):
    def __init__(self, drop: float, rngs: nnx.Rngs):
        self.hidden, self.out = nnx.Linear(64, 256, rngs=rngs), nnx.Linear(256, 10, rngs=rngs)
        self.dropout = nnx.Dropout(drop, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(nnx.relu(self.hidden(x))))


def loss_fn(model, x, y):
    return jnp.mean(gc.losses.softmax_cross_entropy_with_integer_labels(model(x), y))


@nnx.jit
def train_step(model, optimizer, x, y):
    loss, grads = nnx.value_and_grad(loss_fn)(model, x, y)
    optimizer.update(model, grads)
    return loss


@nnx.jit
def judge(model, x, y):
    logits = model(x)
    return loss_fn(model, x, y), jnp.mean(jnp.argmax(logits, 1) == y)


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, images=150, steps=600)
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(args.seed).permutation(len(labels))
    x, y = jnp.asarray(images[order] / 16, jnp.float32), jnp.asarray(labels[order])
    seen, held = slice(0, args.images), slice(args.images, None)

    rows, curves = [], {}
    for name, (tx, drop) in RULES.items():
        model = Model(drop, nnx.Rngs(args.seed))
        optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
        curves[name] = []
        for step in progress(40 if args.short else args.steps, name):
            model.train()
            train_step(model, optimizer, x[seen], y[seen])
            if step % 10 == 9:
                model.eval()
                curves[name].append(float(judge(model, x[held], y[held])[0]))
        model.eval()
        (fit, _), (loss, accuracy) = judge(model, x[seen], y[seen]), judge(model, x[held], y[held])
        kernels = [model.hidden.kernel[...], model.out.kernel[...]]
        zeros = sum(int((k == 0).sum()) for k in kernels) / sum(k.size for k in kernels)
        rows.append([name, float(fit), float(loss), f"{float(accuracy):.1%}", f"{zeros:.0%}"])
    head = ["rule", "loss on them", "loss on others", "accuracy on others", "exact zeros"]
    table(f"trained on {args.images} digits", head, rows)
    unit = "loss on other digits, nats"
    runs = {
        name: {"step": range(10, 10 * len(losses) + 1, 10), unit: losses} for name, losses in curves.items()
    }
    save(gc.plot.compare(runs, unit, log=True), args)


if __name__ == "__main__":
    main()
