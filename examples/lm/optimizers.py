"""The optimizer that the flags ask for, as a JSON config that `gradchain.from_config` builds."""

import difflib
import inspect
import json
from typing import Any

from flax import nnx

import gradchain as gc
from gradchain.core.transform import example
from lm import UserError
from lm.files import read_json

EXTRA = ("value", "grad", "value_fn")  # what the training step passes on beside the gradients
DECAYED = "**/kernel"  # matrices, but neither embeddings nor the scales of normalisation
# What suits this model, found by trial; an optimizer that is not here has its own defaults.
SUITS: dict[str, dict[str, Any]] = {
    "adamw": {"learning_rate": 6e-3, "b2": 0.95, "weight_decay": 0.1, "mask": DECAYED},
    "adam": {"learning_rate": 6e-3, "b2": 0.95},
    "adafactor": {"learning_rate": 0.05},
    "lion": {"learning_rate": 3e-3},
    "sgd": {"learning_rate": 0.3, "momentum": 0.9},
}
PEAK = 3e-3  # the learning rate where neither says one


def schedule_configs(peak: float, steps: int, warmup: int) -> dict[str, dict]:
    """The schedules that have a name here, each reaching from the first step to the last."""
    first = float(f"{peak / (warmup + 1):.3g}")  # not zero: the first step is to move too
    start = {"init_value": first, "peak_value": peak, "warmup_steps": warmup}
    cooldown = max(1, steps // 5)
    held = max(0, steps - warmup - cooldown)
    return {
        "warmup_cosine": {"warmup_cosine_decay_schedule": {**start, "decay_steps": max(steps, warmup + 1)}},
        "cosine": {"cosine_decay_schedule": {"init_value": peak, "decay_steps": steps}},
        "linear": {"linear_schedule": {"init_value": peak, "end_value": 0.0, "transition_steps": steps}},
        "wsd": {"wsd_schedule": {**start, "stable_steps": held, "cooldown_steps": cooldown}},
        "inverse_sqrt": {"inverse_sqrt_schedule": {**start, "warmup_steps": max(1, warmup)}},
        "warmup": {"warmup_constant_schedule": start},
        "constant": {"constant_schedule": {"value": peak}},
    }


SCHEDULES = tuple(schedule_configs(1.0, 10, 1))
STORED = tuple(name for name in (*gc.codecs.CODECS, *gc.codecs.SHORT) if name != "float32")


def config(flags) -> dict:
    """The config of the whole: what --config holds, or clipping and --optimizer; then the wrappers."""
    found = flags.config if flags.config is not None else named(flags)
    found = {"monitored": {"tx": found}}  # its norms, for gc.metrics
    if flags.stored:
        found = {"stored": {"tx": found, "codec": flags.stored}}
    if flags.ema:
        found = {"average": {"tx": found, "decay": flags.ema}}
    if flags.skip:
        found = {"skip": {"tx": found}}
    if getattr(flags, "accumulate", 1) > 1:
        found = {"accumulate": {"tx": found, "every": flags.accumulate}}
    return found


def named(flags) -> dict:
    """Clipping, then the optimizer --optimizer with a scheduled learning rate and what --set says."""
    factory = optimizer_factory(flags.optimizer)
    takes = factory.signature.parameters
    hypers = dict(SUITS.get(factory.name, {}))
    if "learning_rate" in takes:
        own = takes["learning_rate"].default
        peak = hypers.get("learning_rate", own if isinstance(own, float | int) else PEAK)
        hypers["learning_rate"] = scheduled(flags, float(peak if flags.lr is None else flags.lr))
    elif flags.lr is not None:
        raise UserError(f"--lr: {factory.name} takes no learning rate; it takes {', '.join(takes)}")
    if flags.weight_decay is not None:
        hypers |= {"weight_decay": flags.weight_decay} | ({"mask": DECAYED} if "mask" in takes else {})
    hypers |= flags.set
    clip = [{"clip_by_global_norm": {"max_norm": flags.clip}}] if flags.clip else []
    return {"chain": [*clip, {factory.name: hypers}]}


def optimizer_factory(name: str) -> Any:
    """The registered optimizer of this name; a near match is suggested where there is none."""
    if name in (found := optimizers()):
        return found[name]
    if name in gc.REGISTRY:
        raise UserError(
            f"--optimizer {name}: is a {gc.REGISTRY[name].kind}, not a whole optimizer; see --list-optimizers"
        )
    near = difflib.get_close_matches(name.lower(), found, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see --list-optimizers"
    raise UserError(f"--optimizer {name}: no such optimizer; {hint}")


def optimizers() -> dict[str, Any]:
    """The registered optimizers that need nothing but a learning rate."""
    return {
        name: factory
        for name, factory in sorted(gc.REGISTRY.items())
        if factory.kind == "optimizer"
        and set(required(factory)) <= {"learning_rate"}
        and any("learning_rate" in argument for argument in factory.signature.parameters)
        and example(name).body.needs <= set(EXTRA)
    }


def required(factory) -> list[str]:
    """The arguments without a default."""
    return [n for n, p in factory.signature.parameters.items() if p.default is inspect.Parameter.empty]


def scheduled(flags, peak: float) -> dict:
    """The learning rate as the config of a schedule; by default a tenth of the steps is warmup."""
    warmup = flags.warmup if flags.warmup is not None else flags.steps // 10
    return schedule_configs(peak, flags.steps, warmup)[flags.schedule]


def build(found: dict) -> gc.Transform:
    """The transform of a config; what is wrong with it as one line."""
    try:
        tx = gc.from_config(found)
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer: {first_line(error)}") from None
    if missing := sorted(tx.body.needs.difference(EXTRA)):
        raise UserError(
            f"optimizer: it needs {', '.join(missing)}, and this example passes {', '.join(EXTRA)} alone"
        )
    return tx


def attach(model: nnx.Module, tx: gc.Transform) -> nnx.Optimizer:
    """The optimizer with its state for the model's parameters."""
    try:
        return nnx.Optimizer(model, tx, wrt=nnx.Param)
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def setting(text: str) -> tuple[str, Any]:
    """One --set NAME=VALUE; the value is JSON, or else a string."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is not NAME=VALUE")
    try:
        return name, read_json(value)
    except json.JSONDecodeError:
        return name, value
