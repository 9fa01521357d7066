"""Updates without their part along scale-invariant weights: AdamP, SGDP."""

import numpy as np
import torch_optimizer
from oracles import Case, call_text, torch_steps
from problems import Problem, Tree


def turned(name: str, config: dict, cls: type, kwargs: dict) -> Case:
    """A channel is a row in torch and a column here: the matrix is given to the oracle transposed."""
    run = torch_steps(lambda params: cls(list(params.values()), **kwargs))

    def transposed(tree: Tree) -> Tree:
        return {k: np.ascontiguousarray(x.swapaxes(-1, -2)) if k == "w" else x for k, x in tree.items()}

    def turned_run(problem: Problem) -> Tree:
        return transposed(run(Problem(transposed(problem.params), transposed(problem.grads))))

    text = f"{call_text(cls, kwargs)} on transposed matrices"
    return Case(name, config, "torch-optimizer", text, turned_run, problem="calm")


def cases() -> list[Case]:
    """With delta = 1 some steps project columns, some whole leaves, and some nothing."""
    config = {"learning_rate": 0.02, "b1": 0.85, "b2": 0.97, "eps": 1e-3, "weight_decay": 0.3}
    torch = {"lr": 0.02, "betas": (0.85, 0.97), "eps": 1e-3, "weight_decay": 0.3}
    own = {"delta": 1.0, "wd_ratio": 0.4, "nesterov": True}
    sgdp = {"momentum": 0.8, "dampening": 0.3, "eps": 0.1, "weight_decay": 0.3}
    return [
        turned("adamp", {"adamp": {**config, **own}}, torch_optimizer.AdamP, {**torch, **own}),
        turned(
            "sgdp",
            {"sgdp": {"learning_rate": 0.02, **sgdp, **own}},
            torch_optimizer.SGDP,
            {"lr": 0.02, **sgdp, **own},
        ),
    ]
