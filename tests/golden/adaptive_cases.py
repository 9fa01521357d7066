"""Other second moments: AdaBelief, ACProp, AdaMax, Yogi, NovoGrad, AdEMAMix, ADOPT; optimistic gradients."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, numpy_case, torch_case, torch_steps

LR, B1, B2, EPS = 0.02, 0.85, 0.97, 1e-3
TORCH = {"lr": LR, "betas": (B1, B2), "eps": EPS}
CONFIG = {"learning_rate": LR, "b1": B1, "b2": B2, "eps": EPS}
DECAY = {"weight_decay": 0.3}
DECOUPLED = {**DECAY, "weight_decouple": True}
ZEROS: Callable = lambda: defaultdict(float)  # noqa: E731


def other(name: str, config: dict, cls: type, kwargs: dict, **rest) -> Case:
    return torch_case(name, config, cls, {**kwargs, "foreach": False}, library="pytorch-optimizer", **rest)


def adam(t: int, m, v, g, nesterov: bool = False):
    """The two moments after a gradient, and Adam's update."""
    m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
    mean = m / (1 - B1**t)
    if nesterov:
        mean = B1 * m / (1 - B1 ** (t + 1)) + (1 - B1) * g / (1 - B1**t)
    return m, v, mean / (np.sqrt(v / (1 - B2**t)) + EPS)


def belief_nesterov():
    m, v = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = B2 * v[leaf] + (1 - B2) * (g - m[leaf]) ** 2 + 1e-4
        ahead = B1 * m[leaf] / (1 - B1 ** (t + 1)) + (1 - B1) * g / (1 - B1**t)
        return p - LR * ahead / (np.sqrt(v[leaf] / (1 - B2**t)) + EPS)

    return step


def acprop():
    m, v = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        before = v[leaf] / (1 - B2 ** (t - 1)) if t > 1 else np.ones_like(p)
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = B2 * v[leaf] + (1 - B2) * (g - m[leaf]) ** 2 + 1e-4
        return p - LR * (g / (np.sqrt(before) + EPS) + 0.3 * p)

    return step


def belief_cases() -> list[Case]:
    root = {"eps_root": 1e-4}
    return [
        other("adabelief", {"adabelief": {**CONFIG, "eps_root": EPS}}, pytorch_optimizer.AdaBelief, TORCH),
        numpy_case(
            "adabelief_nesterov",
            {"adabelief": {**CONFIG, **root, "nesterov": True}},
            "arXiv:2010.07468, algorithm 2, with Dozat's m",
            belief_nesterov,
        ),
        numpy_case(
            "acprop",
            {"acprop": {**CONFIG, **root, **DECAY}},
            "arXiv:2110.05454, algorithm 1, with bias correction; the first denominator is 1",
            acprop,
        ),
    ]


def yogi():
    m, v = ZEROS(), defaultdict(lambda: 1e-2)

    def step(leaf, p, g, t):
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = v[leaf] - (1 - B2) * np.sign(v[leaf] - g * g) * g * g
        return p - LR * m[leaf] / (1 - B1**t) / (np.sqrt(v[leaf] / (1 - B2**t) + 1e-4) + EPS)

    return step


def amsgrad_of_corrected():
    m, v, w = ZEROS(), ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        m[leaf], v[leaf], _ = adam(t, m[leaf], v[leaf], g)
        w[leaf] = np.maximum(w[leaf], v[leaf] / (1 - B2**t))
        return p - LR * m[leaf] / (1 - B1**t) / (np.sqrt(w[leaf]) + EPS)

    return step


def adam_like_cases() -> list[Case]:
    rest = {"initial_accumulator_value": 1e-2}
    scaled = {k: v for k, v in CONFIG.items() if k != "learning_rate"}
    return [
        torch_case(
            "nadamw",
            {"nadamw": {**CONFIG, **DECAY}},
            torch.optim.NAdam,
            {**TORCH, "momentum_decay": 1e9, **DECAY, "decoupled_weight_decay": True},
            notes="momentum_decay=1e9 makes torch's momentum schedule constant",
        ),
        torch_case("adamax", {"adamax": CONFIG}, torch.optim.Adamax, TORCH),
        other("adamaxw", {"adamaxw": {**CONFIG, **DECAY}}, pytorch_optimizer.AdaMax, {**TORCH, **DECOUPLED}),
        other(
            "yogi",
            {"yogi": {**CONFIG, **rest, "fill_mu": True}},
            pytorch_optimizer.Yogi,
            {**TORCH, "initial_accumulator": 1e-2},
        ),
        numpy_case(
            "scale_by_yogi",
            {
                "chain": [
                    {"scale_by_yogi": {**scaled, **rest, "eps_root": 1e-4}},
                    {"scale_by_learning_rate": {"learning_rate": LR}},
                ]
            },
            "Zaheer et al. 2018, algorithm 2, with Adam's bias correction",
            yogi,
        ),
        numpy_case(
            "amsgrad_debias_first",
            {"amsgrad": {**CONFIG, "debias_first": True}},
            "arXiv:1904.09237 with the maximum over v / (1 - b2^t)",
            amsgrad_of_corrected,
        ),
    ]


