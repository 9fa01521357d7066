"""Pages of schedules and losses, with their curves."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from docs.pages import docstring, facts, pictures
from docs.pages.algorithm import table
from gradchain import losses

# Arguments of the schedule on each page.
SHOWN: dict[str, str] = {
    "constant_schedule": "gc.constant_schedule(1e-3)",
    "linear_schedule": "gc.linear_schedule(1e-3, 0.0, 1000)",
    "polynomial_schedule": "gc.polynomial_schedule(1e-3, 0.0, power=2, transition_steps=1000)",
    "exponential_decay": "gc.exponential_decay(1e-3, transition_steps=200, decay_rate=0.5)",
    "cosine_decay_schedule": "gc.cosine_decay_schedule(1e-3, decay_steps=1000, alpha=0.1)",
    "staircase_schedule": "gc.staircase_schedule(1.0, increment=1.0, transition_steps=200)",
    "join_schedules": "gc.join_schedules("
    "[gc.linear_schedule(0.0, 1e-3, 200), gc.cosine_decay_schedule(1e-3, 800)], [200])",
    "warmup_constant_schedule": "gc.warmup_constant_schedule(0.0, 1e-3, warmup_steps=200)",
    "warmup_cosine_decay_schedule": "gc.warmup_cosine_decay_schedule("
    "0.0, 1e-3, warmup_steps=100, decay_steps=1000)",
    "warmup_exponential_decay_schedule": "gc.warmup_exponential_decay_schedule("
    "0.0, 1e-3, warmup_steps=100, transition_steps=200, decay_rate=0.5)",
    "wsd_schedule": "gc.wsd_schedule(0.0, 1e-3, warmup_steps=100, stable_steps=600, cooldown_steps=300)",
    "inverse_sqrt_schedule": "gc.inverse_sqrt_schedule(0.0, 1e-3, warmup_steps=100)",
    "sgdr_schedule": "gc.sgdr_schedule([dict(init_value=0.0, peak_value=p, warmup_steps=50, decay_steps=500)"
    " for p in (1e-3, 5e-4)])",
    "piecewise_constant_schedule": "gc.piecewise_constant_schedule(1e-3, {400: 0.5, 800: 0.2})",
    "piecewise_interpolate_schedule": "gc.piecewise_interpolate_schedule("
    '"linear", 1e-3, {400: 0.5, 800: 0.2})',
    "linear_onecycle_schedule": "gc.linear_onecycle_schedule(1000, 1e-3)",
    "cosine_onecycle_schedule": "gc.cosine_onecycle_schedule(1000, 1e-3)",
    "by_samples": "gc.by_samples(gc.cosine_decay_schedule(1e-3, 64_000), batch_size=64)",
    "batch_ramp_schedule": "gc.batch_ramp_schedule(2, 16, ramp_steps=600)",
    "batch_scaled_schedule": "gc.batch_scaled_schedule("
    "gc.constant_schedule(1e-3), gc.batch_ramp_schedule(2, 16, 600), 16)",
    "inverse_time_schedule": "gc.inverse_time_schedule(1e-3, decay_rate=1.0, transition_steps=200)",
    "rex_schedule": "gc.rex_schedule(1e-3, decay_steps=1000)",
    "sigmoid_schedule": "gc.sigmoid_schedule(1e-3, 0.0, 1000)",
    "cyclic_schedule": "gc.cyclic_schedule(1e-4, 1e-3, up_steps=125)",
}
# Curves of the losses of one number: what is drawn, for which targets.
X = np.linspace(-3, 3, 121)
LOSSES: dict[str, tuple[str, list[tuple[str, Callable[[Any], Any]]]]] = {
    "squared_error": ("error", [("", lambda x: gc.squared_error(x))]),
    "l2_loss": ("error", [("", lambda x: gc.l2_loss(x))]),
    "huber_loss": (
        "error",
        [(f"delta = {d:g}", lambda x, d=d: gc.huber_loss(x, delta=d)) for d in (0.5, 1.0)],
    ),
    "log_cosh": ("error", [("", lambda x: gc.log_cosh(x))]),
    "hinge_loss": (
        "output",
        [(f"target {t}", lambda x, t=t: gc.hinge_loss(x, jnp.full_like(x, t))) for t in (1, -1)],
    ),
    "perceptron_loss": (
        "output",
        [(f"target {t}", lambda x, t=t: losses.perceptron_loss(x, jnp.full_like(x, t))) for t in (1, -1)],
    ),
    "sigmoid_binary_cross_entropy": (
        "logit",
        [
            (f"label {t}", lambda x, t=t: gc.sigmoid_binary_cross_entropy(x, jnp.full_like(x, t)))
            for t in (1, 0)
        ],
    ),
    "sigmoid_focal_loss": (
        "logit",
        [
            (f"gamma = {g:g}", lambda x, g=g: gc.sigmoid_focal_loss(x, jnp.ones_like(x), gamma=g))
            for g in (0.0, 2.0)
        ],
    ),
    "sparsemax_loss": (
        "logit",
        [(f"label {t}", lambda x, t=t: losses.sparsemax_loss(x, jnp.full(x.shape, t))) for t in (1, 0)],
    ),
}


def loss_names() -> list[str]:
    """The public losses."""
    return sorted(
        name for name in dir(losses) if getattr(losses, name).__class__ is not type(losses) and name[0] != "_"
    )


def _reference(name: str) -> str:
    """Where the reference explains a loss: by itself, or in its namespace."""
    full = f"gradchain.{name}" if name in gc.__all__ else f"gradchain.losses.{name}"
    return f"In the reference: [`{full}`][{full}]."


def link(name: str) -> str:
    """`name` as a link from a page of schedules or losses."""
    for folder, names in (("schedules", gc.SCHEDULES), ("losses", loss_names()), ("algorithms", gc.REGISTRY)):
        if name in names:
            return f"[`{name}`](../{folder}/{name}.md)"
    return f"[`{name}`][gradchain.{name}]" if name in gc.__all__ else f"`{name}`"


def _first(obj: Any) -> str:
    return (inspect.getdoc(obj) or "").split("\n")[0]


def _arguments(parameters: list[tuple[str, Any]]) -> str:
    rows = [
        (f"`{name}`", "" if default is inspect.Parameter.empty else f"`{facts.short(default)}`")
        for name, default in parameters
    ]
    return table(("argument", "default"), rows)


def schedule(name: str) -> str:
    """The page of a schedule."""
    made = gc.SCHEDULES[name]
    fields = dataclasses.fields(made)
    parameters = [
        (f.name, inspect.Parameter.empty if f.default is dataclasses.MISSING else f.default) for f in fields
    ]
    doc = inspect.getdoc(made) or ""
    shown = SHOWN.get(name)
    parts = [
        f"# {name}",
        '<p class="gc-kind">schedule</p>',
        docstring.markdown(doc, [f.name for f in fields], link),
        f"In the reference: [`gradchain.{name}`][gradchain.{name}].",
    ]
    if shown:
        curve = eval(shown, {"gc": gc})
        steps = np.arange(0, 1201, 5)
        values = [float(v) for v in jax.vmap(curve)(jnp.asarray(steps))]
        drawn = pictures.curve(
            f"{name} over 1200 steps", "step", "value", [("", list(map(float, steps)), values)]
        )
        code = shown if len(shown) < 78 else shown.replace("_schedule(", "_schedule(\n    ", 1)[:-1] + ",\n)"
        parts += [
            f'<figure class="gc-figure" markdown="span">{docstring.mark(drawn)}</figure>',
            "## Try it\n\n```python\nimport gradchain as gc\n\n"
            f"schedule = {code}\nprint([float(schedule(step)) for step in (0, 100, 1000)])\n"
            "tx = gc.adamw(schedule)\n```",
        ]
    parts += ["## Arguments\n\n" + _arguments(parameters)]
    return "\n\n".join(parts) + "\n"


def loss(name: str) -> str:
    """The page of a loss."""
    function = getattr(losses, name)
    signature = inspect.signature(function)
    parameters = [(n, p.default) for n, p in signature.parameters.items()]
    doc = inspect.getdoc(function) or ""
    parts = [
        f"# {name}",
        '<p class="gc-kind">loss</p>',
        docstring.markdown(doc, [n for n, _ in parameters], link),
        _reference(name),
        "## Arguments\n\n" + _arguments(parameters),
    ]
    if name in LOSSES:
        across, curves = LOSSES[name]
        lines = [(label, list(X), [float(v) for v in f(jnp.asarray(X))]) for label, f in curves]
        drawn = pictures.curve(f"{name} of one number", across, "loss", lines)
        parts.insert(4, f'<figure class="gc-figure" markdown="span">{docstring.mark(drawn)}</figure>')
    return "\n\n".join(parts) + "\n"
