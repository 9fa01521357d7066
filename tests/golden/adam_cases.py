"""Adam, its printed variants and its relatives."""

from collections import defaultdict

import numpy as np
import optimi
import pytorch_optimizer
import torch
from oracles import Case, call_text, numpy_case, torch_case, torch_steps

LR, B1, B2, EPS = 0.02, 0.85, 0.97, 1e-3
TORCH = {"lr": LR, "betas": (B1, B2), "eps": EPS}
CONFIG = {"learning_rate": LR, "b1": B1, "b2": B2, "eps": EPS}


def eps_inside_no_bias_correction():
    m, v = defaultdict(float), defaultdict(float)

    def step(leaf, p, g, t):
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = B2 * v[leaf] + (1 - B2) * g * g
        return p - LR * m[leaf] / np.sqrt(v[leaf] + EPS)

    return step


def printed_variants() -> list[Case]:
    inside = {"learning_rate": LR, "b1": B1, "b2": B2, "eps": 0.0, "eps_root": EPS, "bias_correction": False}
    lamb = {**TORCH, "adam": True, "adam_debias": True}  # the latter leaves both corrections out
    return [
        torch_case("adam", {"adam": CONFIG}, torch.optim.Adam, TORCH, notes="variant (c)"),
        torch_case("adam_defaults", {"adam": {"learning_rate": LR}}, torch.optim.Adam, {"lr": LR}),
        torch_case(
            "adam_l2",
            {"chain": [{"add_decayed_weights": {"weight_decay": 0.3}}, {"adam": CONFIG}]},
            torch.optim.Adam,
            {**TORCH, "weight_decay": 0.3},
        ),
        numpy_case(
            "adam_eps_inside",
            {"adam": inside},
            "m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- p - lr m / sqrt(v + eps)",
            eps_inside_no_bias_correction,
            notes="variant (a): no bias correction, eps inside the root",
        ),
        torch_case(
            "adam_eps_outside",
            {"adam": {**CONFIG, "bias_correction": False}},
            pytorch_optimizer.Lamb,
            lamb,
            library="pytorch-optimizer",
            notes="variant (b): no bias correction, eps outside; LAMB without its trust ratio",
        ),
    ]


def decoupled_cases() -> list[Case]:
    def adamw(name: str, lr: float, **kwargs) -> Case:
        config = {"adamw": {**CONFIG, "learning_rate": lr, "weight_decay": 0.3}}
        return torch_case(name, config, torch.optim.AdamW, {**TORCH, "lr": lr, "weight_decay": 0.3}, **kwargs)

    def masked(params):
        groups = [{"params": [params["w"]]}, {"params": [params["b"]], "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, **TORCH, weight_decay=0.3)

    decoupled = {**TORCH, "weight_decay": 0.005, "decouple_lr": True, "foreach": False}
    return [
        adamw("adamw", LR),
        adamw("adamw_other_rate", 0.1, notes="the same decay at five times the rate: coupled to the rate"),
        torch_case(
            "adamw_defaults",
            {"adamw": {"learning_rate": LR, "weight_decay": 0.01}},
            torch.optim.AdamW,
            {"lr": LR},
        ),
        torch_case(
            "adamw_decoupled",
            {"adamw": {**CONFIG, "weight_decay": 0.005, "decoupled": True}},
            optimi.AdamW,
            decoupled,
            library="torch-optimi",
            notes="p <- p - lr m / (sqrt(v) + eps) - weight_decay p",
        ),
        Case(
            "adamw_mask",
            {"adamw": {**CONFIG, "weight_decay": 0.3, "mask": "w"}},
            "torch",
            call_text(torch.optim.AdamW, TORCH) + " with weight_decay=0.3 for w and 0 for b",
            torch_steps(masked),
        ),
    ]


def cosine_case() -> Case:
    schedule = {"cosine_decay_schedule": {"init_value": LR, "decay_steps": 40, "alpha": 0.1}}
    schedulers = {}

    def make(params):
        opt = torch.optim.AdamW(list(params.values()), **TORCH, weight_decay=0.3)
        schedulers[id(opt)] = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=40, eta_min=0.1 * LR)
        return opt

    return Case(
        "adamw_cosine",
        {"adamw": {**CONFIG, "weight_decay": 0.3, "learning_rate": schedule}},
        "torch",
        call_text(torch.optim.AdamW, {**TORCH, "weight_decay": 0.3})
        + f" under CosineAnnealingLR(40, {0.1 * LR})",
        torch_steps(make, after=lambda params, opt: schedulers[id(opt)].step()),
    )


def relatives() -> list[Case]:
    nadam = {**TORCH, "momentum_decay": 1e9}
    constant = "momentum_decay=1e9 makes torch's momentum schedule constant"
    radam = {**TORCH, "foreach": False}
    return [
        torch_case("nadam", {"nadam": CONFIG}, torch.optim.NAdam, nadam, notes=constant),
        torch_case(
            "adam_nesterov", {"adam": {**CONFIG, "nesterov": True}}, torch.optim.NAdam, nadam, notes=constant
        ),
        torch_case(
            "adamw_nesterov",
            {"adamw": {**CONFIG, "weight_decay": 0.3, "nesterov": True}},
            torch.optim.NAdam,
            {**nadam, "weight_decay": 0.3, "decoupled_weight_decay": True},
            notes=constant,
        ),
        torch_case(
            "amsgrad",
            {"amsgrad": CONFIG},
            torch.optim.Adam,
            {**TORCH, "amsgrad": True},
            notes="the maximum is over the raw second moment",
        ),
        torch_case(
            "radam",
            {"radam": {**CONFIG, "b2": 0.999}},
            optimi.RAdam,
            {**radam, "betas": (B1, 0.999)},
            library="torch-optimi",
        ),
        *unguarded_radam(),
    ]


def unguarded_radam() -> list[Case]:
    """torch and pytorch-optimizer add eps before undoing the bias: the paper, where eps vanishes."""
    rest = {"insensitive": {"eps": "below the rounding of every denominator"}}
    config = {**CONFIG, "b2": 0.9, "eps": 1e-30}
    kwargs = {**TORCH, "betas": (B1, 0.9), "eps": 1e-30}
    threshold = {"n_sma_threshold": 6.5, "degenerated_to_sgd": True, "foreach": False}
    return [
        torch_case("radam_torch", {"radam": config}, torch.optim.RAdam, kwargs, **rest),
        torch_case(
            "radam_threshold",
            {"radam": {**config, "threshold": 6.5}},
            pytorch_optimizer.RAdam,
            {**kwargs, **threshold},
            library="pytorch-optimizer",
            **rest,
        ),
    ]


def cases() -> list[Case]:
    return [*printed_variants(), *decoupled_cases(), cosine_case(), *relatives()]
