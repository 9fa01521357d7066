"""Minimise theta^2 in four ways and draw their paths: descent, clipped, with momentum, Adam.

python examples/theta_squared.py
python examples/theta_squared.py --steps 200 --start 50
"""

import jax
import jax.numpy as jnp
from show import arguments, console, progress, save, table

import gradchain as gc

RULES = {
    "gradient descent": gc.sgd(0.01),
    "clipped to norm 0.5": gc.chain(gc.clip_by_global_norm(0.5), gc.sgd(0.01)),
    "momentum 0.5": gc.sgd(0.01, momentum=0.5),
    "Adam": gc.adam(0.01),
}


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, steps=1000, start=5.0)
    steps = 100 if args.short else args.steps
    loss_fn = lambda theta: jnp.square(theta)  # noqa: E731
    losses = {}
    for name, tx in RULES.items():
        theta = jnp.float32(args.start)
        state = tx.init(theta)

        @jax.jit
        def step(theta, state, tx=tx):
            loss, grad = jax.value_and_grad(loss_fn)(theta)
            return *tx.step(grad, state, theta), loss

        losses[name] = []
        for _ in progress(steps, name):
            theta, state, loss = step(theta, state)
            losses[name].append(float(loss))

    every = max(1, steps // 10)
    rows = [[i, *(losses[name][i] for name in RULES)] for i in range(0, steps, every)]
    table("theta^2 before the step", ["step", *RULES], rows)

    runs = {name: {"|theta|": [x**0.5 for x in losses[name]], "theta²": losses[name]} for name in RULES}
    save(gc.plot.compare(runs, log="theta²"), args)
    console.print("Each takes steps of its own size: of the gradient, of at most 0.005, of 0.01 at first.")


if __name__ == "__main__":
    main()
