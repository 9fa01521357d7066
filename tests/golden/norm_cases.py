"""Norms, means and maxima of a layer, and the norm of all gradients: fromage, sm3, centralize, normalize."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_optimizer
from oracles import Case, numpy_case, record, torch_case
from problems import STEPS, Problem, Tree


def fromage_cases() -> list[Case]:
    def bounded():
        def step(leaf, p, g, t):
            sizes = [max(np.linalg.norm(x), 3.0) for x in (p, g)]
            return (p - 0.05 * sizes[0] / sizes[1] * g) / np.sqrt(1 + 0.05**2)

        return step

    return [
        torch_case(
            "fromage",
            {"fromage": {"learning_rate": 0.05}},
            pytorch_optimizer.Fromage,
            {"lr": 0.05},
            library="pytorch-optimizer",
            problem="calm",
        ),
        numpy_case(
            "fromage_bounded",
            {"fromage": {"learning_rate": 0.05, "min_norm": 3.0}},
            "p <- (p - 0.05 max(|p|, 3) / max(|g|, 3) g) / sqrt(1 + 0.05^2), arXiv:2002.03432",
            bounded,
        ),
    ]


def sm3_cases() -> list[Case]:
    def case(name: str, momentum: float, problem: str = "matrix") -> Case:
        link = {"scale_by_sm3": {"b1": momentum, "eps": 1e-3}}
        return torch_case(
            name,
            {"chain": [link, {"scale_by_learning_rate": {"learning_rate": 0.2}}]},
            pytorch_optimizer.SM3,
            {"lr": 0.2, "momentum": momentum, "beta": 0.0, "eps": 1e-3},
            library="pytorch-optimizer",
            problem=problem,
        )

    return [case("sm3", 0.8), case("sm3_calm", 0.9, "calm")]


def linear_cases() -> list[Case]:
    def centred():
        return lambda leaf, p, g, t: p - 0.1 * (g - g.mean(0) if leaf == "w" else g)

    def block():
        return lambda leaf, p, g, t: p - 0.01 * max(np.linalg.norm(p), 4.0) * g

    rate = {"scale_by_learning_rate": {"learning_rate": 0.1}}
    return [
        numpy_case(
            "centralize",
            {"chain": [{"centralize": {}}, rate]},
            "p <- p - 0.1 (g - mean over inputs of g), arXiv:2004.01461",
            centred,
            problem="calm",
        ),
        numpy_case(
            "scale_by_param_block_norm",
            {
                "chain": [
                    {"scale_by_param_block_norm": {"min_scale": 4.0}},
                    {"scale_by_learning_rate": {"learning_rate": 0.01}},
                ]
            },
            "p <- p - 0.01 max(|p|, 4) g",
            block,
            problem="calm",
        ),
        Case(
            "normalize_by_update_norm",
            {"chain": [{"normalize_by_update_norm": {"scale_factor": 0.7, "eps": 1e-2}}, rate]},
            "numpy",
            "transcribed from p <- p - 0.1 * 0.7 g / (|g| + 0.01), |g| over all leaves",
            normalized,
        ),
    ]


def normalized(problem: Problem) -> Tree:
    params = dict(problem.params)

    def steps() -> Iterator[dict[str, Any]]:
        for t in range(STEPS):
            size = np.sqrt(sum(np.sum(g[t] ** 2) for g in problem.grads.values()))
            for leaf in params:
                params[leaf] = params[leaf] - 0.1 * 0.7 * problem.grads[leaf][t] / (size + 0.01)
            yield params

    return record(steps())


def cases() -> list[Case]:
    return [*fromage_cases(), *sm3_cases(), *linear_cases()]
