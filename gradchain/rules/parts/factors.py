"""Links that multiply the update of each leaf by a number of its own: by path, by depth."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import select, words
from gradchain.core.hyper import Fraction
from gradchain.core.link import Treewise, leaves_of
from gradchain.core.recipe import ErrorInput
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf
from gradchain.core.transform import transform
from gradchain.rules.parts.basic import scaled

EMBEDDINGS = re.compile(r"(?i)emb|wte|wpe|patch|(^|/)pos|cls|stem|token")
LAYERS = r"(?:layers?|blocks?|h)[/_](\d+)"


@dataclasses.dataclass(frozen=True)
class Factor:
    """What the updates of a leaf are multiplied by, and why: a number, or an array that broadcasts."""

    value: float | np.ndarray
    why: str


class PerLeaf(Treewise):
    """A link u = factor * g, with a factor for each leaf that is a function of its path, shape and axes."""

    def __init__(self, of: Callable[[Sequence[Leaf]], list[Factor]]):
        def update(updates, *state_params, leaves):
            grads, treedef = jax.tree.flatten(updates)
            rows = zip(grads, of(leaves), strict=True)
            # Factors are operands: leaves of one shape share a program.
            out = [scaled(g, jnp.asarray(f.value, jnp.result_type(float))) for g, f in rows]
            made, state = treedef.unflatten(out), state_params[:-1]  # it has one where a hyperparameter does
            return (made, *state) if state else made

        super().__init__(None, update, {})
        self.of = of

    def slots(self, params, plan):
        """Nothing; what fits no leaf is an error here, not in the first step."""
        self.of(leaves_of(params, plan))
        return super().slots(params, plan)


@transform(
    example=lambda: {"factors": {"**": 0.5}},
    errors=lambda: [
        ErrorInput({"factors": {"**": "fast"}}, TypeError, ("the factor of '**' is 'fast'",)),
        ErrorInput({"factors": {"**": math.inf}}, ValueError, ("the factor of '**' is inf", "finite")),
        ErrorInput({"factors": [0.5]}, TypeError, ("expected a mapping",)),
    ],
)
def scale_by_path(factors: Mapping[str, float]):
    """Multiply the updates of the leaves that a pattern matches: u = factor * g.

    `factors` is {glob: number}, such as {"head/**": 10, "**/bias": 2}, tried in order: the first that matches
    a leaf's path counts, and leaves that none matches keep their updates. A pattern that matches no leaf is
    an error. At the end of a chain a factor is one of the learning rate. `factors(tx, params)` shows them.
    """
    for pattern, x in factors.items():
        if isinstance(x, bool) or not isinstance(x, int | float | np.number):
            raise TypeError(f"scale_by_path: the factor of {pattern!r} is {words.show(x)}; expected a number")
        if not math.isfinite(x):
            raise ValueError(f"scale_by_path: the factor of {pattern!r} is {x}; expected a finite number")

    def of(leaves: Sequence[Leaf]) -> list[Factor]:
        paths = [leaf.path for leaf in leaves]
        for pattern in factors:
            if leaves and not any(select.matches(pattern, path) for path in paths):
                raise _unmatched("scale_by_path", pattern, paths)
        found = [next((k for k in factors if select.matches(k, path)), None) for path in paths]
        return [Factor(1.0, "") if k is None else Factor(float(factors[k]), k) for k in found]

    return PerLeaf(of)


def _unmatched(who: str, pattern: str, paths: Sequence[str]) -> ValueError:
    return ValueError(
        f"{who}: {words.show(pattern)} matches none of {len(paths)} leaves; {select.hint(pattern, paths)}"
    )


def by_length(path: str) -> int:
    """The length of a path as the number of its layer: for examples."""
    return len(path)


BY_DEPTH = {
    "example": lambda: {"layer_decay": 0.9, "layers": by_length},
    "errors": lambda: [
        ErrorInput({"layer_decay": 1.5}, ValueError, ("layer_decay is 1.5", "at most 1")),
        ErrorInput({"layers": "(["}, ValueError, ("layers is '(['", "a regular expression")),
        ErrorInput({"layers": 3}, TypeError, ("layers is 3",)),
    ],
}


@transform(**BY_DEPTH)
def scale_by_depth(
    layer_decay: Fraction,
    layers: str | Callable[[str], int | None] = LAYERS,
    *,
    before: Selection = EMBEDDINGS,
):
    """Multiply the updates of a leaf by a power of `layer_decay`, the higher the earlier its layer.

    Layer i of n: layer_decay^(n - i), i from 0;  leaves before the layers: layer_decay^(n + 1);  after: 1
    `layers` is a regular expression, searched in the path, whose first group is the number of the layer, or a
    function path -> number or None. Where it matches without a number (r"layers/" has no group) the leaf is a
    stack of layers along its first batch axis, and gets a factor for each of them. `before` selects, among
    the leaves of no layer, those before the first: by default names such as embed, wte, pos, patch, cls.
    No match at all is an error. The numbers that are seen are counted in order: 3, 5 and 9 are three layers.
    """
    number = _numbered(layers)

    def of(leaves: Sequence[Leaf]) -> list[Factor]:
        found = [number(leaf.path) for leaf in leaves]
        if leaves and all(x is None for x in found):
            paths = [leaf.path for leaf in leaves]
            raise _unmatched("scale_by_depth", str(layers), paths)
        stacked = {leaf.path: _stack(leaf) for leaf, x in zip(leaves, found, strict=True) if x == STACK}
        seen = {x for x in found if x is not None and x != STACK} | set(range(max([0, *stacked.values()])))
        order = {x: i for i, x in enumerate(sorted(seen))}
        first = _first(before, leaves)
        rows = zip(leaves, found, strict=True)
        return [_of_depth(leaf, x, order, leaf.path in first, layer_decay) for leaf, x in rows]

    return PerLeaf(of)


STACK = -1  # of a leaf that holds all layers


def _numbered(layers: str | Callable[[str], int | None]) -> Callable[[str], int | None]:
    if callable(layers):
        return lambda path: _own(layers(path), path)
    try:
        expression = re.compile(layers)
    except re.error as error:
        raise ValueError(
            f"scale_by_depth: layers is {layers!r}; expected a regular expression ({error})"
        ) from None

    def number(path: str) -> int | None:
        match = expression.search(path)
        if match is None:
            return None
        text = match.group(1) if expression.groups else None
        if text and not text.isdecimal():
            raise ValueError(
                f"scale_by_depth: {layers!r} finds {text!r} in {path!r}; expected the number of a layer: "
                "(\\d+)"
            )
        return int(text) if text else STACK

    return number


def _own(found: Any, path: str) -> int | None:
    """What a user's function says of a path, checked."""
    whole = isinstance(found, int | np.integer) and not isinstance(found, bool)
    if found is None or (whole and found >= 0):
        return None if found is None else int(found)
    raise TypeError(
        f"scale_by_depth: layers({path!r}) is {words.show(found)}; expected the number of a layer, 0 or "
        "more, or None for a leaf of no layer"
    )


