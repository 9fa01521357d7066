"""Search the built site for words as users type them: the page that answers comes first."""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

SEARCHES = {  # what is typed -> the pages of which one must come first
    "lbfgs": ("algorithms/lbfgs/",),
    "sweep": ("guide/tuning/", "guide/hyperparameters/", "cheatsheet/"),
    "tensorboard": ("guide/watching/", "guide/reading/"),
    "logging": ("guide/watching/", "guide/reading/"),
    "ema": ("algorithms/ema/", "algorithms/average/", "guide/wrappers/"),
    "learning rate finder": ("guide/tuning/", "guide/hyperparameters/"),
    "warmup": ("schedules/warmup_cosine_decay_schedule/", "guide/hyperparameters/", "cheatsheet/"),
    "freeze": ("algorithms/freeze/", "guide/selection/"),
    "plot": ("guide/watching/", "gallery/"),
    "gradient accumulation": ("algorithms/accumulate/", "guide/wrappers/"),
    "mixed precision": ("guide/storage/", "algorithms/loss_scale/"),
    "sharding": ("scaling/", "reference/sharding/", "algorithms/zero/"),
    "fsdp": ("scaling/", "algorithms/zero/"),
    "checkpoint": ("guide/checkpoints/",),
    "weight decay": ("algorithms/adamw/", "algorithms/add_decayed_weights/"),
    "clipping": ("algorithms/clip_by_global_norm/",),
    "adafactor 8-bit": ("algorithms/stored/", "guide/storage/"),
    "muon": ("algorithms/muon/",),
    "lookahead": ("algorithms/lookahead/",),
    "sam": ("algorithms/sam/",),
    "quantisation": ("guide/compression/", "guide/storage/"),
    "adamw": ("algorithms/adamw/",),
    "pytorch": ("torch/",),
    "adam": ("algorithms/adam/",),
    "sgd": ("algorithms/sgd/",),
    "shampoo": ("algorithms/shampoo/",),
    "momentum": ("algorithms/sgd/", "algorithms/trace/"),
    "schedule free": ("algorithms/schedule_free/",),
    "learning rate schedule": ("guide/hyperparameters/", "cheatsheet/"),
    "cosine schedule": ("schedules/cosine_decay_schedule/",),
    "onecycle": ("schedules/linear_onecycle_schedule/", "schedules/cosine_onecycle_schedule/"),
    "gradient clipping": ("algorithms/clip_by_global_norm/",),
    "l2 regularization": ("algorithms/add_decayed_weights/",),
    "weight averaging": ("algorithms/average/",),
    "lora": ("guide/finetuning/", "algorithms/lora_plus/"),
    "layer-wise learning rate": ("guide/finetuning/", "algorithms/layerwise_decay/"),
    "frozen layers": ("guide/finetuning/", "guide/selection/"),
    "param groups": ("guide/selection/", "torch/"),
    "multi gpu": ("scaling/",),
    "tpu pod": ("scaling/",),
    "batch size": ("scaling/", "schedules/batch_scaled_schedule/"),
    "save state": ("guide/checkpoints/",),
    "resume training": ("guide/checkpoints/",),
    "bfloat16": ("guide/storage/",),
    "8bit adam": ("guide/storage/", "algorithms/stored/"),
    "memory": ("guide/storage/",),
    "nan": ("guide/doctor/", "guide/wrappers/", "algorithms/skip/"),
    "loss spikes": ("algorithms/skip/", "guide/doctor/"),
    "line search": ("algorithms/lbfgs/", "algorithms/scale_by_zoom_linesearch/"),
    "hessian": ("guide/matrices/",),
    "cross entropy": ("losses/softmax_cross_entropy/", "losses/softmax_cross_entropy_with_integer_labels/"),
    "label smoothing": ("losses/smooth_labels/",),
    "custom optimizer": ("guide/algorithm/",),
    "hyperparameter search": ("guide/tuning/",),
    "wandb": ("guide/watching/",),
    "pruning": ("guide/compression/",),
    "accumulate gradients": ("algorithms/accumulate/", "guide/wrappers/"),
    "flax": ("quickstart/",),
    "optax": ("optax/",),
    "inject_hyperparams": ("reference/hyperparameters/", "guide/hyperparameters/"),
    "donate": ("quickstart/",),
}


async def searches(browser: Any, root: str) -> AsyncIterator[str]:
    """The searches whose first result is not the page that answers."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    for words, wanted in SEARCHES.items():
        await page.goto(f"{root}?q={urllib.parse.quote(words)}", wait_until="load")
        result = page.locator(".md-search-result__item a").first
        try:
            await result.wait_for(state="attached", timeout=20_000)
            found = (
                (await result.get_attribute("href") or "")
                .removeprefix(root)
                .partition("?")[0]
                .partition("#")[0]
            )
        except Exception:
            found = "nothing"
        found = urllib.parse.urlparse(found).path.lstrip("/")
        if found not in wanted:
            yield f"search for {words!r} finds {found!r} first; expected {' or '.join(wanted)}"
