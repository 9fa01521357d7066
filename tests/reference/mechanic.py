"""Algorithm 1 of arXiv:2306.00144 in NumPy, float64, on one vector."""

import numpy as np


def mechanic(x, gradients, base, decay=0.01, s_init=1e-8, eps=1e-8, n=6):
    """The iterates after each gradient; base(g) is the update that the base algorithm proposes."""
    beta = np.array([1 - 10.0**-i for i in range(1, n + 1)])
    v, r, m, s = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    start, delta, found = x, np.zeros_like(x), []
    for g in gradients:
        u = base(g)
        size = np.linalg.norm(x)
        pull = decay * s.sum() * np.linalg.norm(g) * x / size if size else 0 * x
        h = delta @ (g + pull)
        delta = delta + u
        m = np.maximum(beta * m, abs(h))
        v = beta**2 * v + h**2
        r = np.maximum(0, beta * r - s * h)
        wealth = s_init * m / n + r
        s = wealth / (np.sqrt(v) + eps)
        x = start + s.sum() * delta
        found.append(x)
    return found
