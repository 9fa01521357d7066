"""Wrappers: GPA, schedule-free RAdam, hypergradients, AdaHessian."""

from collections.abc import Callable

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, detached, record, set_grads, tensors
from problems import STEPS, Problem, Tree
from rate_free_cases import schedule_free_case
from schedulefree import RAdamScheduleFree

LR, B1, B2, EPS = 0.03, 0.85, 0.97, 1e-3
ADAM = {"b1": B1, "b2": B2, "eps": EPS}


def whole(name: str, config: dict, source: str, rule: Callable, **rest) -> Case:
    """`rule(params)` gives step(grads, t) -> what is recorded, on whole trees, t from 1."""

    def run(problem: Problem) -> Tree:
        step = rule({k: p.copy() for k, p in problem.params.items()})
        return record(step({k: g[t] for k, g in problem.grads.items()}, t + 1) for t in range(STEPS))

    return Case(name, config, "numpy", f"transcribed from {source}", run, **rest)


def adam(params: Tree) -> Callable:
    m, v = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(2))

    def step(g: Tree, t: int) -> Tree:
        for k in g:
            m[k] = B1 * m[k] + (1 - B1) * g[k]
            v[k] = B2 * v[k] + (1 - B2) * g[k] ** 2
        return {k: m[k] / (1 - B1**t) / (np.sqrt(v[k] / (1 - B2**t)) + EPS) for k in g}

    return step


def gpa(params: Tree) -> Callable:
    x, z, base = dict(params), dict(params), adam(params)

    def step(g: Tree, t: int) -> Tree:
        u = base(g, t)
        for k in g:
            z[k] = z[k] - LR * (u[k] + 0.3 * z[k])
            x[k] = 0.9 * x[k] + 0.1 * z[k]
        return {**{k: 0.6 * x[k] + 0.4 * z[k] for k in g}, **{f"average/{k}": x[k] for k in g}}

    return step


def dot(a: Tree, b: Tree) -> float:
    return sum(float(np.sum(a[k] * b[k])) for k in a)


def adam_hd(params: Tree) -> Callable:
    base, last = adam(params), {k: np.zeros_like(p) for k, p in params.items()}
    rate = LR

    def step(g: Tree, t: int) -> Tree:
        nonlocal rate, last
        rate = rate + 1e-3 * dot(g, last)
        last = base(g, t)
        for k in g:
            params[k] = params[k] - rate * last[k]
        return dict(params)

    return step


def sgd_hd(params: Tree) -> Callable:
    last = {k: np.zeros_like(p) for k, p in params.items()}
    rate = LR

    def step(g: Tree, t: int) -> Tree:
        nonlocal rate, last
        size = np.sqrt(dot(g, g) * dot(last, last))
        rate = rate * (1 + (0.2 * dot(g, last) / size if size else 0.0))
        last = {k: 0.8 * last[k] + g[k] for k in g}
        for k in g:
            params[k] = params[k] - rate * last[k]
        return dict(params)

    return step


def adahessian_case() -> Case:
    kwargs = {"lr": LR, "betas": (B1, B2), "eps": EPS, "hessian_power": 0.8, "weight_decay": 0.3}

    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = pytorch_optimizer.AdaHessian(list(params.values()), **kwargs, foreach=False)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step(hessian=[0.5 * torch.tensor(problem.grads[k][t]) for k in params])
                yield detached(params)

        return record(steps())

    diagonal = {"scale": {"step_size": 0.5}}
    rest = {"hessian_power": 0.8, "weight_decay": 0.3, "hessian_diagonal_fn": diagonal}
    return Case(
        "adahessian",
        {"adahessian": {"learning_rate": LR, **ADAM, **rest}},
        "pytorch-optimizer",
        "pytorch_optimizer.AdaHessian(hessian_power=0.8, weight_decay=0.3).step(hessian=0.5 g)",
        run,
        problem="calm",
    )


def cases() -> list[Case]:
    rate = {"learning_rate": LR}
    return [
        whole(
            "gpa_adamw",
            {"gpa_adamw": {**rate, **ADAM, "weight_decay": 0.3, "mu_x": 0.9, "mu_y": 0.6}},
            "arXiv:2512.17131, algorithm 1 with AdamW on z",
            gpa,
        ),
        whole(
            "hypergradient_adam",
            {"hypergradient_adam": {**rate, "hypergradient_rate": 1e-3, **ADAM}},
            "arXiv:1703.04782, algorithm 6",
            adam_hd,
            problem="calm",
        ),
        whole(
            "hypergradient_sgd",
            {
                "hypergradient_sgd": {
                    **rate,
                    "hypergradient_rate": 0.2,
                    "momentum": 0.8,
                    "multiplicative": True,
                }
            },
            "arXiv:1703.04782, the multiplicative rule",
            sgd_hd,
            problem="calm",
        ),
        adahessian_case(),
        schedule_free_case(
            "schedule_free_radam",
            {
                "schedule_free_radam": {
                    **rate,
                    **ADAM,
                    "weight_decay": 0.05,
                    "weight_lr_power": 1.5,
                    "weight_power": 0.7,
                }
            },
            RAdamScheduleFree,
            {"lr": LR, "betas": (B1, B2), "eps": EPS, "weight_decay": 0.05, "weight_lr_power": 1.5, "r": 0.7},
        ),
    ]
