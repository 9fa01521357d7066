"""scale_by_mup: learning rates that keep their meaning while a model grows in width."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax

from gradchain.core import kinds, returned, select, tree
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import Leaf
from gradchain.core.transform import transform
from gradchain.rules.parts.factors import Factor, PerLeaf

PAPER = "arXiv:2203.03466"
Shape = tuple[int, ...]
Rule = Literal["adam", "sgd", "muon"]


def _is_shape(x: Any) -> bool:
    return isinstance(x, list | tuple) and all(isinstance(n, int) and not isinstance(n, bool) for n in x)


def _shapes(given: Any) -> Any:
    """The shape of each leaf by path, of parameters, abstract ones or shapes; a function as it is."""
    if callable(given) and jax.tree.structure(given) == jax.tree.structure(0):
        return given if kinds.takes(given, 2) else kinds.NO
    if isinstance(given, list | tuple) and not given:  # no tree, and hardly the shape of a single scalar
        return kinds.NO
    try:
        found = jax.tree.leaves(given, is_leaf=_is_shape)
        marked = jax.tree.map(lambda x: 0, given, is_leaf=_is_shape)
        shapes = [tuple(map(int, x)) if _is_shape(x) else tuple(map(int, x.shape)) for x in found]
        return dict(zip(tree.paths(marked), shapes, strict=True)) or kinds.NO
    except (AttributeError, TypeError, ValueError):
        return kinds.NO


BASE = kinds.Kind("parameters, their shapes, or a function (path, shape) -> shape", _shapes)
if TYPE_CHECKING:
    Base = Any
else:
    Base = Annotated[Any, BASE]


def half_as_wide(path: str, shape: Shape) -> Shape:
    """Half of every axis: for examples."""
    return tuple(max(1, n // 2) for n in shape)


def _errors():
    yield ErrorInput({"base": 3}, TypeError, ("base is 3", "parameters, their shapes"))
    yield ErrorInput({"base": lambda shape: shape}, TypeError, ("base is", "a function (path, shape)"))
    for empty in ({}, [], ()):
        yield ErrorInput({"base": empty}, TypeError, (f"base is {empty}", "parameters, their shapes"))
    yield ErrorInput({"rule": "sdg"}, TypeError, ("rule is 'sdg'", "did you mean 'sgd'"))
    yield ErrorInput({"depth": -1.0}, ValueError, ("depth is -1.0", "0 to 1"))


MUP = {"paper": PAPER, "errors": _errors}


@transform(**MUP, example=lambda: {"base": half_as_wide, "allow_base": True})
def scale_by_mup(base: Base, rule: Rule = "adam", *, depth: float | None = None, allow_base: bool = False):
    """Multiply updates so that the learning rate of a base model fits a wider one (muP).

    With r, s how many times larger fan-in and fan-out are than in `base` (the rows and columns of a leaf):
                  input (r = 1)   hidden         output (s = 1)   vector (no fan-in)
    rule="adam"   1               1 / r          1 / r            1
    rule="sgd"    s               s / r          1 / r            s
    rule="muon"   1               1 *            1 / r            1
    * or what brings the spectral norm to sqrt(columns / rows), arXiv:2310.17813, where `muon` (without
    consistent_rms) has max(1, columns / rows). The model must start as muP says: outputs 1 / r in variance
    beyond the usual (or 0); attention takes 1 / d, not 1 / sqrt(d). eps is not scaled: keep it far below the
    gradients. `base`: parameters, shapes by path, or a function (path, shape) -> shape. Stacked layers may be
    more: branches times depth^-a take depth=a (1/2: arXiv:2310.02244, 1: 2505.01618), l times as many layers
    the factor l^(a - 1), of "sgd" l^(2a - 1).
    """
    if depth is not None and not 0 <= depth <= 1:
        raise ValueError(f"scale_by_mup: depth is {depth!r}; expected a number from 0 to 1, or None")

    def of(leaves: Sequence[Leaf]) -> list[Factor]:
        known = [(leaf, _base_shape(base, leaf)) for leaf in leaves]
        if known and not allow_base and all(leaf.shape == shape for leaf, shape in known):
            raise ValueError(
                f"scale_by_mup: all {len(known)} leaves have the shapes that they have in base, such as "
                f"{known[0][0].path!r} {list(known[0][1])}; expected a base of another width. In a run of "
                "the base itself say allow_base=True"
            )
        return [_factor(leaf, shape, rule, depth) for leaf, shape in known]

    return PerLeaf(of)


def _base_shape(base: Mapping[str, Shape] | Callable[[str, Shape], Shape], leaf: Leaf) -> Shape:
    if isinstance(base, Mapping):
        if leaf.path not in base:
            raise ValueError(
                f"scale_by_mup: base has no leaf {leaf.path!r}; {select.hint(leaf.path, list(base))}. Make "
                "it of the same model with less width: jax.eval_shape(model.init, ...)"
            )
        shape = tuple(base[leaf.path])
    else:
        found: Any = base(leaf.path, leaf.shape)
        if not _is_shape(found):
            raise returned.wrong(
                found, "scale_by_mup", "base", base, f"a shape like {list(leaf.shape)}, of {leaf.path!r}"
            )
        shape = tuple(found)
    if len(shape) != len(leaf.shape):
        raise ValueError(
            f"scale_by_mup: {leaf.path!r} has shape {list(leaf.shape)}, and in base {list(shape)}; expected "
            "as many axes"
        )
    return shape


def _ratio(leaf: Leaf, shape: Shape, axes: Sequence[int]) -> float:
    """How many times larger the leaf is along some axes than in the base."""
    return math.prod(leaf.shape[i] for i in axes) / max(1, math.prod(shape[i] for i in axes))


def _wide(shape: Shape, leaf: Leaf) -> float:
    """columns / rows as far as it is below 1: `muon` scales by the root of what is above."""
    return min(
        1.0, math.prod(shape[i] for i in leaf.axes.cols) / max(1, math.prod(shape[i] for i in leaf.axes.rows))
    )


def _factor(leaf: Leaf, shape: Shape, rule: str, depth: float | None) -> Factor:
    r, s = _ratio(leaf, shape, leaf.axes.rows), _ratio(leaf, shape, leaf.axes.cols)
    layers = _ratio(leaf, shape, leaf.axes.batch)
    if not leaf.axes.rows:
        kind = "vector"
    elif r != 1 and s != 1:
        kind = "hidden"
    else:
        kind = "output" if r != 1 else "input" if s != 1 else "fixed"
    if rule == "sgd":
        value = s / r if r else s
    elif rule == "muon" and kind == "hidden":
        value = math.sqrt(_wide(leaf.shape, leaf) / _wide(shape, leaf))
    else:
        value = 1 / r if r else 1.0
    why = f"{kind}, fan-in x {r:g}, fan-out x {s:g}"
    if depth is not None and leaf.axes.batch and layers:
        value *= layers ** (2 * depth - 1 if rule == "sgd" else depth - 1)
        why += f", layers x {layers:g}"
    return Factor(value, why)
