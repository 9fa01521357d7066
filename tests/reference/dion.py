"""Dion, arXiv:2504.05295, and Dion2, arXiv:2512.16928, in NumPy, float64, on one matrix [out, in]."""

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


def dion2(x, gradients, orthogonal, lr, fraction, beta, decay, scores=None):
    """(iterates, momenta) after each gradient; orthogonal(m) is U V^T; `scores`: for a random choice."""
    m, found = np.zeros_like(x), []
    out, inputs = x.shape
    for t, g in enumerate(gradients):
        m = m + g
        rows = out <= inputs
        size = np.abs(m).sum(1 if rows else 0) if scores is None else scores[t]
        k = np.argsort(-size, kind="stable")[: int(np.ceil(fraction * min(out, inputs)))]
        at = (k, slice(None)) if rows else (slice(None), k)
        u = np.zeros_like(x)
        u[at] = orthogonal(m[at])
        m[at] *= beta
        x = x - lr * (np.sqrt(out / inputs) * u + decay * x)
        found.append((x, m.copy()))
    return found
