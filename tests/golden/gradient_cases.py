"""Momentum, sign and root-mean-square families."""

from collections import defaultdict

import keras
import lion_pytorch
import numpy as np
import optimi
import torch
from oracles import Case, keras_case, numpy_case, torch_case


def decayed(strength: float, *rest: dict) -> dict:
    """L2 as torch has it: the decay joins the gradient before the rule sees it."""
    return {"chain": [{"add_decayed_weights": {"weight_decay": strength}}, *rest]}


def sgd_cases() -> list[Case]:
    sgd = torch.optim.SGD
    heavy = {"learning_rate": 0.03, "momentum": 0.85}
    nesterov = {**heavy, "nesterov": True}
    return [
        torch_case("sgd", {"sgd": {"learning_rate": 0.03}}, sgd, {"lr": 0.03}),
        torch_case("sgd_momentum", {"sgd": heavy}, sgd, {"lr": 0.03, "momentum": 0.85}),
        torch_case("sgd_nesterov", {"sgd": nesterov}, sgd, {"lr": 0.03, "momentum": 0.85, "nesterov": True}),
        torch_case(
            "sgd_l2", decayed(0.2, {"sgd": heavy}), sgd, {"lr": 0.03, "momentum": 0.85, "weight_decay": 0.2}
        ),
        torch_case(
            "sgd_nesterov_l2",
            decayed(0.2, {"sgd": nesterov}),
            sgd,
            {"lr": 0.03, "momentum": 0.85, "nesterov": True, "weight_decay": 0.2},
        ),
        torch_case(
            "ema_link",
            {
                "chain": [
                    {"ema": {"decay": 0.8, "debias": False}},
                    {"scale_by_learning_rate": {"learning_rate": 0.1}},
                ]
            },
            optimi.SGD,
            {"lr": 0.1, "momentum": 0.8, "dampening": True, "foreach": False},
            library="torch-optimi",
        ),
    ]


def lion_cases() -> list[Case]:
    lion = lion_pytorch.Lion
    return [
        torch_case(
            "lion",
            {"lion": {"learning_rate": 0.01, "b1": 0.9, "b2": 0.95, "weight_decay": 0.0}},
            lion,
            {"lr": 0.01, "betas": (0.9, 0.95)},
            library="lion-pytorch",
        ),
        torch_case(
            "lion_decay",
            {"lion": {"learning_rate": 0.02, "b1": 0.8, "b2": 0.97, "weight_decay": 0.3}},
            lion,
            {"lr": 0.02, "betas": (0.8, 0.97), "weight_decay": 0.3},
            library="lion-pytorch",
        ),
    ]


def adagrad_cases() -> list[Case]:
    return [
        keras_case(
            "adagrad_keras",
            {"adagrad": {"learning_rate": 0.2, "initial_accumulator_value": 0.3, "eps": 1e-2}},
            keras.optimizers.Adagrad,
            {"learning_rate": 0.2, "initial_accumulator_value": 0.3, "epsilon": 1e-2},
        ),
        torch_case(
            "adagrad_torch",
            {"adagrad": {"learning_rate": 0.2, "initial_accumulator_value": 0.1, "eps": 0.0}},
            torch.optim.Adagrad,
            {"lr": 0.2, "initial_accumulator_value": 0.1, "eps": 0.0},
            notes="eps is 0, where inside and outside the root agree",
        ),
        numpy_case(
            "adagrad_of_momentum",
            {
                "chain": [
                    {"trace": {"decay": 0.9}},
                    {"scale_by_rss": {"initial_accumulator_value": 1 / 0.3, "eps": 0.0}},
                    {"scale_by_learning_rate": {"learning_rate": 0.05 / 0.3**0.5}},
                ]
            },
            "v <- g + 0.9 v;  p <- p - 0.05 / sqrt(1 + 0.3 sum v^2) v",
            adagrad_of_momentum,
        ),
    ]


def adagrad_of_momentum():
    v, total = defaultdict(float), defaultdict(float)

    def step(leaf, p, g, t):
        v[leaf] = g + 0.9 * v[leaf]
        total[leaf] = total[leaf] + v[leaf] ** 2
        return p - 0.05 / np.sqrt(1 + 0.3 * total[leaf]) * v[leaf]

    return step


def rmsprop_cases() -> list[Case]:
    def outside(name: str, config: dict, **kwargs) -> Case:
        config = {"learning_rate": 0.02, "decay": 0.8, "eps": 1e-3, "eps_in_sqrt": False, **config}
        return torch_case(
            name, {"rmsprop": config}, torch.optim.RMSprop, {"lr": 0.02, "alpha": 0.8, "eps": 1e-3, **kwargs}
        )

    def inside(name: str, config: dict, **kwargs) -> Case:
        config = {"learning_rate": 0.02, "decay": 0.8, "eps": 1e-4, "eps_in_sqrt": True, **config}
        kwargs = {"learning_rate": 0.02, "rho": 0.8, "epsilon": 1e-4, **kwargs}
        return keras_case(name, {"rmsprop": config}, keras.optimizers.RMSprop, kwargs)

    return [
        outside("rmsprop_torch", {}),
        outside("rmsprop_torch_centered", {"centered": True}, centered=True),
        outside("rmsprop_torch_momentum", {"momentum": 0.7}, momentum=0.7),
        outside("rmsprop_torch_all", {"momentum": 0.7, "centered": True}, momentum=0.7, centered=True),
        inside("rmsprop_keras", {}),
        inside("rmsprop_keras_centered", {"centered": True}, centered=True),
        inside("rmsprop_keras_momentum", {"momentum": 0.7}, momentum=0.7),
    ]


def adadelta_cases() -> list[Case]:
    adadelta = torch.optim.Adadelta
    config = {"learning_rate": 0.7, "rho": 0.85, "eps": 1e-4}
    return [
        torch_case("adadelta", {"adadelta": config}, adadelta, {"lr": 0.7, "rho": 0.85, "eps": 1e-4}),
        torch_case(
            "adadelta_l2",
            {"adadelta": {**config, "weight_decay": 0.1}},
            adadelta,
            {"lr": 0.7, "rho": 0.85, "eps": 1e-4, "weight_decay": 0.1},
        ),
    ]


def cases() -> list[Case]:
    return [*sgd_cases(), *lion_cases(), *adagrad_cases(), *rmsprop_cases(), *adadelta_cases()]
