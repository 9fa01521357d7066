"""Algorithm 1 of arXiv:2504.05295, and that of arXiv:2512.16928, in NumPy, float64, on one matrix [out, in]."""

import numpy as np


def dion(x, gradients, q, lr, beta, eps, decay, power_steps=1):
    """(iterates, momenta, factors (p, r)) after each gradient, from the first right factor q [in, rank]."""
    m, found = np.zeros_like(x), []
    for g in gradients:
        b = m + g
        for _ in range(power_steps):
            p, _ = np.linalg.qr(b @ q)
            r = b.T @ p
            q = r / (np.linalg.norm(r, axis=0) + eps)
        m = b - (1 - beta) * p @ r.T
        out, inputs = x.shape
        x = x - lr * (np.sqrt(out / inputs) * p @ q.T + decay * x)
        found.append((x, m, b, p, r))
    return found
