"""Rules beside Adam: MARS, LaProp, StableAdamW, AdaBound, AdaMod, DiffGrad, QHAdam, Adai, ..."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import optimi
import pytorch_optimizer
import torch_optimizer
from oracles import Case, numpy_case, torch_case
from problems import STEPS, Problem, Tree

LR, B1, B2, EPS, DECAY = 0.02, 0.85, 0.97, 1e-3, 0.3
CONFIG = {"learning_rate": LR, "b1": B1, "b2": B2, "eps": EPS, "weight_decay": DECAY}
TORCH = {"lr": LR, "betas": (B1, B2), "eps": EPS, "weight_decay": DECAY}
DECOUPLED = {**TORCH, "weight_decouple": True, "foreach": False}
EPS_PLACE = "with eps beside the corrected root, as in Adam"


class Adam:
    """The moments of one leaf."""

    def __init__(self):
        self.t, self.m, self.v = 0, 0.0, 0.0

    def see(self, g, square=None):
        """The corrected moments after a gradient."""
        self.t += 1
        self.m = B1 * self.m + (1 - B1) * g
        self.v = B2 * self.v + (1 - B2) * (g * g if square is None else square)
        return self.m / (1 - B1**self.t), self.v / (1 - B2**self.t)


LEAVES: Callable = lambda: defaultdict(Adam)  # noqa: E731
ZEROS: Callable = lambda: defaultdict(float)  # noqa: E731


def mars(form: str):
    """Algorithm 2 in its approximate form; the first gradient before is 0, as in the authors' code."""

    def rule():
        leaves, before = LEAVES(), ZEROS()

        def step(leaf, p, g, t):
            c = g + 0.2 * B1 / (1 - B1) * (g - before[leaf])
            c = c / max(1, np.linalg.norm(c) / 3.0)
            before[leaf] = g
            m, v = leaves[leaf].see(c)
            u = np.sign(leaves[leaf].m) if form == "lion" else m / (np.sqrt(v) + EPS)
            return p - LR * (u + DECAY * p)

        return step

    return rule


def laprop():
    v, m = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        v[leaf] = B2 * v[leaf] + (1 - B2) * g * g
        m[leaf] = B1 * m[leaf] + (1 - B1) * g / (np.sqrt(v[leaf] / (1 - B2**t)) + EPS)
        return p - LR * (m[leaf] / (1 - B1**t) + DECAY * p)

    return step


def adabound(amsbound: bool):
    def rule():
        leaves, largest = LEAVES(), ZEROS()

        def step(leaf, p, g, t):
            of = leaves[leaf]
            of.see(g)
            largest[leaf] = np.maximum(largest[leaf], of.v) if amsbound else of.v
            rate = LR / (1 - B1**t) / (np.sqrt(largest[leaf] / (1 - B2**t)) + EPS)
            final = LR * 3.0
            rate = np.clip(rate, final * (1 - 1 / (0.2 * t + 1)), final * (1 + 1 / (0.2 * t)))
            return p - rate * of.m - LR * DECAY * p

        return step

    return rule


def adamod():
    leaves, mean = LEAVES(), ZEROS()

    def step(leaf, p, g, t):
        of = leaves[leaf]
        _, v = of.see(g)
        rate = LR / (1 - B1**t) / (np.sqrt(v) + EPS)
        mean[leaf] = 0.8 * mean[leaf] + 0.2 * rate
        return p - np.minimum(rate, mean[leaf]) * of.m - LR * DECAY * p

    return step


def diffgrad():
    leaves, before = LEAVES(), ZEROS()

    def step(leaf, p, g, t):
        m, v = leaves[leaf].see(g)
        friction = 1 / (1 + np.exp(-np.abs(before[leaf] - g)))
        before[leaf] = g
        return p - LR * (friction * m / (np.sqrt(v) + EPS) + DECAY * p)

    return step


def adanorm():
    leaves, mean = LEAVES(), ZEROS()

    def step(leaf, p, g, t):
        size = np.linalg.norm(g)
        mean[leaf] = 0.8 * mean[leaf] + 0.2 * size
        m, v = leaves[leaf].see(g * (max(1, mean[leaf] / size) if size else 1), g * g)
        return p - LR * (m / (np.sqrt(v) + EPS) + DECAY * p)

    return step


def focus():
    """The authors' focus.py: the mean decays, and the pull is to it from the parameters before the decay."""
    m, q = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        q[leaf] = B2 * q[leaf] + (1 - B2) * p
        mean = q[leaf] / (1 - B2**t) if t > 1 else p
        return p - LR * (np.sign(m[leaf]) + 0.4 * np.sign(p - mean) + DECAY * mean)

    return step


def kate():
    b, m = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        b[leaf] = b[leaf] + g * g
        m[leaf] = m[leaf] + 0.3 * g * g + g * g / (b[leaf] + EPS)
        return p - LR * np.sqrt(m[leaf]) * g / (b[leaf] + EPS)

    return step


def adamc():
    leaves = LEAVES()

    def step(leaf, p, g, t):
        m, v = leaves[leaf].see(g)
        lr = LR * (1 - (t - 1) / 40)  # linear from LR to 0 in 40 steps
        return p - lr * (m / (np.sqrt(v) + EPS) + DECAY * lr / 0.03 * p)

    return step


