"""Make a trained byte-level transformer smaller: pruning, 2 of 4, a grid of 16 levels, a smaller pupil.

python examples/compress.py
python examples/compress.py --pretraining 1500 --steps 500

Pruned and quantised ones go on from the trained parameters, with the same rate as one that goes on without
either. The pupil learns the teacher's probabilities; beside it one of its size learns from text alone.
"""

import jax
import jax.numpy as jnp
from compare.problems import SIZES, language, transformer
from lm.model import ModelConfig
from show import arguments, fit, save, table

import gradchain as gc

BLOCKS = "blocks/**"  # the matrices within the layers


def kilobytes(params, bits: int = 32, index: int = 0) -> float:
    """In the layers' matrices `bits` for each number and `index` for where one that is not 0 stands."""
    total = 0.0
    for path, x in zip(gc.tree.paths(params), jax.tree.leaves(params), strict=True):
        if not (x.ndim == 2 and path.startswith("blocks/")):
            total += 4 * x.size
        elif index:
            total += int((x != 0).sum()) * (bits + index) / 8
        else:
            total += x.size * bits / 8 + (4 * x.shape[1] if bits < 32 else 0)  # and a size for each output
    return total / 1000


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, pretraining=800, steps=400, learning_rate=2e-3)
    first, steps = (40, 40) if args.short else (args.pretraining, args.steps)
    problem = language()
    _, teach = transformer(SIZES)
    rate = gc.warmup_cosine_decay_schedule(0.0, 5e-3, first // 10, first)
    start = problem.init(jax.random.key(args.seed))
    trained, _ = fit(gc.adamw(rate), start, problem.loss, problem.batch, first, "training", key=args.seed)
    adam = gc.adam(gc.linear_schedule(args.learning_rate, 0.0, steps))
    share = gc.cubic_sparsity(0.75, steps=steps // 2)
    ways = {
        "trained on": (adam, {}),
        "75 % pruned": (gc.chain(adam, gc.prune_by_magnitude(share, every=10, mask=BLOCKS)), {"index": 16}),
        "2 of 4": (gc.chain(adam, gc.prune_n_of_m(2, 4, mask=BLOCKS)), {"index": 2}),
        "16 levels": (gc.parq(adam, 16, steps=steps * 3 // 4, mask=BLOCKS), {"bits": 4}),
        "3 levels": (gc.parq(adam, 3, steps=steps * 3 // 4, mask=BLOCKS), {"bits": 2}),
    }
    rows, curves = [["trained", kilobytes(trained), float(problem.judge(trained))]], {}
    for name, (tx, form) in ways.items():
        smaller, found = fit(
            tx, trained, problem.loss, problem.batch, steps, name, problem.judge, args.seed + 1
        )
        curves[name] = found
        rows.append([name, kilobytes(smaller, **form), float(problem.judge(smaller))])

    sizes = ModelConfig(layers=1, width=32, heads=2)
    pupil, (_, learn) = language(sizes=sizes), transformer(sizes)

    def distil(params, windows):
        """Cross-entropy against the teacher's probabilities and against the next byte, half each."""
        goal = jax.nn.softmax(teach(trained, windows[:, :-1]))
        soft = gc.losses.softmax_cross_entropy(learn(params, windows[:, :-1]), goal)
        return 0.5 * jnp.mean(soft) + 0.5 * pupil.loss(params, windows)

    for name, loss in (("pupil of the teacher", distil), ("pupil of the text", pupil.loss)):
        small, found = fit(
            gc.adamw(rate), pupil.init(jax.random.key(args.seed)), loss, pupil.batch, first, name,
            pupil.judge, args.seed,
        )  # fmt: skip
        curves[name] = found
        rows.append([name, kilobytes(small), float(pupil.judge(small))])
    table("byte-level transformer, held-out text", ["model", "kB", "loss, nats a byte"], rows)

    figure, (left, right) = gc.plot.panels(2, across=2, width=10)
    part, unit = "part of its training, %", "loss, nats a byte"
    runs = {
        name: {part: [100 * (i + 1) / len(losses) for i in range(len(losses))], unit: losses}
        for name, losses in curves.items()
    }
    gc.plot.compare(runs, unit, x=part, log=True, ax=left)
    for name, kb, loss in rows:
        right.plot([kb], [loss], "o")
        right.annotate(name, (kb, loss), xytext=(5, 4), textcoords="offset points", fontsize=8, color="gray")
    right.set(xlabel="kB", ylabel=unit)
    right.margins(x=0.25)
    save(figure, args)


if __name__ == "__main__":
    main()
