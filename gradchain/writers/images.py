"""A figure as an array of pixels, for loggers of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradchain.core import words
from gradchain.core.optional import need


def pixels(figure: Any) -> np.ndarray:
    """A matplotlib figure as [height, width, 3] uint8, on white where it is transparent."""
    if not hasattr(figure, "savefig"):
        raise TypeError(
            f"writers: {words.show(figure)} is no figure; expected one of matplotlib's, as gc.plot makes"
        )
    canvas = need("matplotlib.backends.backend_agg", "plot", "gc.writers").FigureCanvasAgg(figure)
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba()).astype(np.float32)  # [h, w, 4]
    opaque = drawn[..., 3:] / 255
    return (drawn[..., :3] * opaque + 255 * (1 - opaque)).round().astype(np.uint8)
