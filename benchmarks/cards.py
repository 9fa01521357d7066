"""The card that a program runs on: its name, what its memory could move at most, and what copying moves."""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.timing import timed

# GB/s by NVIDIA's data sheets; the longest name that is part of the card's counts.
PEAKS = {
    "B200": 8000, "GH200 480GB": 4000, "H200": 4800, "H100": 3350, "H100 PCIe": 2000, "H100 NVL": 3900,
    "A100": 1555, "A100-SXM4-80GB": 2039, "A100 80GB PCIe": 1935, "V100": 900, "L4": 300, "L40": 864,
    "L40S": 864, "A10": 600, "A10G": 600, "A40": 696, "A6000": 768, "T4": 320, "RTX 3090": 936,
    "RTX 4090": 1008, "RTX 5090": 1792, "RTX 6000 Ada": 960,
}  # fmt: skip


def peak(kind: str) -> float:
    """GB/s that the memory of a card moves at most; NaN of one that is not in the table."""
    found = [name for name in PEAKS if re.search(rf"\b{re.escape(name)}\b", kind)]
    return float(PEAKS[max(found, key=len)]) if found else math.nan


def slug(kind: str) -> str:
    """The name of a card as part of a file's."""
    words = re.findall(r"[a-z0-9]+", kind.lower())
    return "-".join(word for word in words if word != "nvidia")


def copied(nbytes: int, repeats: int = 7, inner: int = 10) -> float:
    """GB/s of a kernel that reads an array and writes it back: what can be reached in practice."""
    x = jnp.ones(nbytes // 4, jnp.float32)
    step = jax.jit(lambda x: x * 1.0001, donate_argnums=0)
    best = math.inf
    for _ in range(repeats):
        x = jax.block_until_ready(step(x))

        def several():
            nonlocal x
            for _ in range(inner):
                x = step(x)
            jax.block_until_ready(x)

        best = min(best, timed(several) / inner)
    return 2 * x.nbytes / best / 1e9


def memory(device: Any, what: str) -> float:
    """GB in use on a device ("bytes_in_use"), or at most so far; NaN where that is not counted."""
    stats = device.memory_stats() or {}
    return stats[what] / 1e9 if what in stats else math.nan


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of JAX or PyTorch says that the card's memory does not suffice."""
    text = f"{type(error).__name__}: {error}".lower()
    return isinstance(error, MemoryError) or any(
        word in text for word in ("resource_exhausted", "out of memory", "outofmemory")
    )
