"""Words that people search for, by the page that answers them; the search finds them as tags of the page."""

from __future__ import annotations

import gradchain as gc

PAGES: dict[str, tuple[str, ...]] = {
    "install.md": ("install", "pip", "requirements"),
    "quickstart.md": ("getting started", "first steps", "donate", "donation", "flax", "nnx", "linen"),
    "cheatsheet.md": ("recipes", "how to"),
    "glossary.md": ("hyperparameters", "arguments", "meaning"),
    "stability.md": ("compatibility", "versions", "deprecation", "breaking changes"),
    "guide/choosing.md": ("which optimizer", "recipe", "comparison"),
    "guide/chains.md": ("state", "named state"),
    "guide/hyperparameters.md": (
        "sweep",
        "learning rate finder",
        "inject hyperparameters",
        "schedules",
        "learning rate schedule",
        "tunable",
    ),
    "guide/selection.md": ("freeze", "mask", "partition", "param groups", "parameter groups"),
    "guide/wrappers.md": ("gradient accumulation", "skip nan"),
    "guide/finetuning.md": (
        "fine-tuning",
        "lora",
        "layer-wise learning rate",
        "frozen layers",
        "transfer learning",
    ),
    "guide/compression.md": ("pruning", "quantisation", "quantization", "sparsity"),
    "guide/storage.md": (
        "8-bit",
        "8 bit",
        "8bit adam",
        "mixed precision",
        "bfloat16",
        "low precision",
        "offload",
        "memory",
    ),
    "guide/matrices.md": ("second order", "preconditioner", "hessian"),
    "guide/reading.md": ("logging", "tensorboard", "metrics", "debugging", "grad norm"),
    "guide/checkpoints.md": (
        "checkpoint",
        "orbax",
        "resume",
        "save",
        "load",
        "save state",
        "resume training",
    ),
    "guide/aot.md": ("compile", "ahead of time", "tpu"),
    "guide/algorithm.md": ("custom optimizer", "own algorithm", "kernel"),
    "guide/watching.md": ("tensorboard", "logging", "plot", "wandb", "mlflow", "progress"),
    "guide/tuning.md": ("sweep", "learning rate finder", "hyperparameter search", "tuning"),
    "guide/doctor.md": ("debugging", "nan", "divergence", "doctor"),
    "guide/cli.md": ("command line", "cli", "config"),
    "optax.md": ("optax", "migration"),
    "torch.md": ("pytorch", "torch", "keras", "param groups"),
    "scaling.md": (
        *("sharding", "fsdp", "zero", "distributed", "mesh", "multi-host"),
        *("multi gpu", "tpu pod", "data parallel", "batch size"),
    ),
    "benchmarks.md": ("speed", "performance", "memory"),
    "leaderboard.md": ("comparison", "ranking"),
    "gallery.md": ("plot", "figures", "pictures"),
    "algorithms/lbfgs.md": ("lbfgs", "l-bfgs", "quasi-newton", "line search"),
    "algorithms/average.md": ("ema", "polyak averaging", "swa"),
    "algorithms/accumulate.md": ("gradient accumulation", "microbatching"),
    "algorithms/clip_by_global_norm.md": ("clipping", "gradient clipping", "clip"),
    "algorithms/freeze.md": ("freeze",),
    "algorithms/adamw.md": ("weight decay",),
    "algorithms/add_decayed_weights.md": ("weight decay", "l2", "l2 regularization", "l2 regularisation"),
    "algorithms/scale_by_zoom_linesearch.md": ("line search", "wolfe"),
    "algorithms/scale_by_backtracking_linesearch.md": ("line search", "armijo"),
    "algorithms/sgd.md": ("momentum", "nesterov", "gradient descent"),
    "algorithms/skip.md": ("loss spikes", "skip nan"),
    "algorithms/layerwise_decay.md": ("layer-wise learning rate", "discriminative learning rates"),
    "algorithms/lookahead.md": ("lookahead",),
    "algorithms/stored.md": ("adafactor 8-bit", "8-bit", "quantised state"),
    "algorithms/sam.md": ("sam", "sharpness aware"),
    "algorithms/loss_scale.md": ("mixed precision", "float16", "loss scaling"),
    "algorithms/zero.md": ("fsdp", "zero", "sharding"),
    "schedules/warmup_cosine_decay_schedule.md": ("warmup", "cosine"),
    "schedules/cosine_decay_schedule.md": ("cosine schedule", "cosine annealing"),
    "schedules/wsd_schedule.md": ("warmup stable decay",),
    "losses/smooth_labels.md": ("label smoothing",),
}
# The pages that come before others with the same words.
BOOST = {
    "guide/watching": 6.0,
    "guide/tuning": 6.0,
    "guide/hyperparameters": 10.0,
    "guide/storage": 10.0,
    "guide/checkpoints": 8.0,
    "guide/": 4.0,
    "quickstart.md": 4.0,
    "cheatsheet.md": 3.0,
    "scaling.md": 3.0,
    "optax.md": 2.0,
    "torch.md": 2.0,
    "algorithms/add_decayed_weights": 6.0,
    "algorithms/sam": 4.0,
    "algorithms/skip": 8.0,
    "algorithms/lbfgs": 10.0,
    "algorithms/schedule_free": 1.0,
    "algorithms/stateless": 1.0,
    "algorithms/": 2.0,
    "losses/softmax_cross_entropy": 4.0,
    "losses/smooth_labels": 8.0,
    "schedules/cosine_decay": 6.0,
    "reference/": 0.5,
    "log.md": 0.3,
    "design.md": 0.5,
}


def tags(path: str) -> list[str]:
    """The words of a page: those above, and of an algorithm its name in other spellings."""
    found = list(PAGES.get(path, ()))
    folder, _, file = path.rpartition("/")
    if folder in ("algorithms", "schedules", "losses") and file != "index.md":
        name = file.removesuffix(".md")
        spelt = [name, name.replace("_", "")]
        spelt += [name.replace("_", " ")] if folder != "algorithms" else []
        found += [n for n in dict.fromkeys(spelt) if n not in found]
    return found


def boost(path: str) -> float:
    """How much more a page counts than others; an algorithm more than those whose names begin with its."""
    found = next((x for start, x in BOOST.items() if path.startswith(start)), 1.0)
    name = path.removeprefix("algorithms/").removesuffix(".md")
    longer = sum(n.startswith(name) and n != name for n in gc.REGISTRY) if name in gc.REGISTRY else 0
    return found * (4 + longer) if longer else found
