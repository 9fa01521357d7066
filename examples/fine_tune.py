"""Pre-train a byte-level transformer on Python, then fine-tune it on English in six ways.

python examples/fine_tune.py
python examples/fine_tune.py --pretraining 1000 --steps 300

All parameters; the head alone; lower rates for earlier layers; one layer after another; decay towards the
pretrained weights; LoRA. The table shows what each trains and keeps, and what it forgets of Python.
"""

import sysconfig

import jax
import jax.numpy as jnp
from compare.problems import language
from show import arguments, fit, save, table

import gradchain as gc

ENGLISH = sysconfig.get_path("stdlib") + "/pydoc_data/topics.py"  # the help texts of the language


def ways(rate: float, steps: int) -> dict[str, gc.Transform]:
    """The optimizers; the paths are embed, blocks/0, blocks/1, norm and head."""
    third = steps // 3
    later = {"embed/**": 2 * third, "blocks/0/**": 2 * third, "blocks/1/**": third}
    return {
        "all parameters": gc.adamw(rate),
        "head alone": gc.chain(gc.freeze(["embed/**", "blocks/**"]), gc.adamw(rate)),
        "layer-wise rates": gc.layerwise_decay(gc.adamw(rate), 0.5),
        "unfrozen in turn": gc.unfreeze(gc.adamw(rate), later),
        "decay to the start": gc.chain(
            gc.scale_by_adam(), gc.add_decay_to_start(0.3), gc.scale_by_learning_rate(rate)
        ),
        "LoRA, rank 4": gc.lora_plus(gc.chain(gc.freeze("base/**"), gc.adamw(rate)), ratio=4),
    }


def adapted(params, key):
    """Two thin matrices beside each matrix of the blocks."""
    found = {}
    for path, x in zip(gc.tree.paths(params), jax.tree.leaves(params), strict=True):
        if path.startswith("blocks/") and x.ndim == 2:
            key, one = jax.random.split(key)
            a = jax.random.normal(one, (x.shape[0], 4)) / x.shape[0] ** 0.5
            found[path] = {"lora_a": a, "lora_b": jnp.zeros((4, x.shape[1]))}
    return {"base": params, "adapters": found}


def merged(params):
    """The base with the products of the adapters added."""

    def one(path, x):
        thin = params["adapters"].get(path)
        return x if thin is None else x + thin["lora_a"] @ thin["lora_b"]

    return gc.tree.map_paths(one, params["base"])


def main(argv: list[str] | None = None) -> None:
    args = arguments(__doc__, argv, pretraining=600, steps=200, learning_rate=1e-3)
    first, steps = (40, 40) if args.short else (args.pretraining, args.steps)
    python, english = language(), language(ENGLISH)
    params = python.init(jax.random.key(args.seed))
    rate = gc.warmup_cosine_decay_schedule(0.0, 5e-3, first // 10, first)
    params, _ = fit(gc.adamw(rate), params, python.loss, python.batch, first, "pre-training", key=args.seed)
    before = float(python.judge(params)), float(english.judge(params))

    rows, curves = [["pretrained", 0, 0, *before]], {}
    for name, tx in ways(args.learning_rate, steps).items():
        start, use = params, lambda p: p
        if name.startswith("LoRA"):
            start, use = adapted(params, jax.random.key(args.seed)), merged
        moments = tx.init(start)["scale_by_adam"].mu
        trained = sum(x.size for x in jax.tree.leaves(moments))
        after, losses = fit(
            tx, start, lambda p, x: english.loss(use(p), x), english.batch, steps, name,  # noqa: B023
            lambda p: english.judge(use(p)), args.seed,  # noqa: B023
        )  # fmt: skip
        curves[name] = [before[1], *map(float, losses)]
        state = gc.describe(tx, start).total_bytes
        rows.append([name, f"{trained:,}", f"{state:,}", float(python.judge(use(after))), curves[name][-1]])
    table(
        "loss on held-out text, nats a byte",
        ["fine-tuned", "trained numbers", "bytes of state", "Python", "English"],
        rows,
    )
    at, unit = "step of fine-tuning", "loss on English, nats a byte"
    runs = {
        name: {at: [steps * i / (len(losses) - 1) for i in range(len(losses))], unit: losses}
        for name, losses in curves.items()
    }
    save(gc.plot.compare(runs, unit, x=at), args)


if __name__ == "__main__":
    main()
