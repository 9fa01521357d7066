"""recipe: a chain to begin with for a model, its data and its batch, each number with the reason for it."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.leaves import is_floating
from gradchain.core.slots import default_axes
from gradchain.core.transform import Transform
from gradchain.rules.adaptive.adam import adamw
from gradchain.rules.matrix.groups import LOOKED_UP
from gradchain.rules.matrix.muon import muon
from gradchain.rules.parts.clipping import clip_by_global_norm
from gradchain.schedules import wsd_schedule

PyTree = Any
PARAMETERS, TOKENS = (6e7, 1e9), (2e9, 1e11)  # that the law for the learning rate was fitted on
B2, B2_BATCH = 0.95, 2**19  # of AdamW at half a million tokens a step, arXiv:2005.14165 and many after it


@dataclasses.dataclass(frozen=True, repr=False)
class Suggestion:
    """A chain with the reasons for its numbers; it prints as code to copy and to change."""

    tx: Transform
    lines: tuple[tuple[str, str], ...]  # code, and why
    notes: tuple[str, ...]  # what the numbers were made of

    @property
    def code(self) -> str:
        """An expression that makes `tx`, after `import gradchain as gc`."""
        return "\n".join(code for code, _ in self.lines)

    def __repr__(self) -> str:
        width = max(len(code) for code, _ in self.lines)
        body = [f"{code.ljust(width)}  # {why}" if why else code for code, why in self.lines]
        return "\n".join([*(f"# {note}" for note in self.notes), *body])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def recipe(
    params: PyTree, *, tokens: float, batch: float, algorithm: Literal["adamw", "muon"] = "adamw"
) -> Suggestion:
    """A chain for pretraining a language model by published scaling rules: `.tx`; printed, with the reasons.

    n = parameters beside embeddings and heads, steps = tokens / batch
    rate = 1.79 n^-0.713 tokens^0.307 at a batch of 0.58 tokens^0.571, arXiv:2503.04715; below that batch
    times sqrt(batch / it), arXiv:2205.10287
    weight_decay = batch / (rate tokens tau), tau = 1.084 (tokens / n)^-0.527, arXiv:2505.13738
    b2: of the half-life in tokens that 0.95 has at 2^19 tokens a step, arXiv:2507.07101
    warmup: 2 / (1 - b2) steps, arXiv:1910.04209, a hundredth to a tenth of the run; then a line to 0,
    arXiv:2502.15938
    `params` may be abstract. `batch` is in tokens. "muon" takes AdamW's rate and decay, arXiv:2502.16982.
    n and tokens are clamped to what the first law was fitted on, 6e7 to 1e9 and 2e9 to 1e11, but for n above:
    there the rate falls on, as the law says. The notes say so. A start for a sweep, no more.
    """
    if algorithm not in ("adamw", "muon"):
        raise ValueError(f"recipe: algorithm is {words.show(algorithm)}; expected 'adamw' or 'muon'")
    for name, value in (("tokens", tokens), ("batch", batch)):
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:
            raise ValueError(f"recipe: {name} is {words.show(value)}; expected a number of tokens above 0")
    tokens, batch = float(tokens), float(batch)
    steps = round(tokens / batch)
    if steps < 10:
        raise ValueError(
            f"recipe: {tokens:g} tokens in batches of {batch:g} are {steps} steps; expected 10 or more"
        )
    n, decaying = _read(params)
    size, length = max(n, PARAMETERS[0]), min(max(tokens, TOKENS[0]), TOKENS[1])
    best = 0.58 * length**0.571
    rate = _round(1.79 * size**-0.713 * length**0.307 * min(1.0, math.sqrt(batch / best)))
    tau = 1.084 * (length / size) ** -0.527
    decay = _round(batch / (rate * length * tau))
    b2 = min(max(_ones(B2 ** (batch / B2_BATCH)), 0.9), 0.9999)
    warmup = min(max(round(2 / (1 - b2)), steps // 100), steps // 10)
    schedule = wsd_schedule(0.0, rate, warmup, 0, steps - warmup, cooldown="linear")
    head = "gc.adamw" if algorithm == "adamw" else "gc.muon"
    shared = {"weight_decay": decay, "mask": decaying}
    why = {
        "weight_decay": f"averages weights over {tau * length:.2g} tokens: arXiv:2505.13738",
        "mask": "matrices decay; scales and biases do not",
        "b2": f"half-life in tokens of {B2:g} at {B2_BATCH:,} a step: arXiv:2507.07101",
        "adam_b2": f"half-life in tokens of {B2:g} at {B2_BATCH:,} a step: arXiv:2507.07101",
        "consistent_rms": "updates as large as AdamW's, for its rate and decay: arXiv:2502.16982",
        "adam_weight_decay": "the same for embeddings and heads",
    }
    if algorithm == "adamw":
        made, given = adamw(schedule, b2=b2, **shared), {"b2": b2, **shared}
    else:
        given = {"consistent_rms": 0.2, "adam_b2": b2, **shared, "adam_weight_decay": decay}
        made = muon(schedule, **given)
    clamped = f" at n {size:.3g}, tokens {length:.3g}" if (size, length) != (n, tokens) else ""
    ramp = "warmup: arXiv:1910.04209; in a line to 0: arXiv:2502.15938"
    lines = [
        ("gc.chain(", ""),
        ("    gc.clip_by_global_norm(1.0),", "against rare large gradients: arXiv:2005.14165"),
        (f"    {head}(", ""),
        ("        gc.wsd_schedule(", ramp),
        ("            init_value=0.0,", ""),
        (f"            peak_value={rate!r},", f"1.79 n^-0.713 tokens^0.307{clamped}: arXiv:2503.04715"),
        (f"            warmup_steps={warmup!r},", ""),
        ("            stable_steps=0,", "steps at the full rate, if the run may be prolonged"),
        (f"            cooldown_steps={steps - warmup!r},", ""),
        ('            cooldown="linear",', ""),
        ("        ),", ""),
        *((f"        {name}={value!r},", why[name]) for name, value in given.items()),
        ("    ),", ""),
        (")", ""),
    ]
    return Suggestion(chain(clip_by_global_norm(1.0), made), tuple(lines), _notes(n, tokens, batch, best))


def _read(params: PyTree) -> tuple[int, list[str]]:
    """The parameters beside embeddings and heads, and a selection of what decays: whatever is a matrix."""
    leaves = [
        (path, x)
        for path, x in zip(tree.paths(params), jax.tree.leaves(params), strict=True)
        if is_floating(x)
    ]
    inner = sum(math.prod(x.shape) for path, x in leaves if not LOOKED_UP.search(path.lower()))
    if not inner:
        raise ValueError(
            "recipe: no parameters beside embeddings and heads, by the names in their paths; expected the "
            "parameters of a model, as arrays or as jax.ShapeDtypeStruct"
        )
    decays = {path: _is_matrix(path, x.shape) for path, x in leaves}
    return inner, _selection(decays)


def _is_matrix(path: str, shape: Sequence[int]) -> bool:
    axes = default_axes(path, tuple(shape))
    return bool(axes.rows and axes.cols)


def _selection(chosen: Mapping[str, bool]) -> list[str]:
    """Globs for these paths: by the last name in them where that tells them from the others."""
    last = {path: path.rpartition("/")[2] for path in chosen}
    others = {last[path] for path, on in chosen.items() if not on}
    return list(dict.fromkeys(
        path if last[path] in others else f"**/{last[path]}" for path, on in chosen.items() if on
    ))  # fmt: skip


def _notes(n: int, tokens: float, batch: float, best: float) -> tuple[str, ...]:
    notes = [f"{n:,} parameters beside embeddings and heads, {tokens:.3g} tokens, {batch:.3g} a step"]
    if batch < best:
        notes.append(
            f"the rate is the law's times sqrt({batch:.3g} / {best:.3g}), for the batch: arXiv:2205.10287"
        )
    optimum = 0.58 * max(tokens, TOKENS[0]) ** 0.571
    if batch > 2 * optimum:
        notes.append(
            f"the batch is above {optimum:.3g} tokens, the optimum of the law: smaller ones learn more"
        )
    for what, value, (low, high) in (("parameters", n, PARAMETERS), ("tokens", tokens, TOKENS)):
        if not low <= value <= high:
            end = low if value < low else high
            held = (
                f"clamped to {end:.3g}"
                if value < low or what == "tokens"
                else "not clamped, the rate falls on"
            )
            notes.append(f"{value:.3g} {what}: the law was fitted from {low:.3g} to {high:.3g}; {held}")
    return tuple(notes)


def _round(x: float) -> float:
    return float(f"{x:.2g}")


def _ones(x: float) -> float:
    """A decay rounded so that its distance from 1 keeps two digits."""
    return round(1 - float(f"{1 - x:.2g}"), 6)
