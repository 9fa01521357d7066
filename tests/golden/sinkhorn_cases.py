"""Gradients without a length: SinkGD."""

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


def cases() -> list[Case]:
    return [numpy_case("sinkgd", {"sinkgd": SINKGD}, "arXiv:2502.06742", sinkgd)]
