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
        return super().repr1(getattr(x, "recipe", x), level)  # of a transform one line

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


def listed(names: list[str]) -> str:
    """Names in a sentence: 'a', 'b' and 'c'."""
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last


def near(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """What was meant: the names near to one that is not known, or all of them where none is near."""
    known = list(known)
    found = difflib.get_close_matches(name[:LIMIT], known, 3, cutoff)
    return " or ".join(found) if found else ""


# How other libraries call the arguments: PyTorch, Keras, Hugging Face's trainer, older versions of Optax.
OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate", "step_size"),
    "step_size": ("learning_rate", "transition_steps"),
    "learning_rate": ("step_size",),
    "betas": ("b1", "b2"),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("min_step_size", "max_step_size"),
    **dict.fromkeys(("beta1", "beta_1", "adam_beta1"), ("b1", "beta", "decay")),
    **dict.fromkeys(("beta2", "beta_2", "adam_beta2"), ("b2",)),
    "adam_beta_1": ("adam_b1", "b1"),
    "adam_beta_2": ("adam_b2", "b2"),
    "adam_lr_ratio": ("adam_learning_rate",),
    "rms_rate": ("consistent_rms",),
    "momentum": ("decay", "b1", "beta"),
    "beta": ("b1", "decay"),
    **dict.fromkeys(("epsilon", "epsilon_1", "adam_epsilon", "eps_hat"), ("eps",)),
    "eps": ("epsilon",),
    **dict.fromkeys(("wd", "l2", "weight_decay_rate"), ("weight_decay", "strength")),
    "alpha": ("decay", "b2", "slow_step_size", "strength"),
    "rho": ("decay", "b2"),
    "gamma": ("decay", "decay_rate"),
    "lambd": ("strength",),
    "lambda_": ("strength",),
    "dampening": ("decay",),
    "k": ("sync_period", "every"),
    "d": ("clipping_threshold",),
    "clip_threshold": ("clipping_threshold",),
    "scale_parameter": ("multiply_by_parameter_scale",),
    "correct_bias": ("bias_correction",),
    "history_size": ("memory_size",),
    "line_search_fn": ("linesearch",),
    "max_iter": ("max_linesearch_steps",),
    "initial_scale": ("init_scale",),
    "dynamic_growth_steps": ("growth_interval",),
    "optimizer_map": ("transforms",),
    **dict.fromkeys(("max_grad_norm", "clip_norm", "clipnorm"), ("max_norm",)),
    **dict.fromkeys(("clip_value", "clipvalue"), ("max_delta",)),
    **dict.fromkeys(("use_nesterov",), ("nesterov",)),
    **dict.fromkeys(("ns_coefficients", "coefficients"), ("ns_coeffs",)),
    **dict.fromkeys(("labels", "param_groups"), ("param_labels",)),
    **dict.fromkeys(("gradient_accumulation_steps", "accumulation_steps"), ("every", "every_k_schedule")),
    **dict.fromkeys(
        ("optimizer", "opt", "base_optimizer", "inner_optimizer", "tx", "inner"), ("tx", "inner", "opt")
    ),
    **dict.fromkeys(("weight_decay_mask", "mask_fn"), ("mask",)),
    **dict.fromkeys(("state_dtype", "dtype", "momentum_dtype"), ("mu_dtype", "accumulator_dtype")),
    # Of schedules.
    **dict.fromkeys(("base_lr", "initial_lr", "initial_learning_rate", "value"), ("init_value", "value")),
    **dict.fromkeys(("max_lr", "warmup_target"), ("peak_value",)),
    **dict.fromkeys(("swa_lr", "end_learning_rate", "final_lr", "lr_end"), ("end_value",)),
    **dict.fromkeys(("T_max", "num_training_steps"), ("decay_steps", "transition_steps")),
    **dict.fromkeys(("total_iters", "total_steps", "decay_steps"), ("transition_steps", "decay_steps")),
    "num_warmup_steps": ("warmup_steps",),
    "milestones": ("boundaries", "boundaries_and_scales"),
    "schedulers": ("schedules",),
    "start_factor": ("init_value",),
    "end_factor": ("end_value",),
}
SEVERAL = ("betas", "etas", "step_sizes")  # one argument there, two here
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
    "ema_overwrite_frequency": "write average(tx, decay=...), which eval_params(tx, state, params) reads",
    "loss_scale_factor": "write loss_scale(tx)",
    "name": "write named_chain((name, tx))",
    **dict.fromkeys(
        ("foreach", "fused", "capturable", "differentiable", "jit_compile", "run_eagerly"), "leave it out"
    ),
    "no_deprecation_warning": "leave it out",
    **dict.fromkeys(("momentum_decay", "initial_decay"), "leave it out, or give b1 a schedule"),
    **dict.fromkeys(
        (
            "lr_decay",
            "warmup_init",
            "relative_step",
            "schedule",
            "warmup_steps",
            "decay",
            "learning_rate_power",
        ),
        "give learning_rate a schedule",
    ),
    "weight_decay": "write chain(..., add_decayed_weights(0.1), ...), or use an optimizer that has it",
    "nesterov": "see trace, sgd, adam, nadam",
    "momentum": "see trace, sgd, rmsprop, muon",
    "dampening": "momentum with dampening is an average: ema(decay, debias=False)",
    "centered": "see scale_by_stddev, rmsprop",
    "gradient_accumulation_steps": "write accumulate(tx, every=...)",
    **dict.fromkeys(("rho",), "see rmsprop, adadelta"),
    "lambd": "write chain(add_decayed_weights(0.0001), ...)",
    **dict.fromkeys(("t0", "alpha"), "write average(tx, decay=None, start=...)"),
    **dict.fromkeys(("max_iter", "max_eval"), "one call is one step: call it in a loop"),
    **dict.fromkeys(
        ("tolerance_grad", "tolerance_change"), "end the loop where global_norm(grads) or the change is small"
    ),
    **dict.fromkeys(("beta2_decay", "beta_2_decay"), "here it is decay_rate, with the other sign"),
    **dict.fromkeys(("eps", "epsilon"), "leave it out: there is no division to keep from 0"),
    "epsilon_2": "leave it out: parameters count as of size 1e-3 at least",
    "adjust_lr_fn": "'match_rms_adamw' is consistent_rms=0.2",
    "initial_accumulator_value": "see adagrad, scale_by_rss",
    "l1_regularization_strength": "write chain(..., proximal_l1(strength))",
    **dict.fromkeys(
        ("l2_regularization_strength", "l2_shrinkage_regularization_strength"),
        "write chain(add_decayed_weights(strength), ...)",
    ),
    **dict.fromkeys(("exclude_layers", "exclude_embeddings"), "muon_mask says which parameters it acts on"),
    **dict.fromkeys(("muon_a", "muon_b", "muon_c"), "here they are ns_coeffs=(a, b, c)"),
    "default_optimizer": "the last pattern is for the rest: {..., '**': label}",
    # Of schedules.
    "optimizer": "an optimizer takes a schedule as its learning_rate",
    "last_epoch": "leave it out: the count is in the state",
    "lr_lambda": "a function of the step is a schedule",
    **dict.fromkeys(("eta_min", "min_lr"), "here it is alpha, a fraction of init_value, or end_value"),
    **dict.fromkeys(("T_0", "T_mult", "first_decay_steps", "t_mul", "m_mul"), "see sgdr_schedule"),
    **dict.fromkeys(("cycle_momentum", "base_momentum", "max_momentum"), "give b1 a schedule"),
    "anneal_strategy": "see linear_onecycle_schedule, cosine_onecycle_schedule",
    **dict.fromkeys(("epochs", "steps_per_epoch"), "schedules count steps: transition_steps"),
    "cycle": "see sgdr_schedule",
    "factor": "write init_value as the value itself",
    "values": "boundaries_and_scales has factors: {step: value / the value before}",
}


def meant(name: str, known: Iterable[str]) -> str:
    """What to write instead of an argument that is not known: its name here, or what does the same."""
    known = list(known)
    if names := [n for n in OTHER_NAMES.get(name, ()) if n in known]:
        return f"here it is {' and '.join(names)}" if name in SEVERAL else f"here it is {names[0]}"
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    if found := near(name, known):
        return f"did you mean {found}?"
    return f"it takes {', '.join(known)}" if known else "it takes no arguments"
