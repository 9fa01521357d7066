"""Rules that look at the singular values of a matrix: Muon."""

from collections import defaultdict
from unittest import mock

import numpy as np
import torch
from layer_cases import per_layer
from oracles import Case, Run, numpy_case, torch_steps
from problems import Problem, Tree

ADAM = {"lr": 0.01, "betas": (0.8, 0.97), "eps": 0.0, "weight_decay": 0.2}
CONFIG = {
    "learning_rate": 0.03,
    "ns_coeffs": [3.4, -4.7, 2.0],
    "ns_steps": 4,
    "beta": 0.9,
    "eps": 0.0,
    "weight_decay": 0.4,
    "adam_b1": 0.8,
    "adam_b2": 0.97,
    "adam_weight_decay": 0.2,
    "adam_learning_rate": 0.01,
}
MUON = {
    "lr": 0.03,
    "weight_decay": 0.4,
    "momentum": 0.9,
    "ns_coefficients": (3.4, -4.7, 2.0),
    "ns_steps": 4,
    "eps": 0.0,
}


def transposed(run: Run) -> Run:
    """Run an oracle on (out, in) weights, as torch has them."""

    def on_transposed(problem: Problem) -> Tree:
        turn = lambda x: np.ascontiguousarray(np.swapaxes(x, -1, -2)) if x.ndim > 1 else x  # noqa: E731
        params = {name: turn(p) for name, p in problem.params.items()}
        grads = {name: turn(g) if g.ndim > 2 else g for name, g in problem.grads.items()}
        taken = run(Problem(params, grads))
        return {name: turn(leaf) if leaf.ndim > 2 else leaf for name, leaf in taken.items()}

    return on_transposed


class Both:
    """torch.optim.Muon for the matrices and AdamW for the vectors, with products in float64."""

    def __init__(self, params: list[torch.Tensor], **kwargs):
        self.parts = [
            torch.optim.Muon([p for p in params if p.ndim == 2], **kwargs),
            torch.optim.AdamW([p for p in params if p.ndim < 2], **ADAM),
        ]

    def step(self) -> None:
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # it would round to bfloat16
            for part in self.parts:
                part.step()


def torch_muon(name: str, config: dict, layers: bool = False, notes: str = "", **kwargs) -> Case:
    kwargs = {**MUON, **kwargs}
    run = transposed(torch_steps(lambda params: Both(list(params.values()), **kwargs)))
    call = f"torch.optim.Muon({', '.join(f'{k}={v!r}' for k, v in kwargs.items())}) in float64, AdamW for b"
    run = per_layer(run) if layers else run
    problem = "stack" if layers else "calm"
    return Case(name, {"muon": {**CONFIG, **config}}, "torch", call, run, problem=problem, notes=notes)


def jordan():
    """Momentum, the Newton-Schulz iteration and the scale as in the article, for weights [in, out]."""
    momentum = defaultdict(float)
    a, b, c = 3.4445, -4.7750, 2.0315
    lr, beta, eps = 0.05, 0.9, 1e-2

    def step(leaf, p, g, t):
        g = np.atleast_2d(g)
        momentum[leaf] = beta * momentum[leaf] + (1 - beta) * g
        x = (beta * momentum[leaf] + (1 - beta) * g).T  # [out, in]
        out, inputs = x.shape
        x = x if out <= inputs else x.T
        x = x / (np.linalg.norm(x) + eps)
        for _ in range(5):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        x = x if out <= inputs else x.T
        return p - lr * np.sqrt(max(1, out / inputs)) * x.T.reshape(p.shape)

    return step


def cases() -> list[Case]:
    link = {"scale_by_muon": {"beta": 0.9, "eps": 1e-2}}
    return [
        torch_muon("muon", {}),
        torch_muon("muon_plain_momentum", {"nesterov": False}, nesterov=False),
        torch_muon("muon_rms", {"consistent_rms": 0.2}, adjust_lr_fn="match_rms_adamw"),
        torch_muon("muon_stack", {}, layers=True, notes="layers of a stack are matrices of their own"),
        numpy_case(
            "scale_by_muon",
            {"chain": [link, {"scale_by_shape": {}}, {"scale_by_learning_rate": {"learning_rate": 0.05}}]},
            "Jordan 2024, Muon: an optimizer for hidden layers in neural networks; a vector is one row",
            jordan,
        ),
    ]
