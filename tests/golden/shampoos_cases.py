"""Kin of Shampoo: SPlus."""

from unittest import mock

import pytorch_optimizer
import torch
from oracles import Case, call_text, torch_steps

B1, B2 = 0.85, 0.97


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
        )
    ]
