"""Dense 10-1 with a sigmoid by Adam at 1e-3, in a training loop of one's own: tumours, benign or not.

python examples/breast_cancer.py
python examples/breast_cancer.py --epochs 10
"""

import jax
import jax.numpy as jnp
import numpy as np
from show import arguments, progress, save, table
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, f1_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import gradchain as gc


def logits_of(params, x):
    hidden = jax.nn.relu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    return (hidden @ params["out"]["kernel"] + params["out"]["bias"])[:, 0]


def loss_fn(params, x, y):
    return jnp.mean(gc.losses.sigmoid_binary_cross_entropy(logits_of(params, x), y))


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, epochs=60, batch=32, learning_rate=1e-3)
    x, y = load_breast_cancer(return_X_y=True)
    x, x_held, y, y_held = train_test_split(x, y, test_size=0.3, random_state=args.seed, stratify=y)
    scaler = StandardScaler().fit(x)
    x, x_held = (jnp.asarray(scaler.transform(part), jnp.float32) for part in (x, x_held))
    y = jnp.asarray(y, jnp.float32)
    first, second = jax.random.split(jax.random.key(args.seed))
    params = {
        "hidden": {"kernel": jax.random.normal(first, (30, 10)) * 30**-0.5, "bias": jnp.zeros(10)},
        "out": {"kernel": jax.random.normal(second, (10, 1)) * 10**-0.5, "bias": jnp.zeros(1)},
    }
    tx = gc.adam(args.learning_rate)
    state = tx.init(params)

    @jax.jit
    def train_step(params, state, x, y):
        loss, grads = jax.value_and_grad(loss_fn)(params, x, y)
        updates, state = tx.update(grads, state, params)
        return gc.apply_updates(params, updates), state, loss

    rng, curve = np.random.default_rng(args.seed), []
    for _ in progress(5 if args.short else args.epochs, "training"):
        for at in np.array_split(rng.permutation(len(y)), -(-len(y) // args.batch)):
            params, state, _ = train_step(params, state, x[at], y[at])
        chance = np.asarray(jax.nn.sigmoid(logits_of(params, x_held)), np.float64)
        losses = {"trained on": float(loss_fn(params, x, y)), "held out": log_loss(y_held, chance)}
        curve.append({"epoch": len(curve) + 1, **losses})

    found = chance > 0.5
    rows = [[len(found), accuracy_score(y_held, found), f1_score(y_held, found), curve[-1]["held out"]]]
    table("held out", ["tumours", "accuracy", "F1", "log loss, nats"], rows)
    save(gc.plot.curves(curve, {"log loss, nats": ["trained on", "held out"]}, x="epoch"), args)


if __name__ == "__main__":
    main()
