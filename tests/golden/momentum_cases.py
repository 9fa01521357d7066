"""Momentum and signs: AggMo, QHM, AccSGD, averaged SGD, SGD-SaI, Amos, Tiger, Grokfast."""

from collections import defaultdict, deque

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, call_text, detached, numpy_case, record, set_grads, tensors, torch_case
from problems import STEPS, Problem, Tree
from pytorch_optimizer.optimizer.grokfast import gradfilter_ema

DECAY = {"weight_decay": 0.3}


def other(name: str, config: dict, cls: type, kwargs: dict, **rest) -> Case:
    return torch_case(name, config, cls, {**kwargs, "foreach": False}, library="pytorch-optimizer", **rest)


def asgd_case() -> Case:
    kwargs = {"lr": 0.2, "lambd": 0.3, "alpha": 0.6, "t0": 5, **DECAY}

    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = torch.optim.ASGD(list(params.values()), **kwargs)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step()
                means = {f"average/{name}": opt.state[p]["ax"].numpy() for name, p in params.items()}
                yield {**detached(params), **means}

        return record(steps())

    config = {"asgd": {"learning_rate": 0.2, "lambd": 0.3, "power": 0.6, "t0": 5, **DECAY}}
    return Case("asgd", config, "torch", call_text(torch.optim.ASGD, kwargs), run)


def sgd_sai():
    m, ratio = {}, {}

    def step(leaf, p, g, t):
        if t == 1:
            m[leaf], ratio[leaf] = g, np.linalg.norm(g) / (np.std(g, ddof=1) + 0.1)
        m[leaf] = 0.8 * m[leaf] + 0.2 * g
        return p - 0.02 * (ratio[leaf] * m[leaf] + 0.3 * p)

    return step


def amos():
    v, b, m = defaultdict(float), defaultdict(float), defaultdict(float)
    rate, zeta = 0.2, 0.5

    def step(leaf, p, g, t):
        square = np.mean(g * g, 0, keepdims=True) if p.ndim > 1 else g * g
        eta = p.shape[0] ** -0.5 if p.ndim > 1 else 0.5
        v[leaf] = 0.97 * v[leaf] + 0.03 * square
        hat = v[leaf] / (1 - 0.97**t)
        seen = hat > 0
        inverse = np.where(seen, 1 / np.where(seen, hat, 1), 0)
        gamma = rate**2 * inverse * square / np.sqrt(1 + zeta * np.sqrt(rate) * b[leaf])
        fade = 1 + zeta * np.sqrt(rate * eta) * b[leaf]
        m[leaf] = 0.8 * m[leaf] - 0.2 * (rate * eta * np.sqrt(inverse) * g + gamma * p / 2) / fade
        b[leaf] = b[leaf] + gamma * (1 + b[leaf])
        return p + m[leaf]

    return step


def tiger_relative():
    m = defaultdict(float)

    def step(leaf, p, g, t):
        m[leaf] = 0.8 * m[leaf] + 0.2 * g
        return p - 0.02 * np.sqrt(np.mean(p * p)) * (np.sign(m[leaf]) + 0.3 * p)

    return step


def grokfast_window():
    last = defaultdict(lambda: deque(maxlen=4))

    def step(leaf, p, g, t):
        last[leaf].append(g)
        return p - 0.05 * (g + 3.0 * sum(last[leaf]) / 4 if t >= 4 else g)

    return step


def grokfast_case() -> Case:
    adam = {"lr": 0.03, "betas": (0.85, 0.97), "eps": 1e-3}

    def run(problem: Problem) -> Tree:
        module = torch.nn.ParameterDict(
            {n: torch.nn.Parameter(p) for n, p in tensors(problem.params).items()}
        )
        params, grads = dict(module.named_parameters()), None
        opt = torch.optim.Adam(list(params.values()), **adam)

        def steps():
            nonlocal grads
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                grads = gradfilter_ema(module, grads, alpha=0.9, lamb=3.0)
                opt.step()
                yield detached(params)

        return record(steps())

    inner = {"learning_rate": 0.03, "b1": 0.85, "b2": 0.97, "eps": 1e-3}
    return Case(
        "grokfast_ema",
        {"chain": [{"grokfast_ema": {"decay": 0.9, "lamb": 3.0}}, {"adam": inner}]},
        "pytorch-optimizer",
        "pytorch_optimizer.gradfilter_ema(alpha=0.9, lamb=3.0) before torch.optim.Adam",
        run,
    )


def cases() -> list[Case]:
    rate, step = {"learning_rate": 0.02}, {"lr": 0.02}
    return [
        other(
            "aggmo",
            {"aggmo": {**rate, "decays": [0.1, 0.7, 0.95], **DECAY}},
            pytorch_optimizer.AggMo,
            {**step, "betas": (0.1, 0.7, 0.95), **DECAY, "weight_decouple": True},
        ),
        other(
            "qhm",
            {"qhm": {**rate, "b1": 0.8, "nu": 0.6, **DECAY}},
            pytorch_optimizer.QHM,
            {**step, "momentum": 0.8, "nu": 0.6, **DECAY, "weight_decouple": True},
        ),
        other(
            "accsgd",
            {"accsgd": {**rate, "kappa": 30.0, "xi": 4.0, "small_const": 0.6, **DECAY}},
            pytorch_optimizer.AccSGD,
            {**step, "kappa": 30.0, "xi": 4.0, "constant": 0.6, **DECAY},
        ),
        asgd_case(),
        numpy_case(
            "sgd_sai",
            {"sgd_sai": {**rate, "b1": 0.8, "eps": 0.1, **DECAY}},
            "arXiv:2412.11768, algorithm 1, its mean beginning at the first gradient",
            sgd_sai,
        ),
        numpy_case(
            "amos",
            {"amos": {"learning_rate": 0.2, "b2": 0.97, "zeta": 0.5, "momentum": 0.8}},
            "arXiv:2210.11693, algorithm 1, statistics shared by the rows of a matrix",
            amos,
        ),
        other(
            "tiger",
            {"tiger": {**rate, "beta": 0.8, **DECAY}},
            pytorch_optimizer.Tiger,
            {**step, "beta": 0.8, **DECAY},
        ),
        numpy_case(
            "tiger_relative",
            {"tiger": {**rate, "beta": 0.8, **DECAY, "multiply_by_parameter_scale": True}},
            "the author's update of a matrix, lr times the root mean square of p",
            tiger_relative,
            problem="calm",
        ),
        grokfast_case(),
        numpy_case(
            "grokfast_ma",
            {"chain": [{"grokfast_ma": {"window_size": 4, "lamb": 3.0}}, {"sgd": {"learning_rate": 0.05}}]},
            "arXiv:2405.20233, algorithm 1, with the mean of a full window",
            grokfast_window,
        ),
    ]
