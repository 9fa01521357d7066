"""What the site says of a registered algorithm: state, traffic, oracle, needs, arguments, sources."""

from __future__ import annotations

import csv
import functools
import inspect
import math
import re
from pathlib import Path
from typing import Any

import jax

import gradchain as gc
from gradchain.catalogue import search
from gradchain.core.glossary import GLOSSARY
from gradchain.core.hyper import Range
from gradchain.core.recipe import Factory
from gradchain.core.transform import Transform, make

ROOT = Path(__file__).resolve().parent.parent.parent
MATRIX = {"dense": {"kernel": jax.ShapeDtypeStruct((1024, 4096), "float32")}}
CODECS = ("float32", "bfloat16", "log8", "log4")
TARGETS = {"tpu": "TPU v5e", "h100": "H100"}
NEEDS = {
    "value": "`value`: the loss at the parameters, a number",
    "grad": "`grad`: the gradient at the parameters, before any link has changed it",
    "value_fn": "`value_fn`: the loss as a function of the parameters",
    "obj_fn": "`obj_fn`: the loss as a function of the parameters, of which curvature is estimated",
    "grad_fn": "`grad_fn`: the gradient as a function of the parameters",
    "max_logits": "`max_logits`: the largest attention logits of the step, by layer and head",
}
TRAITS = {
    "matrices": "Takes norms or products over a leaf: it reads which axes are rows, columns and stacks.",
    "eigenvectors": "Takes eigenvectors or roots of matrices.",
    "random": "Draws random numbers, from (seed, step, path, element) alone.",
    "real": "Takes real parameters only.",
    "no_derivative": "Has no derivative through a step.",
    "no_float16": "Takes no float16 parameters.",
    "narrow_state": "Keeps some state in the parameter's own dtype.",
    "codes": "Keeps state in codes of few bits.",
    "host": "Keeps some state in the host's memory.",
    "specs": "Is told how parameters are split over a mesh.",
    "any_leaf": "Works on whatever leaves the links beside it work on.",
    "last": "Must be the last link, for it rounds parameters.",
    "sets": "Sets some parameters to values of its own.",
    "sometimes": "Runs what it wraps in some steps only.",
    "per_example": "Takes gradients of single examples, along a first axis.",
}


def example(name: str) -> Transform:
    """A registered transform with the arguments of its example."""
    factory = gc.REGISTRY[name]
    return make(factory, (), factory.example())


def state_bytes(name: str) -> dict[str, float | None]:
    """Bytes of state for each parameter of a matrix by storage; None where a state cannot be kept so."""
    tx, found = example(name), {}
    for codec in CODECS:
        try:
            kept = tx if codec == "float32" else gc.stored(tx, codec)
            found[codec] = gc.describe(kept, MATRIX).bytes_per_param
        except (TypeError, ValueError):
            found[codec] = None
    return found


def slots(name: str) -> list[tuple[str, str, str, str]]:
    """The state for a matrix of 1024 x 4096: link, slot, shape, dtype."""
    rows = gc.describe(example(name), MATRIX).rows
    return [
        (r.link, r.slot, " × ".join(map(str, r.shape or ())) or "a number", r.dtype) for r in rows if r.slot
    ]


def first(name: str) -> str:
    """The first line of a docstring."""
    return (gc.REGISTRY[name].fn.__doc__ or "").strip().split("\n")[0]


def entry(name: str) -> search.Entry:
    """Family, kind, state, needs of an algorithm, as `gc.search` has them."""
    return search.entry(gc.REGISTRY[name])


@functools.cache
def _floors(target: str) -> dict[str, dict[str, str]]:
    file = ROOT / "benchmarks" / "results" / f"floors_{target}.csv"
    if not file.exists():
        return {}
    with file.open() as rows:
        return {
            row["name"]: row for row in csv.DictReader(rows) if row.get("library", "gradchain") == "gradchain"
        }


def traffic(name: str) -> list[tuple[str, ...]]:
    """Rows of what a compiled step moves: target, bytes, least, with log8, why it is more."""
    found = []
    for target, title in TARGETS.items():
        row = _floors(target).get(name)
        if row:
            cells = (digits(row.get("bytes")), digits(row.get("floor")), digits(row.get("log8")))
            found.append((title, *cells, row.get("why") or ""))
    return found


def digits(cell: str | float | None) -> str:
    """A number with four digits that count."""
    if cell in (None, ""):
        return "–"
    x = float(cell)  # type: ignore[arg-type]
    if not math.isfinite(x):
        return "–"
    return f"{x:.4g}" if abs(x) < 1000 else f"{x:,.0f}"


def arguments(factory: Factory) -> list[tuple[str, str, str, str]]:
    """The arguments of a factory: name, range or kind, default, meaning."""
    rows = []
    for name, parameter in factory.signature.parameters.items():
        default = "" if parameter.default is inspect.Parameter.empty else f"`{short(parameter.default)}`"
        if name in factory.ranges:
            said = span(factory.ranges[name])
        elif name in factory.kinds:
            said = factory.kinds[name].name
        else:
            said = ""
        rows.append((name, said, default, GLOSSARY.get(name, "")))
    return rows


def span(allowed: Range) -> str:
    """A range in words."""
    kind = "whole number" if allowed.integer else "number"
    low, high = allowed.low, allowed.high
    if low == -math.inf and high == math.inf:
        said = f"any {kind}"
    elif high == math.inf or high >= 2**31 - 1:
        said = f"{kind} from {low:g}"
    else:
        said = f"{kind} from {low:g} to {'below ' if allowed.below else ''}{high:g}"
    said += " or infinity" if allowed.infinite else ""
    return said + (", a schedule or tunable" if not allowed.optional else ", a schedule, tunable or None")


def short(value: Any) -> str:
    """A default as a reader writes it."""
    text = repr(value)
    named = getattr(value, "__name__", None)
    text = named if callable(value) and named else text
    return text if len(text) < 40 else text[:37] + "..."


def papers(source: str) -> list[tuple[str, str]]:
    """The papers of a source: what is shown, and an address or nothing."""
    found = []
    for part in re.split(r";\s*|,\s*(?=arXiv:|section \d)|\s+(?=\(arXiv:)", source):
        number = re.search(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", part)
        found.append((part.strip(), f"https://arxiv.org/abs/{number[1]}" if number else ""))
    return [row for row in found if row[0]]


def citation(name: str) -> str:
    """BibTeX of the papers that have a number."""
    out = []
    for i, (_, address) in enumerate(row for row in papers(gc.REGISTRY[name].paper) if row[1]):
        number = address.rpartition("/abs/")[2]
        key = re.sub(r"\W", "_", name) + (f"_{i + 1}" if i else "")
        out.append(
            f"@misc{{{key},\n  eprint = {{{number}}},\n  archivePrefix = {{arXiv}},\n"
            f"  url = {{{address}}},\n}}"
        )
    return "\n".join(out)
