"""Exploding gradients of a recurrent network, with and without clipping: the next byte of Python sources.

python examples/clip_recurrent.py
python examples/clip_recurrent.py --max-norm 0.5 --learning-rate 1.0

A step back in time multiplies the gradient by the recurrent matrix, here with a largest singular value of
about 3. Without clipping one steep place throws the parameters away. `skip` only leaves such steps out.
"""

import jax
import jax.numpy as jnp
from lm import data
from show import arguments, progress, save, table

import gradchain as gc

WIDTH, LENGTH, BATCH = 128, 40, 16


def loss_fn(params, windows):
    """Cross-entropy of the next byte, nats; windows: [BATCH, LENGTH + 1]."""

    def step(h, byte):
        h = jnp.tanh(params["embed"][byte] + h @ params["recurrent"])
        return h, h

    _, hidden = jax.lax.scan(step, jnp.zeros((BATCH, WIDTH)), windows[:, :-1].T)
    logits = hidden @ params["out"]  # [LENGTH, BATCH, 256]
    return jnp.mean(gc.losses.softmax_cross_entropy_with_integer_labels(logits, windows[:, 1:].T))


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, steps=400, max_norm=0.5, learning_rate=1.0)
    steps = 40 if args.short else args.steps
    corpus = data.load(None)
    keys = jax.random.split(jax.random.key(args.seed), 3)
    start = {
        "embed": jax.random.normal(keys[0], (256, WIDTH)),
        "recurrent": 1.5 * jax.random.normal(keys[1], (WIDTH, WIDTH)) / WIDTH**0.5,
        "out": jax.random.normal(keys[2], (WIDTH, 256)) / WIDTH,
    }
    sgd = gc.sgd(args.learning_rate)
    runs = {
        "plain SGD": gc.monitored(sgd),
        "spikes left out": gc.monitored(gc.skip(sgd, spikes=6.0, window=16)),
        f"clipped to {args.max_norm:g}": gc.monitored(gc.chain(gc.clip_by_global_norm(args.max_norm), sgd)),
    }
    losses, norms = {}, {}
    for name, tx in runs.items():

        @jax.jit
        def train_step(params, state, windows, tx=tx):
            loss, grads = jax.value_and_grad(loss_fn)(params, windows)
            return *tx.step(grads, state, params), loss

        params, state = start, tx.init(start)
        losses[name], norms[name] = [], []
        for i in progress(steps, name):
            params, state, loss = train_step(params, state, corpus.batch(args.seed, i, BATCH, LENGTH))
            losses[name].append(float(loss))
            norms[name].append(float(gc.metrics(state)["grad_norm"]))
    rows = [[n, max(norms[n]), sorted(norms[n])[steps // 2], sum(losses[n][-20:]) / 20] for n in runs]
    table(
        "of all steps; loss of the last 20", ["run", "largest norm", "median norm", "loss, nats a byte"], rows
    )
    figure, (left, right) = gc.plot.panels(2, across=2, width=10)
    histories = {name: {"loss, nats a byte": losses[name], "gradient norm": norms[name]} for name in runs}
    gc.plot.compare(histories, "loss, nats a byte", smooth=0.9, ax=left)
    gc.plot.compare(histories, "gradient norm", log=True, ax=right)
    right.axhline(args.max_norm, color="gray", linestyle=":")
    left.set_ylim(2, 12)
    save(figure, args)


if __name__ == "__main__":
    main()
