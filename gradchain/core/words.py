"""Words of error messages: values shortened and made printable, and the names that were meant."""

from __future__ import annotations

import difflib
import itertools
import math
import reprlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

LIMIT = 120  # characters of a value in a message


def plain(text: str, limit: int = LIMIT) -> str:
    """Text in one printable line of at most `limit` characters: escape codes and line ends are spelt out."""
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxdict, self.maxstring, self.maxother = 4, 6, 80, 2 * LIMIT

    def repr1(self, x: Any, level: int) -> str:
        """One value, without reading more of it than is shown."""
        if isinstance(x, Tracer):
            return f"a traced {x.dtype}{list(x.shape)}"
        if isinstance(x, jax.Array | np.ndarray):
            small = x.size <= 4 and getattr(x, "is_fully_addressable", True)
            return repr(x) if small else f"{x.dtype}{list(x.shape)}"
        if callable(x) and hasattr(x, "__qualname__"):
            return f"<{'class' if isinstance(x, type) else 'function'} {x.__qualname__.rpartition('.')[2]}>"
        return super().repr1(x, level)

    def repr_int(self, x: int, level: int) -> str:
        """Python refuses to print numbers of more than 4,300 digits."""
        bits = x.bit_length()
        return repr(x) if bits < 128 else f"a whole number of {int(bits * math.log10(2)) + 1} digits"

    def repr_dict(self, x: dict, level: int) -> str:
        """In its own order, without sorting all of it."""
        if level <= 0:
            return "{...}"
        shown = [
            f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}"
            for k, v in itertools.islice(x.items(), self.maxdict)
        ]
        return "{" + ", ".join(shown + ["..."] * (len(x) > self.maxdict)) + "}"


_SHORT = _Short()


def show(value: Any, limit: int = LIMIT) -> str:
    """A value as a message repeats it: short, in one printable line, whatever it holds; arrays by shape."""
    return plain(_SHORT.repr(value), limit)


def near(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """What was meant: the names near to one that is not known, or all of them where none is near."""
    known = list(known)
    found = difflib.get_close_matches(name[:LIMIT], known, 3, cutoff)
    return " or ".join(found) if found else ""


# How other libraries call the arguments: PyTorch, Keras, Hugging Face's trainer, older versions of Optax.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "step_size"),
    "step_size": ("learning_rate",),
    "learning_rate": ("step_size",),
    "betas": ("b1", "b2"),
    **dict.fromkeys(("beta1", "beta_1", "adam_beta1"), ("b1", "beta", "decay")),
    **dict.fromkeys(("beta2", "beta_2", "adam_beta2"), ("b2",)),
    "momentum": ("decay", "b1", "beta"),
    "beta": ("b1", "decay"),
    **dict.fromkeys(("epsilon", "adam_epsilon", "eps_hat"), ("eps",)),
    "eps": ("epsilon",),
    **dict.fromkeys(("wd", "l2", "weight_decay_rate"), ("weight_decay", "strength")),
    "alpha": ("decay", "b2", "slow_step_size", "strength"),
    "rho": ("decay", "b2"),
    "gamma": ("decay", "decay_rate"),
    "lambd": ("strength",),
    "lambda_": ("strength",),
    "dampening": ("decay",),
    "k": ("sync_period", "every"),
    "clip_threshold": ("clipping_threshold",),
    "scale_parameter": ("multiply_by_parameter_scale",),
    **dict.fromkeys(("max_grad_norm", "clip_norm", "clipnorm"), ("max_norm",)),
    **dict.fromkeys(("clip_value", "clipvalue"), ("max_delta",)),
    **dict.fromkeys(("use_nesterov",), ("nesterov",)),
    **dict.fromkeys(("ns_coefficients", "coefficients"), ("ns_coeffs",)),
    **dict.fromkeys(("labels", "param_groups"), ("param_labels",)),
    **dict.fromkeys(("gradient_accumulation_steps", "accumulation_steps"), ("every", "every_k_schedule")),
    **dict.fromkeys(("optimizer", "opt", "base_optimizer", "tx", "inner"), ("tx", "inner", "opt")),
    **dict.fromkeys(("weight_decay_mask", "mask_fn"), ("mask",)),
    **dict.fromkeys(("state_dtype", "dtype", "momentum_dtype"), ("mu_dtype", "accumulator_dtype")),
}
# What is no argument here, and what does it instead.
ELSEWHERE: dict[str, str] = {
    "params": "the parameters go to tx.init(params)",
    "amsgrad": "that is amsgrad(learning_rate)",
    "maximize": "negate the loss",
    "decoupled_weight_decay": "adamw decays so, adam not",
    **dict.fromkeys(
        ("clipnorm", "global_clipnorm", "clip_norm", "max_grad_norm", "gradient_clip_norm"),
        "write chain(clip_by_global_norm(1.0), ...)",
    ),
    **dict.fromkeys(("clipvalue", "clip_value"), "write chain(clip(1.0), ...)"),
    **dict.fromkeys(("use_ema", "ema_momentum"), "write average(tx, decay=...)"),
    **dict.fromkeys(("foreach", "fused", "capturable", "differentiable", "jit_compile"), "leave it out"),
    **dict.fromkeys(("momentum_decay", "initial_decay"), "leave it out, or give b1 a schedule"),
    **dict.fromkeys(
        ("lr_decay", "warmup_init", "relative_step", "schedule"), "give learning_rate a schedule"
    ),
    "weight_decay": "write chain(..., add_decayed_weights(0.1), ...), or use an optimizer that has it",
    "nesterov": "see trace, sgd, adam, nadam",
    "gradient_accumulation_steps": "write accumulate(tx, every=...)",
}


def meant(name: str, known: Iterable[str]) -> str:
    """What to write instead of an argument that is not known: its name here, or what does the same."""
    known = list(known)
    if names := [n for n in OTHER_NAMES.get(name, ()) if n in known]:
        several = name == "betas"
        return f"here it is {' and '.join(names)}" if several else f"here it is {names[0]}"
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    if found := near(name, known):
        return f"did you mean {found}?"
    return f"it takes {', '.join(known)}" if known else "it takes no arguments"
