"""Alice, arXiv:2502.07752, in NumPy, float64, on one matrix [m, n], m <= n, with Adam without momentum.

The first basis is made of singular vectors; directions that are drawn are given noise made orthonormal.
"""

import numpy as np


def apart(basis, noise):
    """The columns of the noise, orthonormal and orthogonal to a basis, one by one."""
    found = list(basis.T)
    for x in noise.T:
        for q in 2 * found:
            x = x - q * (q @ x)
        found.append(x / np.linalg.norm(x))
    return np.stack(found[basis.shape[1] :], 1) if noise.shape[1] else noise


def switched(q, basis, leading, noise):
    """One step of iteration to the eigenvectors of q, and for all but the first of them others."""
    basis = np.linalg.qr(q @ basis)[0]
    values, vectors = np.linalg.eigh(basis.T @ q @ basis)
    return mixed(basis @ vectors[:, np.argsort(-values)], leading, noise)


def mixed(basis, leading, noise):
    m, rank = basis.shape
    first = basis[:, : min(leading, rank)]
    if m - rank < rank - first.shape[1]:
        basis = first
    return np.concatenate([first, apart(basis, noise)], 1)


def alice(gradients, noises, rank, every, leading, scale, b1, b2, b3, compensation, gamma, eps):
    """The updates for each gradient; noises [m, rank - leading], one for each basis."""
    m = len(gradients[0])
    tracked, v, p, last = np.zeros((rank, rank)), 0.0, 0.0, 0.0
    found = []
    for t, g in enumerate(gradients):
        if t == 0:
            basis = mixed(np.linalg.svd(g)[0][:, :rank], leading, noises[0])
        elif t % every == 0:
            q = b3 * basis @ tracked @ basis.T + (1 - b3) * g @ g.T
            basis = switched(q, basis, leading, noises[t // every])
        r = basis.T @ g
        tracked = b3 * tracked + (1 - b3) * r @ r.T
        v = b2 * v + (1 - b2) * r**2
        p = b1 * p + (1 - b1) * (np.sum(g**2, 0) - np.sum(r**2, 0))
        c = np.sqrt(m - rank) * (g - basis @ r) / (np.sqrt(p) + eps)
        if last:
            c = c * gamma / max(np.linalg.norm(c) / last, gamma)
        last = np.linalg.norm(c)
        found.append(scale * (basis @ (r / (np.sqrt(v) + eps)) + compensation * c))
    return found