def adagc(problem: Problem) -> Tree:
    """Algorithm 1, with the norm over all leaves in the first steps."""
    params, leaves, past = dict(problem.params), LEAVES(), {}
    taken = {name: [] for name in params}
    for t in range(STEPS):
        grads = {name: problem.grads[name][t] for name in params}
        whole = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
        for name, g in grads.items():
            size = np.linalg.norm(g)
            if t < 4:
                g = g * min(1, 6.0 / whole)
                past[name] = min(past.get(name, np.inf), np.linalg.norm(g))
            else:
                g = g * min(1, 1.2 * max(past[name], 1e-8) / size) if size else g
                past[name] = 0.8 * past[name] + 0.2 * np.linalg.norm(g)
            m, v = leaves[name].see(g)
            params[name] = params[name] - LR * (m / (np.sqrt(v) + EPS) + DECAY * params[name])
            taken[name].append(params[name])
    return {name: np.stack(steps) for name, steps in taken.items()}


def library_cases() -> list[Case]:
    nus = {"nu1": 0.6, "nu2": 0.8}
    return [
        torch_case(
            "qhadam",
            {"qhadam": {**CONFIG, **nus}},
            torch_optimizer.QHAdam,
            {**TORCH, "nus": (0.6, 0.8), "decouple_weight_decay": True},
            library="torch-optimizer",
        ),
        torch_case(
            "stable_adamw",
            {"stable_adamw": {**CONFIG, "threshold": 1.0}},
            optimi.StableAdamW,
            {**TORCH, "foreach": False, "triton": False},
            library="torch-optimi",
        ),
        torch_case(
            "adai",
            {"adai": {**{k: v for k, v in CONFIG.items() if k != "b1"}, "b0": 0.15, "eps": 0.02}},
            pytorch_optimizer.Adai,
            {**DECOUPLED, "betas": (0.15, B2), "eps": 0.02},
            library="pytorch-optimizer",
        ),
        torch_case(
            "ano",
            {"ano": CONFIG},
            pytorch_optimizer.Ano,
            DECOUPLED,
            library="pytorch-optimizer",
            problem="calm",
        ),
    ]


def paper_cases() -> list[Case]:
    line = {"linear_schedule": {"init_value": LR, "end_value": 0.0, "transition_steps": 40}}
    mars_config = {**CONFIG, "gamma": 0.2, "max_norm": 3.0}
    bound = {**CONFIG, "final_ratio": 3.0, "gamma": 0.2}
    lion = {k: v for k, v in mars_config.items() if k not in ("b2", "eps")}
    lion_like = {k: v for k, v in CONFIG.items() if k != "eps"}
    calm = {"problem": "calm"}
    gc = {"max_norm": 6.0, "relative": 1.2, "decay": 0.8, "warmup_steps": 4}
    return [
        numpy_case(
            "mars",
            {"mars": mars_config},
            "arXiv:2411.10438, algorithm 2; the first gradient before is 0, as in the authors' code",
            mars("adamw"),
            **calm,
        ),
        numpy_case(
            "mars_lion",
            {"mars": {**lion, "form": "lion"}},
            "arXiv:2411.10438, algorithm 3",
            mars("lion"),
            **calm,
        ),
        numpy_case("laprop", {"laprop": CONFIG}, "arXiv:2002.04839, algorithm 1", laprop),
        numpy_case(
            "adabound",
            {"adabound": bound},
            f"the authors' code of arXiv:1902.09843, {EPS_PLACE}",
            adabound(False),
        ),
        numpy_case(
            "amsbound",
            {"adabound": {**bound, "amsbound": True}},
            f"the authors' code of arXiv:1902.09843, {EPS_PLACE}",
            adabound(True),
        ),
        numpy_case(
            "adamod",
            {"adamod": {**CONFIG, "b3": 0.8}},
            f"the authors' code of arXiv:1910.12249, {EPS_PLACE}",
            adamod,
        ),
        numpy_case("diffgrad", {"diffgrad": CONFIG}, "arXiv:1909.11015", diffgrad),
        numpy_case("adanorm", {"adanorm": {**CONFIG, "b3": 0.8}}, "arXiv:2210.06364", adanorm),
        numpy_case(
            "focus",
            {"focus": {**lion_like, "gamma": 0.4}},
            "arXiv:2501.12243 and its authors' code",
            focus,
            **calm,
        ),
        numpy_case(
            "kate",
            {"kate": {"learning_rate": LR, "eta": 0.3, "eps": EPS}},
            "arXiv:2403.02648, algorithm 1, with eps as in its authors' code",
            kate,
        ),
        numpy_case(
            "adamc",
            {"adamc": {**CONFIG, "learning_rate": line, "max_learning_rate": 0.03}},
            "arXiv:2506.02285, algorithm 1",
            adamc,
        ),
        Case("adagc", {"adagc": {**CONFIG, **gc}}, "numpy", "transcribed from arXiv:2502.11034", adagc),
    ]


def cases() -> list[Case]:
    return [*paper_cases(), *library_cases()]
