"""SOAP, Shampoo and KL-Shampoo in NumPy, float64, on one matrix.

Source: arXiv:2409.11321, 2309.06497, 2509.03378.
"""

import numpy as np


def eigenbasis(x):
    return np.linalg.eigh(x)[1][:, ::-1]


def soap(gradients, b1, b2, shampoo_beta, eps, every, *, left=True, right=True, of_momentum=False, first=0):
    """The updates for each gradient; the first, which makes the bases, is 0. A side without a factor: unit.

    The bases are renewed in the steps t, the first being 0, with (t - first) % every == 0.
    """
    p, q = (np.eye(n) for n in gradients[0].shape)
    m, v = np.zeros_like(gradients[0]), np.zeros_like(gradients[0])
    rows, cols, found = 0 * p, 0 * q, []
    for t, g in enumerate(gradients):  # t: updates taken, the one of this gradient included
        x = g
        if t > 0:
            m = b1 * m + (1 - b1) * g
            mean = m / (1 - b1**t)
            x = mean if of_momentum else g
            v = b2 * v + (1 - b2) * (p.T @ x @ q) ** 2
            found.append(p @ (p.T @ mean @ q / (np.sqrt(v / (1 - b2**t)) + eps)) @ q.T)
        else:
            found.append(0 * g)
        rows = shampoo_beta * rows + (1 - shampoo_beta) * x @ x.T
        cols = shampoo_beta * cols + (1 - shampoo_beta) * x.T @ x
        if t == 0:
            p, q = eigenbasis(rows) if left else p, eigenbasis(cols) if right else q
        elif (t - first) % every == 0:
            if left:
                order = np.argsort(-np.diag(p.T @ rows @ p), kind="stable")
                p, v = np.linalg.qr(rows @ p[:, order])[0], v[order]
            if right:
                order = np.argsort(-np.diag(q.T @ cols @ q), kind="stable")
                q, v = np.linalg.qr(cols @ q[:, order])[0], v[:, order]
    return found


def inverse_root(x, root, eps):
    values, vectors = np.linalg.eigh(x)
    return vectors * (np.maximum(values, 0) + eps * values[-1]) ** (-1 / root) @ vectors.T


def shampoo(gradients, b1, b2, eps, every, root=4, sums=False, *, left=True, right=True):
    """The updates for each gradient; eps is in units of the largest eigenvalue."""
    rows, cols = (np.zeros((n, n)) for n in gradients[0].shape)
    a, b = (np.eye(n) for n in gradients[0].shape)
    m, found = np.zeros_like(gradients[0]), []
    for t, g in enumerate(gradients, 1):
        keep, take = (1, 1) if sums else (b2, 1 - b2)
        rows, cols = keep * rows + take * g @ g.T, keep * cols + take * g.T @ g
        if (t - 1) % every == 0:
            scale = 1 if sums else 1 / (1 - b2**t)
            a = inverse_root(scale * rows, root, eps) if left else a
            b = inverse_root(scale * cols, root, eps) if right else b
        m = b1 * m + (1 - b1) * g
        found.append(a @ m @ b / (1 - b1**t))
    return found


def kl(gradients, b1, b2, eps, every, *, adam=False, bias_correction=False, start=0.1):
    """KL-Shampoo, or with `adam` KL-SOAP: the updates for each gradient, the first 0."""
    (m, n), mean = gradients[0].shape, np.zeros_like(gradients[0])
    g, v = gradients[0], np.zeros_like(gradients[0])
    rows, cols = (1 - b2) * g @ g.T / n, (1 - b2) * g.T @ g / m
    p, q, a, b = eigenbasis(rows), eigenbasis(cols), np.full(m, start), np.full(n, start)
    found = [0 * g]
    for t, g in enumerate(gradients[1:], 1):
        mean = b1 * mean + (1 - b1) * g
        h = p.T @ g @ q
        v = b2 * v + (1 - b2) * h**2
        fix1, fix2 = (1 - b1**t, 1 - b2**t) if bias_correction else (1, 1)
        root = np.sqrt(v / fix2) if adam else np.sqrt(np.outer(a, b))
        found.append(p @ ((p.T @ mean @ q) / fix1 / (root + eps)) @ q.T)
        rows, cols = (
            b2 * rows + (1 - b2) / n * g @ q @ np.diag(1 / b) @ q.T @ g.T,
            b2 * cols + (1 - b2) / m * g.T @ p @ np.diag(1 / a) @ p.T @ g,
        )
        a, b = (
            b2 * a + (1 - b2) * np.mean(h**2 / b, 1),
            b2 * b + (1 - b2) * np.mean(h**2 / a[:, None], 0),
        )
        if t % every == 0:
            p, q = np.linalg.qr(rows @ p)[0], np.linalg.qr(cols @ q)[0]
    return found
