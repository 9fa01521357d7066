"""Shampoo that takes the length of its steps from another method, layer by layer."""

from collections import defaultdict

import numpy as np
from oracles import Case, numpy_case

LR, B1, B2, EPS, DECAY, EVERY, ROOT = 0.05, 0.8, 0.9, 1e-2, 0.3, 3, 3
GRAFT = {"b1": 0.7, "b2": 0.95, "eps": 3e-2}
CONFIG = {
    "learning_rate": LR,
    "b1": B1,
    "b2": B2,
    "eps": EPS,
    "weight_decay": DECAY,
    "precondition_frequency": EVERY,
    "root": ROOT,
    "grafting": {"scale_by_adam": GRAFT},
}


def mean(old, x, decay, t):
    """A running mean, and the same with its bias corrected."""
    new = decay * old + (1 - decay) * x
    return new, new / (1 - decay**t)


def inverse_root(x):
    values, vectors = np.linalg.eigh(x)
    return vectors @ np.diag((values + EPS * values[-1]) ** (-1 / ROOT)) @ vectors.T


def adam(state, g, t, b1, b2, eps):
    state["m"], m = mean(state["m"], g, b1, t)
    state["v"], v = mean(state["v"], g * g, b2, t)
    return m / (np.sqrt(v) + eps)


def shampoo():
    states = defaultdict(lambda: defaultdict(float))
    others = defaultdict(lambda: defaultdict(float))

    def direction(s, g, t):
        if g.ndim < 2:
            return adam(s, g, t, B1, B2, EPS)
        s["m"], m = mean(s["m"], g, B1, t)
        s["left"], left = mean(s["left"], g @ g.T, B2, t)
        s["right"], right = mean(s["right"], g.T @ g, B2, t)
        if (t - 1) % EVERY == 0:
            s["a"], s["b"] = inverse_root(left), inverse_root(right)
        return s["a"] @ m @ s["b"]

    def step(leaf, p, g, t):
        u, v = direction(states[leaf], g, t), adam(others[leaf], g, t, **GRAFT)
        u = u * np.linalg.norm(v) / np.linalg.norm(u)
        return p - LR * (u + DECAY * p)

    return step


def cases() -> list[Case]:
    return [
        numpy_case(
            "shampoo_grafted",
            {"shampoo": CONFIG},
            "arXiv:2309.06497: Shampoo with grafting; a vector is preconditioned by its diagonal",
            shampoo,
            problem="calm",
        )
    ]