def novograd_cases() -> list[Case]:
    from layer_cases import per_layer  # after `oracles`, which says what keras runs on

    config = {"novograd": {**CONFIG, "b2": 0.6, **DECAY}}
    kwargs = {**TORCH, "betas": (B1, 0.6), **DECAY, "foreach": False}
    cls = pytorch_optimizer.NovoGrad
    layers = torch_steps(lambda params: cls(list(params.values()), **kwargs))
    text = f"pytorch_optimizer.NovoGrad({kwargs}) on each layer"
    return [
        other("novograd", config, cls, kwargs),
        Case("novograd_stack", config, "pytorch-optimizer", text, per_layer(layers), problem="stack"),
        other("novograd_per_leaf", {"novograd": {**config["novograd"], "per_leaf": True}}, cls, kwargs),
    ]


def simplified():
    m, n = ZEROS(), ZEROS()

    def step(leaf, p, g, t):
        m[leaf] = B1 * m[leaf] + g
        n[leaf] = B2 * n[leaf] + (1 - B2) * g * g
        u = (m[leaf] + 0.7 * g) / (np.sqrt(n[leaf] / (1 - B2**t) + 1e-4) + EPS)
        return p - LR * (u + 0.3 * p)

    return step


def ademamix_cases() -> list[Case]:
    return [
        other(
            "ademamix",
            {"ademamix": {**CONFIG, "b3": 0.95, "alpha": 4.0, **DECAY}},
            pytorch_optimizer.AdEMAMix,
            {**TORCH, "betas": (B1, B2, 0.95), "alpha": 4.0, **DECOUPLED},
        ),
        numpy_case(
            "simplified_ademamix",
            {"simplified_ademamix": {**CONFIG, "alpha": 0.7, "eps_root": 1e-4, **DECAY}},
            "arXiv:2502.02431, simplified AdEMAMix with the momentum as a sum",
            simplified,
        ),
    ]


def adopt(nesterov: bool):
    def rule():
        m, v = ZEROS(), {}

        def step(leaf, p, g, t):
            if t == 1:
                v[leaf] = g * g
                return p
            bound = (t - 1) ** 0.25
            c = np.clip(g / np.maximum(np.sqrt(v[leaf]), 0.5), -bound, bound)
            m[leaf] = B1 * m[leaf] + (1 - B1) * c
            v[leaf] = B2 * v[leaf] + (1 - B2) * g * g
            return p - LR * (B1 * m[leaf] + (1 - B1) * c if nesterov else m[leaf])

        return step

    return rule


def adopt_cases() -> list[Case]:
    config, source = {**CONFIG, "eps": 0.5}, "arXiv:2411.02853, algorithm 2"
    return [
        other(
            "adopt_unclipped",
            {"adopt": {**config, "use_clipping": False}},
            pytorch_optimizer.ADOPT,
            {**TORCH, "eps": 0.5, "clip_lambda": None},
        ),
        numpy_case("adopt", {"adopt": config}, source, adopt(False)),
        numpy_case("adopt_nesterov", {"adopt": {**config, "nesterov": True}}, source, adopt(True)),
    ]


def optimistic(alpha: float, beta: float, of_adam: bool, nesterov: bool = True):
    def rule():
        m, v, last = ZEROS(), ZEROS(), {}

        def step(leaf, p, g, t):
            u = g
            if of_adam:
                m[leaf], v[leaf], u = adam(t, m[leaf], v[leaf], g, nesterov)
            before, last[leaf] = last.get(leaf, u), u
            return p - alpha * u - beta * (u - before)

        return step

    return rule


def optimistic_cases() -> list[Case]:
    source, weights = "arXiv:1711.00141, equation 6", {"alpha": 0.8, "beta": 0.6}
    a, b = 0.8 * LR, 0.6 * LR
    return [
        numpy_case(
            "optimistic_gradient_descent",
            {"optimistic_gradient_descent": {"learning_rate": LR, **weights}},
            source,
            optimistic(a, b, False),
        ),
        numpy_case(
            "optimistic_adam",
            {"optimistic_adam": {**CONFIG, "optimism": 0.01}},
            source,
            optimistic(LR, 0.01, True),
        ),
        numpy_case(
            "optimistic_adam_alike",
            {"optimistic_adam": {**CONFIG, "nesterov": False}},
            source,
            optimistic(LR, LR, True, False),
        ),
        numpy_case(
            "optimistic_adam_v2",
            {"optimistic_adam_v2": {**CONFIG, **weights}},
            source,
            optimistic(a, b, True),
        ),
    ]


def cases() -> list[Case]:
    return [
        *belief_cases(),
        *adam_like_cases(),
        *novograd_cases(),
        *ademamix_cases(),
        *adopt_cases(),
        *optimistic_cases(),
    ]
