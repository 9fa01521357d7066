"""Algorithm 1 of arXiv:2412.05270 in NumPy, float64, on one matrix [m, n], m <= n, with Adam."""

import numpy as np


def apollo(gradients, projections, per_channel, b1, b2, eps, scale, gamma):
    """The updates for each gradient; projections [rank, m], one for each step."""
    m = v = last = 0.0
    found = []
    for t, (g, p) in enumerate(zip(gradients, projections, strict=True), 1):
        r = p @ g
        m, v = b1 * m + (1 - b1) * r, b2 * v + (1 - b2) * r**2
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        axis = 0 if per_channel else None
        f = g * np.linalg.norm(u, axis=axis) / np.linalg.norm(r, axis=axis)
        if last and np.linalg.norm(f) > gamma * (last + 1e-8):
            f = f / np.linalg.norm(f) * gamma * (last + 1e-8)
        last = np.linalg.norm(f)
        found.append(scale * f)
    return found
