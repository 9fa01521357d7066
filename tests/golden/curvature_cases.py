"""Sophia, GaLore and SAM on given gradients."""

from collections import defaultdict
from unittest import mock

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, call_text, detached, numpy_case, record, set_grads, tensors
from problems import STEPS, Problem, Tree

SOPHIA = {
    "learning_rate": 0.05,
    "b1": 0.9,
    "b2": 0.8,
    "eps": 0.05,
    "weight_decay": 0.1,
    "gamma": 0.4,
    "clip_threshold": 0.7,
    "update_interval": 3,
}


def sophia():
    """Algorithm 3, with twice the gradient for an estimate of the Hessian."""
    c, m, h = SOPHIA, defaultdict(float), defaultdict(float)

    def step(leaf, p, g, t):
        m[leaf] = c["b1"] * m[leaf] + (1 - c["b1"]) * g
        if t % c["update_interval"] == 1:
            h[leaf] = c["b2"] * h[leaf] + (1 - c["b2"]) * 2 * g
        p = p - c["learning_rate"] * c["weight_decay"] * p
        u = m[leaf] / np.maximum(c["gamma"] * h[leaf], c["eps"])
        return p - c["learning_rate"] * np.clip(u, -c["clip_threshold"], c["clip_threshold"])

    return step


ADAM = {"b1": 0.8, "b2": 0.9, "eps": 1e-3}
GALORE = {
    "learning_rate": 0.05,
    "rank": 2,
    "update_proj_gap": 4,
    "scale": 0.6,
    "base_optimizer": {"scale_by_adam": ADAM},
    "weight_decay": 0.3,
}


def galore():
    """Algorithm 2: the matrix projected along its shorter side, a vector as it is."""
    basis, m, v = {}, defaultdict(float), defaultdict(float)

    def adam(leaf, g, t):
        m[leaf] = ADAM["b1"] * m[leaf] + (1 - ADAM["b1"]) * g
        v[leaf] = ADAM["b2"] * v[leaf] + (1 - ADAM["b2"]) * g**2
        mean, square = m[leaf] / (1 - ADAM["b1"] ** t), v[leaf] / (1 - ADAM["b2"] ** t)
        return mean / (np.sqrt(square) + ADAM["eps"])

    def step(leaf, p, g, t):
        if g.ndim == 1:
            u = adam(leaf, g, t)
        else:
            left = g.shape[0] <= g.shape[1]
            if (t - 1) % GALORE["update_proj_gap"] == 0:
                rows, _, cols = np.linalg.svd(g, full_matrices=False)
                basis[leaf] = rows[:, : GALORE["rank"]] if left else cols[: GALORE["rank"]].T
            at = basis[leaf]
            u = GALORE["scale"] * (at @ adam(leaf, at.T @ g, t) if left else adam(leaf, g @ at, t) @ at.T)
        return p - GALORE["learning_rate"] * (u + GALORE["weight_decay"] * p)

    return step


SGD = {"lr": 0.05, "momentum": 0.8}


def squares(groups, **_) -> torch.Tensor:
    """The sum of squares of all gradients; the library's own is in float32."""
    return sum(p.grad.square().sum() for group in groups for p in group["params"]).reshape(1)


def run_sam(problem: Problem) -> Tree:
    """Every other gradient climbs, the next one steps."""
    params = tensors(problem.params)
    opt = pytorch_optimizer.SAM(list(params.values()), base_optimizer=torch.optim.SGD, rho=0.3, **SGD)
    norm = f"{pytorch_optimizer.SAM.__module__}.get_global_gradient_norm"

    def steps():
        for t in range(STEPS):
            set_grads(params, problem.grads, t)
            with mock.patch(norm, squares):
                (opt.second_step if t % 2 else opt.first_step)(zero_grad=True)
            yield detached(params)

    return record(steps())


def cases() -> list[Case]:
    normalized = {"chain": [{"normalize": {}}, {"sgd": {"learning_rate": 0.3}}]}
    sgd = {"sgd": {"learning_rate": 0.05, "momentum": 0.8}}
    paper = "arXiv:2403.03507, algorithm 2"
    return [
        numpy_case(
            "sophia",
            {"sophia": {**SOPHIA, "hessian_diagonal_fn": {"scale": {"step_size": 2.0}}}},
            "arXiv:2305.14342, algorithm 3, with twice the gradient for the Hessian",
            sophia,
        ),
        numpy_case("galore", {"galore": GALORE}, paper, galore, problem="calm"),
        Case(
            "sam",
            {"sam": {"optimizer": sgd, "adv_optimizer": normalized}},
            "pytorch_optimizer",
            f"pytorch_optimizer.SAM({call_text(torch.optim.SGD, SGD)}, rho=0.3), first_step and second_step",
            run_sam,
            notes="its norm of the gradient in float64",
        ),
    ]
