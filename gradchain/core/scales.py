"""Scales of codecs that are measured in some steps only, in a pass of its own before the kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax import Array

from gradchain.core.control import when


def due(count: Array, every: int) -> Array:
    """Whether step `count`, from 1, measures: 1, 2, 4, ... up to `every`, then each `every` steps."""
    return ((count & (count - 1) == 0) & (count < every)) | (count % every == 0)


def refresh(live: Sequence[Any], blocks: Sequence[list[int]], call: Callable, count: Array | None) -> None:
    """Put behind the arrays of each delayed codec the scales that this step encodes with.

    call(block, True) runs the kernels of a block of leaves for their scales alone. In a step that is not due
    they are the old ones, and nothing is read.
    """
    found: dict[int, list[tuple[int, int, str]]] = {}
    for k, v in enumerate(live):
        for i, codecs in enumerate(v.codecs):
            for field, codec in codecs.items():
                if codec.delayed:
                    found.setdefault(codec.every, []).append((k, i, field))
    for every, places in found.items():
        leaves = {i for _, i, _ in places}

        def measure(_, places=places, leaves=leaves):
            new = {}
            for block in blocks:
                if leaves & {*block}:
                    for i, (_, columns) in zip(block, call(block, True), strict=True):
                        new[i] = columns
            return [new[i][_position(live, k, i)][field] for k, i, field in places]

        old = [live[k].columns[i][field][1:] for k, i, field in places]
        fresh = measure(old) if count is None else when(due(count, every), measure, old)
        for (k, i, field), scales in zip(places, fresh, strict=True):
            live[k].columns[i][field] += tuple(scales)


def _position(live: Sequence[Any], k: int, i: int) -> int:
    """Which of the links that act on leaf i is the k-th."""
    return sum(v.picked is None or v.picked[i] for v in live[:k])
