"""Signs, steps that follow signs, and momenta with one more mean: sign_sgd, signum, rprop, adan, madgrad."""

import madgrad
import pytorch_optimizer
import torch
from oracles import Case, torch_case


def sign_cases() -> list[Case]:
    sign = pytorch_optimizer.SignSGD
    return [
        torch_case(
            "sign_sgd",
            {"sign_sgd": {"learning_rate": 0.03}},
            sign,
            {"lr": 0.03, "momentum": 0.0},
            library="pytorch-optimizer",
        ),
        torch_case(
            "signum",
            {"signum": {"learning_rate": 0.03, "beta": 0.8}},
            sign,
            {"lr": 0.03, "momentum": 0.8},
            library="pytorch-optimizer",
        ),
        torch_case(
            "rprop",
            {
                "rprop": {
                    "learning_rate": 0.02,
                    "eta_minus": 0.4,
                    "eta_plus": 1.3,
                    "min_step_size": 0.015,
                    "max_step_size": 0.04,
                }
            },
            torch.optim.Rprop,
            {"lr": 0.02, "etas": (0.4, 1.3), "step_sizes": (0.015, 0.04)},
        ),
        torch_case(
            "rprop_defaults",
            {"rprop": {"learning_rate": 0.02}},
            torch.optim.Rprop,
            {"lr": 0.02},
        ),
    ]


def adan_cases() -> list[Case]:
    def case(name: str, config: dict, **kwargs) -> Case:
        config = {"learning_rate": 0.03, "b1": 0.9, "b2": 0.8, "b3": 0.95, "eps": 1e-3, **config}
        kwargs = {"lr": 0.03, "betas": (0.9, 0.8, 0.95), "eps": 1e-3, **kwargs}
        cls = pytorch_optimizer.Adan
        return torch_case(
            name, {"adan": {**config, "eps_root": 0.0}}, cls, kwargs, library="pytorch-optimizer", **ROOT
        )

    return [
        case("adan", {}),
        case("adan_decay", {"weight_decay": 0.3}, weight_decay=0.3),
        case(
            "adan_decay_outside",
            {"weight_decay": 0.3, "proximal": False},
            weight_decay=0.3,
            weight_decouple=True,
        ),
    ]


ROOT = {"problem": "calm"}


def madgrad_cases() -> list[Case]:
    """Its code adds eps to the learning rate, which the paper does not."""

    def case(name: str, config: dict, lr: float = 0.03 - 1e-2, **kwargs) -> Case:
        config = {"learning_rate": 0.03, "momentum": 0.8, "eps": 1e-2, **config}
        kwargs = {"lr": lr, "momentum": 0.8, "eps": 1e-2, **kwargs}
        return torch_case(name, {"madgrad": config}, madgrad.MADGRAD, kwargs, library="madgrad")

    return [
        case("madgrad", {}),
        case("madgrad_l2", {"weight_decay": 0.2}, weight_decay=0.2),
        case("madgrad_eps_in_rate", {"eps_in_rate": True}, lr=0.03),
    ]


def cases() -> list[Case]:
    return [*sign_cases(), *adan_cases(), *madgrad_cases()]
