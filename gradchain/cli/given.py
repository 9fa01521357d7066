"""What commands are given: parameters by their shapes."""

from __future__ import annotations

from typing import Any

import jax

from gradchain.catalogue.search import MATRIX


class UsageError(ValueError):
    """Arguments that cannot be read, or that do not fit each other."""


def shapes(text: str | None) -> Any:
    """Abstract parameters: of a file as gradchain.aot reads, of JSON, of kernel=8x4,bias=4; or one matrix."""
    from gradchain.aot import model

    if text is None:
        return MATRIX
    try:
        leaves = model.given(text)
    except model.ShapesError as error:
        raise UsageError(f"--shapes {error}") from error
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype),
        leaves,
        is_leaf=lambda x: isinstance(x, model.Leaf),
    )
