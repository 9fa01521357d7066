"""Kin of Shampoo: SPlus, CASPR; Alice, with bases that follow."""

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, call_text, numpy_case, record, torch_steps

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


SPLUS = {
    "learning_rate": 0.3,
    "b1": B1,
    "b2": B2,
    "precondition_frequency": 1,
    "vector_scale": 0.04,
    "sides": "right",
    "weight_decay": 0.2,
}


def splus():
    """Signs of the momentum in the eigenvectors of the mean of g^T g before this step; decay scaled alike."""
    mean, right, basis = {}, {}, {}

    def step(leaf, p, g, t):
        mean[leaf] = B1 * mean.get(leaf, 0.0) + (1 - B1) * g
        u, factor = np.sign(mean[leaf]), SPLUS["vector_scale"]
        if g.ndim > 1:
            q, factor = basis.get(leaf, np.eye(g.shape[1])), 2 / sum(g.shape)
            u = np.sign(mean[leaf] @ q) @ q.T
            right[leaf] = B2 * right.get(leaf, 0.0) + (1 - B2) * g.T @ g
            basis[leaf] = np.linalg.eigh(right[leaf])[1]
        return p - SPLUS["learning_rate"] * factor * (u + SPLUS["weight_decay"] * p)

    return step


ALICE = {
    "learning_rate": 0.03,
    "rank": 3,
    "update_proj_gap": 13,
    "scale": 0.7,
    "base_optimizer": {"scale_by_adam": {"b1": 0.0, "b2": 0.8, "eps": 1e-3, "bias_correction": False}},
    "weight_decay": 0.2,
    "leading": 3,
    "b1": 0.7,
    "b3": 0.6,
    "compensation": 0.3,
    "gamma": 1.05,
    "eps": 1e-3,
}


def alice_updates():
    """By the reference in tests/reference, on whole runs: a matrix is turned to have its short side first."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "reference"))
    import alice

    names = ("rank", "leading", "scale", "b1", "b3", "compensation", "gamma", "eps")
    given = {k: ALICE[k] for k in names} | {"every": ALICE["update_proj_gap"], "b2": 0.8}

    def run(problem):
        none = [np.zeros((problem.grads["w"].shape[2], 0))] * 2
        turned = alice.alice([g.T for g in problem.grads["w"]], none, **given)
        params, v = dict(problem.params), 0.0

        def steps():
            nonlocal v
            for t, u in enumerate(turned):
                g = problem.grads["b"][t]
                v = 0.8 * v + 0.2 * g**2
                for leaf, x in (("w", u.T), ("b", g / (np.sqrt(v) + 1e-3))):
                    p = params[leaf]
                    params[leaf] = p - ALICE["learning_rate"] * (x + ALICE["weight_decay"] * p)
                yield params

        return record(steps())

    return Case(
        "alice",
        {"alice": ALICE},
        "numpy",
        "tests/reference/alice.py, without drawn directions: two bases, for a third depends on signs",
        run,
        problem="calm",
        insensitive={"leading": "at 3 and more all stay; those drawn below that are tested elsewhere"},
    )


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
        numpy_case("splus_decay", {"splus": SPLUS}, "arXiv:2506.07254, algorithm 1", splus, problem="calm"),
        alice_updates(),
    ]
