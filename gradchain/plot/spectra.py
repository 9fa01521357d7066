"""Singular values of matrices before and after an orthogonalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.plot.figure import label, legend, panels, strokes


def singular_values(before: Any, after: Any) -> Any:
    """Singular values of a matrix or of a stack [..., m, n], before and after, as a matplotlib figure.

    Such as of a gradient and of what gc.orthogonalize() or Muon makes of it: all of them near 1.
    They are in falling order; of a stack the line is the median and the band reaches from the least to the
    largest. Values below 1e-7 of the largest before are not shown: rounding made them.
    """
    found = {name: _spectrum(name, x) for name, x in (("before", before), ("after", after))}
    figure, (ax,) = panels()
    for (name, values), stroke in zip(found.items(), strokes(2), strict=True):
        at, middle = np.arange(1, values.shape[-1] + 1), np.median(values, axis=0)
        ax.plot(at, middle, **stroke, label=name, marker="o" if len(at) == 1 else None)
        if len(values) > 1:
            ax.fill_between(at, values.min(0), values.max(0), color=stroke["color"], alpha=0.22, linewidth=0)
    ax.set_yscale("log")
    label(ax, "number, the largest first", "singular value")
    legend(figure, ax, 2)
    return figure


def _spectrum(name: str, x: Any) -> np.ndarray:
    """[matrices, values]"""
    if getattr(x, "ndim", 0) < 2 or 0 in x.shape:
        raise ValueError(
            f"plot.singular_values: {name} is {words.show(x)}; expected a matrix or a stack, [..., m, n]"
        )
    found = np.linalg.svd(
        np.asarray(x).astype(np.float64 if not np.iscomplexobj(x) else np.complex128), compute_uv=False
    )
    found = found.reshape(-1, found.shape[-1])
    return np.where(found > 1e-7 * found.max(), found, np.nan)
