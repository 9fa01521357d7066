"""Kin of Shampoo: SPlus, CASPR."""

from unittest import mock

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, call_text, numpy_case, torch_steps

B1, B2 = 0.85, 0.97


CASPR = {
    "learning_rate": 0.03,
    "b1": B1,
    "b2": B2,
    "eps": 1e-3,
    "precondition_frequency": 1,
    "grafting": None,
    "weight_decay": 0.2,
}


def caspr():
    """The Kronecker sum of both sides' roots, squared, on the rows of the matrix laid end to end."""
    mean, left, right = {}, {}, {}

    def kept(to, leaf, x, b):
        to[leaf] = b * to.get(leaf, 0.0) + (1 - b) * x
        return to[leaf]

    def root(x):
        values, vectors = np.linalg.eigh(x)
        return vectors * (values.clip(0) + CASPR["eps"] * values[-1]) ** -0.25 @ vectors.T

    def step(leaf, p, g, t):
        m = kept(mean, leaf, g, B1) / (1 - B1**t)
        if g.ndim == 1:
            u = m / (np.sqrt(kept(left, leaf, g**2, B2) / (1 - B2**t)) + CASPR["eps"])
        else:
            a = root(kept(left, leaf, g @ g.T, B2) / (1 - B2**t))
            b = root(kept(right, leaf, g.T @ g, B2) / (1 - B2**t))
            both = (np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b)) / 2
            u = (both @ both @ m.reshape(-1)).reshape(g.shape)
        return p - CASPR["learning_rate"] * (u + CASPR["weight_decay"] * p)

    return step


def cases() -> list[Case]:
    kwargs = {"lr": 0.3, "betas": (B1, B2), "weight_decay": 0.0, "inverse_steps": 1, "foreach": False}
    kwargs |= {"nonstandard_constant": 0.04, "max_dim": 7}
    run = torch_steps(lambda params: pytorch_optimizer.SPlus(list(params.values()), **kwargs))

    def in_float64(problem):
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.clone):
            return run(problem)

    config = {"learning_rate": 0.3, "b1": B1, "b2": B2, "precondition_frequency": 1, "vector_scale": 0.04}
    config["sides"] = (
        "right"  # as theirs with max_dim 7; of 7 rows 5 columns leave two directions open at first
    )
    return [
        Case(
            "splus",
            {"splus": config},
            "pytorch-optimizer",
            call_text(pytorch_optimizer.SPlus, kwargs) + " in float64",
            in_float64,
            problem="calm",
        ),
        numpy_case("caspr", {"caspr": CASPR}, "arXiv:2311.10085, algorithm 1", caspr, problem="calm"),
    ]
