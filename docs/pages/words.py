"""Words that people search for, by the page that answers them; the search finds them as tags of the page."""

from __future__ import annotations

import gradchain as gc

PAGES: dict[str, tuple[str, ...]] = {
    "install.md": ("install", "pip", "requirements"),
    "quickstart.md": ("getting started", "first steps"),
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
        "tunable",
    ),
    "guide/selection.md": ("freeze", "mask", "partition", "param groups", "parameter groups"),
    "guide/wrappers.md": ("gradient accumulation", "skip nan"),
    "guide/finetuning.md": ("fine-tuning", "lora"),
    "guide/compression.md": ("pruning", "quantisation", "quantization", "sparsity"),
    "guide/storage.md": (
        "8-bit",
        "8 bit",
        "mixed precision",
        "bfloat16",
        "low precision",
        "offload",
        "memory",
    ),
    "guide/matrices.md": ("second order", "preconditioner"),
    "guide/reading.md": ("logging", "tensorboard", "metrics", "debugging", "grad norm"),
    "guide/checkpoints.md": ("checkpoint", "orbax", "resume", "save", "load"),
    "guide/aot.md": ("compile", "ahead of time", "tpu"),
    "guide/algorithm.md": ("custom optimizer", "own algorithm", "kernel"),
    "guide/watching.md": ("tensorboard", "logging", "plot", "wandb", "mlflow", "progress"),
    "guide/tuning.md": ("sweep", "learning rate finder", "hyperparameter search", "tuning"),
    "guide/doctor.md": ("debugging", "nan", "divergence", "doctor"),
    "guide/cli.md": ("command line", "cli", "config"),
    "optax.md": ("optax", "migration"),
    "torch.md": ("pytorch", "torch", "keras", "param groups"),
    "scaling.md": ("sharding", "fsdp", "zero", "distributed", "mesh", "multi-host"),
    "benchmarks.md": ("speed", "performance", "memory"),
    "leaderboard.md": ("comparison", "ranking"),
    "gallery.md": ("plot", "figures", "pictures"),
    "algorithms/lbfgs.md": ("lbfgs", "l-bfgs", "quasi-newton"),
    "algorithms/average.md": ("ema", "polyak averaging", "swa"),
    "algorithms/accumulate.md": ("gradient accumulation", "microbatching"),
    "algorithms/clip_by_global_norm.md": ("clipping", "gradient clipping", "clip"),
    "algorithms/freeze.md": ("freeze",),
    "algorithms/adamw.md": ("weight decay",),
    "algorithms/add_decayed_weights.md": ("weight decay", "l2"),
    "algorithms/stored.md": ("adafactor 8-bit", "8-bit", "quantised state"),
    "algorithms/sam.md": ("sam", "sharpness aware"),
    "algorithms/loss_scale.md": ("mixed precision", "float16", "loss scaling"),
    "algorithms/zero.md": ("fsdp", "zero", "sharding"),
    "schedules/warmup_cosine_decay_schedule.md": ("warmup", "cosine"),
    "schedules/wsd_schedule.md": ("warmup stable decay",),
}
# The pages that come before others with the same words.
BOOST = {
    "guide/watching": 6.0,
    "guide/tuning": 6.0,
    "guide/": 4.0,
    "quickstart.md": 4.0,
    "cheatsheet.md": 3.0,
    "scaling.md": 3.0,
    "optax.md": 2.0,
    "torch.md": 2.0,
    "algorithms/": 2.0,
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
        found += [n for n in dict.fromkeys((name, name.replace("_", ""))) if n not in found]
    return found


def boost(path: str) -> float:
    """How much more a page counts than others; an algorithm more than those whose names begin with its."""
    found = next((x for start, x in BOOST.items() if path.startswith(start)), 1.0)
    name = path.removeprefix("algorithms/").removesuffix(".md")
    longer = name in gc.REGISTRY and any(n.startswith(name) and n != name for n in gc.REGISTRY)
    return 4 * found if longer else found
