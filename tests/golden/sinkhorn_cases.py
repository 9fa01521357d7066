"""Gradients without a length: SinkGD, SSO."""

import numpy as np
from oracles import Case, numpy_case

SINKGD = {"learning_rate": 0.03, "weight_decay": 0.2, "iterations": 3}


def sinkgd():
    """The rows of the paper are the outputs, columns here."""

    def step(leaf, p, g, t):
        x = g.reshape(-1, g.shape[-1]).T  # [n, m]
        for _ in range(SINKGD["iterations"]):
            x = np.divide(x, np.sqrt(np.mean(x**2, 1, keepdims=True)), out=0 * x, where=x != 0)
            x = np.divide(x, np.sqrt(np.mean(x**2, 0, keepdims=True)), out=0 * x, where=x != 0)
        return p - SINKGD["learning_rate"] * (x.T.reshape(g.shape) + SINKGD["weight_decay"] * p)

    return step


SSO = {
    "learning_rate": 0.03,
    "beta": 0.7,
    "radius": 1.3,
    "eps": 1e-2,
    "ns_coeffs": [[3.4445, -4.775, 2.0315], [2.0, -1.5, 0.5], [1.875, -1.25, 0.375], [1.875, -1.25, 0.375]],
    "power_steps": 99,
    "search_steps": 12,
    "adam_b1": 0.85,
    "adam_b2": 0.97,
    "adam_weight_decay": 0.2,
    "adam_learning_rate": 0.02,
}


def sso():
    """Singular vectors by a decomposition; the multiplier by as many halvings as are asked for."""
    mean, nu = {}, {}

    def msign(x):
        x = x / (np.linalg.norm(x) + SSO["eps"])
        for a, b, c in SSO["ns_coeffs"]:
            r = x @ x.T
            x = a * x + (b * r + c * r @ r) @ x
        return x

    def matrix(p, m):
        u, s, v = np.linalg.svd(p, full_matrices=False)
        theta, m = np.outer(u[:, 0], v[0]), m / np.linalg.norm(m)
        high = 2 * np.sqrt(min(p.shape))
        low = -high
        for _ in range(SSO["search_steps"]):
            middle = (low + high) / 2
            if np.sum(theta * msign(m + middle * theta)) < 0:
                low = middle
            else:
                high = middle
        d = msign(m + (low + high) / 2 * theta)
        return SSO["radius"] * np.sqrt(p.shape[1] / p.shape[0]) * (p / s[0] - SSO["learning_rate"] * d)

    def step(leaf, p, g, t):
        b1 = SSO["adam_b1"] if g.ndim == 1 else SSO["beta"]
        mean[leaf] = b1 * mean.get(leaf, 0.0) + (1 - b1) * g
        if g.ndim > 1:
            return matrix(p, mean[leaf])
        b2 = SSO["adam_b2"]
        nu[leaf] = b2 * nu.get(leaf, 0.0) + (1 - b2) * g**2
        u = mean[leaf] / (1 - b1**t) / (np.sqrt(nu[leaf] / (1 - b2**t)) + SSO["eps"])
        return p - SSO["adam_learning_rate"] * (u + SSO["adam_weight_decay"] * p)

    return step


def cases() -> list[Case]:
    few = {"power_steps": "the singular vectors have been found"}
    return [
        numpy_case("sinkgd", {"sinkgd": SINKGD}, "arXiv:2502.06742", sinkgd),
        numpy_case(
            "sso",
            {"spectral_sphere": SSO},
            "arXiv:2601.08393",
            sso,
            problem="calm",
            insensitive=few,
            rtol=1e-9,  # a hundred steps of power iteration and a decomposition agree to 2e-10
        ),
    ]
