"""What acts on the updates of any optimizer, or on gradients before it."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytorch_optimizer
from oracles import Case, numpy_case, record, torch_case
from problems import STEPS, Problem, Tree

LR, B1, B2, EPS = 0.03, 0.85, 0.97, 1e-3
RATE = {"scale_by_learning_rate": {"learning_rate": LR}}
MOMENTS = {"b1": B1, "b2": B2, "eps": EPS}
SGD = {"sgd": {"learning_rate": 0.05, "momentum": 0.8}}


def adam() -> Callable:
    """direction(leaf, g, t) of Adam."""
    m, v = defaultdict(float), defaultdict(float)

    def direction(leaf, g, t):
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = B2 * v[leaf] + (1 - B2) * g * g
        return m[leaf] / (1 - B1**t) / (np.sqrt(v[leaf] / (1 - B2**t)) + EPS)

    return direction


def momentum() -> Callable:
    m = defaultdict(float)

    def direction(leaf, g, t):
        m[leaf] = 0.8 * m[leaf] + g
        return m[leaf]

    return direction


def cautious():
    direction = adam()

    def step(leaf, p, g, t):
        u = direction(leaf, g, t)
        agree = (u * g > 0).astype(float)
        return p - LR * (u * agree / max(agree.mean(), 0.6) + 0.3 * p)

    return step


def cautious_decay():
    direction = adam()

    def step(leaf, p, g, t):
        u = direction(leaf, g, t)
        return p - LR * (u + 0.3 * (u * p >= 0) * p)

    return step


def orthograd(keep_norm: bool):
    def rule():
        direction = adam()

        def step(leaf, p, g, t):
            u = g - p * np.sum(p * g) / (np.sum(p * p) + 0.5)
            size = np.linalg.norm(u)
            factor = np.linalg.norm(g) / (size + 0.5) if keep_norm else 1
            return p - LR * direction(leaf, factor * u, t)

        return step

    return rule


def grafting(whole: bool):
    def run(problem: Problem) -> Tree:
        way, far, params = adam(), momentum(), dict(problem.params)

        def steps():
            for t in range(STEPS):
                grads = {k: g[t] for k, g in problem.grads.items()}
                d = {k: way(k, g, t + 1) for k, g in grads.items()}
                m = {k: far(k, g, t + 1) for k, g in grads.items()}
                for k, p in params.items():
                    over = list(params) if whole else [k]
                    top, below = (np.sqrt(sum(np.sum(x[j] ** 2) for j in over)) for x in (m, d))
                    params[k] = p - LR * d[k] * (top / below if below else 0)
                yield params

        return record(steps())

    return run


def weighted():
    way, far = adam(), momentum()

    def step(leaf, p, g, t):
        return p - 0.7 * LR * way(leaf, g, t) - 0.4 * 0.05 * far(leaf, g, t)

    return step


def erfi(x):
    """By its series, whose terms are all of one sign."""
    terms = (x ** (2 * n + 1) / (math.factorial(n) * (2 * n + 1)) for n in range(150))
    return 2 / math.sqrt(math.pi) * sum(terms)


def trac(problem: Problem) -> Tree:
    b = np.array([0.9, 0.99, 0.999])
    direction, params, start = adam(), dict(problem.params), dict(problem.params)
    v, sigma, moved = 0 * b, 0 * b, {k: 0 * p for k, p in params.items()}

    def steps() -> Iterator[Tree]:
        nonlocal v, sigma
        for t in range(STEPS):
            grads = {k: g[t] for k, g in problem.grads.items()}
            h = sum(np.sum(moved[k] * g) for k, g in grads.items())
            v, sigma = b**2 * v + h**2, b * sigma - h
            s = max(0.2 / erfi(0.5**0.5) * np.sum(erfi(sigma / (np.sqrt(2 * v) + 0.5))), 0)
            for k, g in grads.items():
                moved[k] = moved[k] - LR * direction(k, g, t + 1)
                params[k] = start[k] + s * moved[k]
            yield params

    return record(steps())


def lazy():
    m, v, age = defaultdict(float), defaultdict(float), defaultdict(int)

    def step(leaf, p, g, t):
        p = p.copy()
        for i in range(len(p)) if leaf == "w" else [slice(None)]:
            if not np.any(g[i]) and leaf == "w":
                continue
            at = leaf, str(i)
            age[at] += 1
            m[at] = B1 * m[at] + (1 - B1) * g[i]
            v[at] = B2 * v[at] + (1 - B2) * g[i] ** 2
            u = m[at] / (1 - B1 ** age[at]) / (np.sqrt(v[at] / (1 - B2 ** age[at])) + EPS)
            p[i] = p[i] - LR * u - LR * 0.3 * p[i]
        return p

    return step


def diloco(problem: Problem) -> Tree:
    """Leaves and what they are evaluated at, "average/w", "average/b"."""
    direction, params, anchor = adam(), dict(problem.params), dict(problem.params)
    velocity = {k: 0 * p for k, p in params.items()}

    def steps():
        for t in range(STEPS):
            for k, p in params.items():
                params[k] = p - LR * direction(k, problem.grads[k][t], t + 1)
            if t % 4 == 3:
                for k, p in params.items():
                    way = anchor[k] - p
                    velocity[k] = 0.6 * velocity[k] + way
                    anchor[k] = params[k] = anchor[k] - 0.8 * (way + 0.6 * velocity[k])
            yield {**params, **{f"average/{k}": p for k, p in anchor.items()}}

    return record(steps())


def cases() -> list[Case]:
    scaled, adam_config = {"scale_by_adam": MOMENTS}, {"adam": {"learning_rate": LR, **MOMENTS}}
    decay = {"add_decayed_weights": {"weight_decay": 0.3}}
    both = {"direction": scaled, "magnitude": {"trace": {"decay": 0.8}}}
    weights, source = {"weights": {"a": 0.7, "b": 0.4}}, "arXiv:2002.11803, section 2"

    def case(name: str, config: dict, source: str, run: Callable, **rest) -> Case:
        return Case(name, config, "numpy", f"transcribed from {source}", run, **rest)

    return [
        numpy_case(
            "cautious",
            {"chain": [{"cautious": {"tx": scaled, "eps": 0.6, "descends": False}}, decay, RATE]},
            "arXiv:2411.16085, algorithm 1, with the mean of the mask as in the authors' code",
            cautious,
        ),
        numpy_case(
            "cautious_decay",
            {"chain": [scaled, {"add_cautious_decayed_weights": {"weight_decay": 0.3}}, RATE]},
            "arXiv:2510.12402, algorithm 1",
            cautious_decay,
        ),
        torch_case(
            "grams",
            {"chain": [{"grams": {"tx": scaled, "descends": False}}, decay, RATE]},
            pytorch_optimizer.Grams,
            {"lr": LR, "betas": (B1, B2), "eps": EPS, "weight_decay": 0.3, "weight_decouple": True},
            "pytorch-optimizer",
        ),
        numpy_case(
            "orthograd",
            {"chain": [{"orthograd": {"eps": 0.5}}, adam_config]},
            "arXiv:2501.04697, equation 9, with the norm kept as in the authors' code",
            orthograd(True),
        ),
        case("grafting", {"chain": [{"grafting": both}, RATE]}, source, grafting(False)),
        case(
            "grafting_tree", {"chain": [{"grafting": {**both, "over": "tree"}}, RATE]}, source, grafting(True)
        ),
        numpy_case(
            "parallel",
            {"parallel": {"branches": {"a": adam_config, "b": SGD}, **weights}},
            "the weighted sum of both",
            weighted,
        ),
        case(
            "trac",
            {"trac": {"base_optimizer": adam_config, "s_init": 0.2, "eps": 0.5, "num_betas": 3}},
            "arXiv:2405.16642, algorithms 1 and 2, with s at least 0",
            trac,
            problem="calm",
        ),
        numpy_case(
            "lazy_rows",
            {
                "lazy_rows": {
                    "tx": {"adamw": {"learning_rate": LR, **MOMENTS, "weight_decay": 0.3}},
                    "mask": "w",
                }
            },
            "Adam with decoupled decay, row by row",
            lazy,
            notes="a row without a gradient in any step, and a step without any",
        ),
        case(
            "diloco",
            {
                "diloco": {
                    "inner": adam_config,
                    "outer": {"sgd": {"learning_rate": 0.8, "momentum": 0.6, "nesterov": True}},
                    "every": 4,
                }
            },
            "arXiv:2311.08105, algorithm 1, with one replica",
            diloco,
        ),
    ]
