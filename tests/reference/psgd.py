"""PSGD with Kronecker factors, arXiv:1512.04202 and arXiv:2402.11858, in NumPy, float64, on one array.

Factors are triangular (two dimensions) or diagonal (one), one for each axis; the noise is given.
"""

import numpy as np


def applied(factors, x):
    """Q x, each factor along its axis."""
    for i, q in enumerate(factors):
        x = np.moveaxis(x, i, 0)
        x = np.moveaxis(np.tensordot(np.diag(q) if q.ndim == 1 else q, x, 1), 0, i)
    return x


def inverse_turned(factors):
    """The factors of Q^-T."""
    return [1 / q if q.ndim == 1 else np.linalg.inv(q).T for q in factors]


def gram(x, axis, diagonal):
    x = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    return np.sum(x * x, 1) if diagonal else x @ x.T


def bound(x):
    """A lower bound of the largest eigenvalue, by a step and a half of power iteration from a column."""
    largest = np.max(np.abs(x))
    x = x / largest
    v = x @ x[:, np.argmax(np.sum(x * x, 0))]
    return largest * np.linalg.norm(x @ (v / np.linalg.norm(v)))


def fitted(factors, g, v, rate, damping):
    """The factors after a step of fitting them to g."""
    a = applied(factors, g + damping * np.mean(np.abs(g)) * v)
    b = applied(inverse_turned(factors), v)
    found = []
    for i, q in enumerate(factors):
        aa, bb = gram(a, i, q.ndim == 1), gram(b, i, q.ndim == 1)
        if q.ndim == 1:
            found.append(q - rate * (aa - bb) / np.max(aa + bb) * q)
        else:
            found.append(q - rate * np.triu(aa - bb) / bound(aa + bb) @ q)
    sizes = [np.max(np.abs(q)) for q in found]
    both = np.exp(np.mean(np.log(sizes)))
    return [q * both / size for q, size in zip(found, sizes, strict=True)]


def psgd(x, gradients, noise, factors, lr, b1, rate, damping, clip, decay, due):
    """(iterates, factors) after each gradient; due: in which steps the factors are fitted."""
    m, found = np.zeros_like(x), []
    for t, (g, v) in enumerate(zip(gradients, noise, strict=True)):
        m = b1 * m + (1 - b1) * g
        mean = m / (1 - b1 ** (t + 1))
        if due[t]:
            factors = fitted(factors, mean, v, rate, damping)
        u = applied([q if q.ndim == 1 else q.T for q in factors], applied(factors, mean))
        u = u / max(1, np.sqrt(np.mean(u * u)) / clip)
        x = x - lr * (u + decay * x)
        found.append((x, factors))
    return found


def fitted_lra(u, v, d, sizes, h, noise, rate, on_u):
    """(u, v, d, sizes) after a step; columns of u and v [n, rank], Q = (1 + u v^T) diag(d)."""
    n, rank = u.shape
    whole = (np.eye(n) + u @ v.T) @ np.diag(d)
    rho = np.sqrt(np.linalg.norm(u) / np.linalg.norm(v))
    u, v, sizes = u / rho, v * rho, list(sizes)
    a, b = whole @ h, np.linalg.inv(whole).T @ noise
    both = np.eye(rank) + v.T @ u
    change = np.outer(a, a) - np.outer(b, b)

    def scaled(i, size):
        sizes[i] = max(0.9 * sizes[i] + 0.1 * size, size)
        return rate / sizes[i]

    length = lambda w: sum(np.linalg.norm(x) * np.linalg.norm(w @ (w.T @ x)) for x in (a, b))  # noqa: E731
    if on_u:
        u = u - scaled(0, length(v)) * change @ v @ both
    else:
        v = v - scaled(1, length(u)) * (np.eye(n) + v @ u.T) @ change @ u
    s = 1 - scaled(2, np.max(a * a + b * b)) * (a * a - b * b)
    return u * s[:, None], v / s[:, None], d * s, sizes