def _stack(leaf: Leaf) -> int:
    if not leaf.axes.batch:
        raise ValueError(
            f"scale_by_depth: the path {leaf.path!r} gives no number of a layer, and the leaf, of shape "
            f"{list(leaf.shape)}, is no stack of layers; with_axes says which axis is one"
        )
    return leaf.shape[leaf.axes.batch[0]]


def _first(before: Selection, leaves: Sequence[Leaf]) -> set[str]:
    """The paths that a selection means; the names of embeddings may mean none."""
    at = {leaf.path: leaf.array for leaf in leaves}
    if before == EMBEDDINGS:  # also when it was pickled
        found = select.values(before, at)
    else:
        found = select.chosen(before, at, "scale_by_depth: before")
    return {path for path, on in zip(sorted(at), found, strict=True) if on}


def _of_depth(leaf: Leaf, layer: int | None, order: Mapping[int, int], first: bool, decay) -> Factor:
    n = len(order)
    if layer is None:
        return Factor(decay ** (n + 1), "before the layers") if first else Factor(1.0, "after the layers")
    if layer != STACK:
        return Factor(decay ** (n - order[layer]), f"layer {order[layer]} of {n}")
    axis, shape = leaf.axes.batch[0], [1] * len(leaf.shape)
    shape[axis] = layers = leaf.shape[axis]
    powers = n - np.asarray([order[i] for i in range(layers)], int).reshape(shape)
    return Factor(decay**powers, f"layers 0 to {layers - 1} of {n}, along axis {axis}")
