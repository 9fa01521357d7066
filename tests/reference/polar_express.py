"""Coefficients of Newton-Schulz steps by the construction of arXiv:2505.16932, in NumPy float64.

Each step is the odd quintic nearest to 1 on [low, high], where the steps before have left singular values;
what it leaves lies in [p(low), 2 - p(low)]. Of all compositions of as many quintics none is nearer to 1.
"""

import numpy as np

CUSHION = 0.02407327424182761  # of the interval: a smaller low counts as this much of high
SAFETY = 1.01  # singular values may be larger than their bound by this, rounding included


def nearest(low: float, high: float) -> np.ndarray:
    """(a, b, c) of the odd quintic whose largest distance from 1 on [low, high] is least, by exchanges."""
    if low / high > 1 - 5e-6:  # Taylor's at 1, of which the others cannot be told
        return np.array([15 / 8 / high, -10 / 8 / high**3, 3 / 8 / high**5])
    inner = np.array([(3 * low + high) / 4, (low + 3 * high) / 4])
    for _ in range(50):
        x = np.array([low, *inner, high])
        rows = np.stack([x, x**3, x**5, [1, -1, 1, -1]], 1)
        a, b, c, _ = np.linalg.solve(rows, np.ones(4))
        inner = np.sort(np.sqrt(np.roots([5 * c, 3 * b, a]).real))
    return np.array([a, b, c])


def value(triple, x):
    a, b, c = triple
    return a * x + b * x**3 + c * x**5


def composed(steps: int, low: float = 1e-3, cushion: float = 0.0) -> list[np.ndarray]:
    """The steps for singular values from low to 1."""
    high, found = 1.0, []
    for _ in range(steps):
        triple = nearest(max(low, cushion * high), high)
        if low < cushion * high:  # centred again for the interval as it is
            triple = triple * 2 / (value(triple, low) + value(triple, high))
        low = value(triple, low)
        high = 2 - low
        found.append(triple)
    return found


def polar_express(steps: int = 8) -> np.ndarray:
    """The paper's table: with the cushion, and all but the last of eight steps with the safety factor."""
    table = np.array(composed(steps, cushion=CUSHION))
    table[:-1] /= SAFETY ** np.array([1, 3, 5])
    return table


def cans(steps: int = 8) -> np.ndarray:
    """Without either: what arXiv:2506.10935 finds by the same exchanges."""
    return np.array(composed(steps))
