"""Batches that grow while training, b(t) = b(t - 1) + d, in one compiled program: digits.

python examples/batch_growth.py
python examples/batch_growth.py --steps 300

`accumulate` takes the number of microbatches of a step from a schedule. All runs see as many images.
"""

import jax
import jax.numpy as jnp
from compare.problems import digits
from show import arguments, fit, save, table

import gradchain as gc

MICROBATCH, LOSS = 16, "training loss, nats"


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, steps=600, learning_rate=0.05)
    calls = 60 if args.short else args.steps  # of the gradient, each of 16 images
    problem = digits()

    def batch(key):
        x, y = problem.batch(key)
        return x[:MICROBATCH], y[:MICROBATCH]

    sizes = {
        "16 images": gc.constant_schedule(1),
        "128 images": gc.constant_schedule(8),
        "16, then 16 more every 10 steps": lambda step: 1 + step // 10,
    }
    rows, curves = [], {}
    for name, every in sizes.items():
        tx = gc.accumulate(gc.sgd(args.learning_rate, momentum=0.9), every)
        params = problem.init(jax.random.key(args.seed))
        _, found = fit(tx, params, problem.loss, batch, calls, name, problem.judge, args.seed)
        seen = [calls * MICROBATCH * (i + 1) / len(found) for i in range(len(found))]
        curves[name] = {"images seen": seen, LOSS: [float(x) for x in found]}
        step = used = 0
        while used + int(every(jnp.int32(step))) <= calls:
            used, step = used + int(every(jnp.int32(step))), step + 1
        last = int(every(jnp.int32(max(step - 1, 0)))) * MICROBATCH
        rows.append([name, calls * MICROBATCH, step, last, curves[name][LOSS][-1]])
    table("SGD with momentum", ["batch", "images", "steps", "last batch", "loss, nats"], rows)
    save(gc.plot.compare(curves, LOSS, x="images seen", log=True), args)


if __name__ == "__main__":
    main()
