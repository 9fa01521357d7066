"""Optimizers that find their own step length, MoMo, and schedule-free ones."""

from typing import Any

import torch
from dadaptation import DAdaptAdam
from dog import DoG
from dowg import DoWG
from momo import Momo, MomoAdam
from oracles import Case, call_text, detached, record, set_grads, tensors, torch_case
from parameterfree import COCOB
from problems import STEPS, Problem, Tree
from prodigyopt import Prodigy
from schedulefree import AdamWScheduleFree, SGDScheduleFree

BETAS, EPS = (0.85, 0.97), 1e-3
CALM = {"problem": "calm"}


def prodigy_cases() -> list[Case]:
    ours = {"betas": list(BETAS), "eps": EPS, "estim_lr0": 0.01, "estim_lr_coef": 0.9, "weight_decay": 0.05}
    theirs = {"betas": BETAS, "eps": EPS, "d0": 0.01, "d_coef": 0.9, "weight_decay": 0.05}
    rest = {"library": "prodigyopt", **CALM}

    def case(name: str, config: dict, kwargs: dict) -> Case:
        return torch_case(name, {"prodigy": ours | config}, Prodigy, theirs | kwargs, **rest)

    return [
        case("prodigy", {"learning_rate": 0.8}, {"lr": 0.8, "use_bias_correction": True}),
        case("prodigy_beta3", {"beta3": 0.9}, {"beta3": 0.9, "use_bias_correction": True}),
        case("prodigy_as_printed", {"bias_correction": False}, {}),
        case(
            "prodigy_safeguard",
            {"safeguard_warmup": True, "learning_rate": 0.8, "estim_lr_coef": 6.0},
            {"safeguard_warmup": True, "use_bias_correction": True, "lr": 0.8, "d_coef": 6.0},
        ),
    ]


def dadapt_cases() -> list[Case]:
    ours = {"betas": list(BETAS), "eps": EPS, "estim_lr0": 0.01, "weight_decay": 0.05, "learning_rate": 0.8}
    theirs = {"betas": BETAS, "eps": EPS, "d0": 0.01, "weight_decay": 0.05, "lr": 0.8, "decouple": True}
    rest = {"library": "dadaptation", **CALM}
    return [
        torch_case(
            "dadapt", {"dadapt_adamw": ours}, DAdaptAdam, {**theirs, "use_bias_correction": True}, **rest
        ),
        torch_case(
            "dadapt_as_printed",
            {"dadapt_adamw": {**ours, "bias_correction": False}},
            DAdaptAdam,
            theirs,
            **rest,
        ),
    ]


def distance_cases() -> list[Case]:
    dog = {"lr": 0.9, "eps": 0.1, "weight_decay": 0.05}
    ours = {"learning_rate": 0.9, "eps": 0.1, "weight_decay": 0.05}
    library = {"library": "dog-optimizer", **CALM}
    return [
        torch_case(
            "dog",
            {"dog": {**ours, "init_step": ["heuristic", 0.01]}},
            DoG,
            {**dog, "reps_rel": 0.01},
            **library,
        ),
        torch_case(
            "dog_first_rate",
            {"dog": {**ours, "learning_rate": 1.0, "init_step": ["learning_rate", 0.02]}},
            DoG,
            {**dog, "lr": 1.0, "init_eta": 0.02},
            **library,
        ),
        torch_case("dowg", {"dowg": {"eps": 0.01}}, DoWG, {"eps": 0.01}, library="dowgopt", **CALM),
        torch_case(
            "cocob",
            {"cocob": {"alpha": 7.0, "eps": 0.5, "weight_decay": 0.05}},
            COCOB,
            {"alpha": 7.0, "eps": 0.5, "weight_decay": 0.05},
            library="parameterfree",
        ),
    ]


def loss(params: dict[str, torch.Tensor]) -> torch.Tensor:
    """What the tests give as `value`."""
    return sum(((p.detach() - 0.5) ** 2).sum() for p in params.values())


def momo_case(name: str, config: dict, cls: type, kwargs: dict, **rest: Any) -> Case:
    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = cls(list(params.values()), **kwargs)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step(loss=loss(params))
                yield detached(params)

        return record(steps())

    text = call_text(cls, kwargs) + " with loss = sum (p - 0.5)^2"
    return Case(name, config, "momo-opt", text, run, problem="calm", **rest)


def momo_cases() -> list[Case]:
    sgd = {"weight_decay": 0.05, "beta": 0.8}
    adam = {"betas": BETAS, "eps": EPS, "weight_decay": 0.05}
    ours = {"b1": BETAS[0], "b2": BETAS[1], "eps": EPS, "weight_decay": 0.05}
    return [
        momo_case(
            "momo",
            {"momo": {**sgd, "learning_rate": 2.0, "lower_bound": 2.0}},
            Momo,
            {**sgd, "lr": 2.0, "lb": 2.0},
        ),
        momo_case(
            "momo_bound",
            {"momo": {**sgd, "learning_rate": 2.0, "lower_bound": 1.0, "adapt_lower_bound": True}},
            Momo,
            {**sgd, "lr": 2.0, "lb": 1.0, "use_fstar": True},
        ),
        momo_case(
            "momo_adam",
            {"momo_adam": {**ours, "learning_rate": 2.0, "lower_bound": 10.0}},
            MomoAdam,
            {**adam, "lr": 2.0, "lb": 10.0},
        ),
        momo_case(
            "momo_adam_bound",
            {"momo_adam": {**ours, "learning_rate": 2.0, "lower_bound": 10.0, "adapt_lower_bound": True}},
            MomoAdam,
            {**adam, "lr": 2.0, "lb": 10.0, "use_fstar": True},
        ),
    ]


def schedule_free_case(name: str, config: dict, cls: type, kwargs: dict) -> Case:
    """Leaves "w", "b" and the averages "average/w", "average/b"."""

    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = cls(list(params.values()), **kwargs)
        opt.train()

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step()
                trained = detached(params)
                opt.eval()
                means = {f"average/{name}": x for name, x in detached(params).items()}
                opt.train()
                yield {**trained, **means}

        return record(steps())

    return Case(name, config, "schedulefree", call_text(cls, kwargs), run)


def schedule_free_cases() -> list[Case]:
    shared = {"warmup_steps": 6, "weight_decay": 0.05, "weight_lr_power": 1.5}
    sgd, adam = {"learning_rate": 0.1, "b1": 0.8}, {"learning_rate": 0.05, "b1": 0.8, "b2": 0.97, "eps": EPS}
    theirs = {"lr": 0.05, "betas": (0.8, 0.97), "eps": EPS}
    return [
        schedule_free_case(
            "schedule_free_sgd",
            {"schedule_free_sgd": {**shared, **sgd}},
            SGDScheduleFree,
            {**shared, "lr": 0.1, "momentum": 0.8},
        ),
        schedule_free_case(
            "schedule_free_adamw",
            {"schedule_free_adamw": {**shared, **adam, "weight_power": 0.7}},
            AdamWScheduleFree,
            {**shared, **theirs, "r": 0.7},
        ),
        schedule_free_case(
            "schedule_free_adamw_plain", {"schedule_free_adamw": adam}, AdamWScheduleFree, theirs
        ),
    ]


def cases() -> list[Case]:
    return [
        *prodigy_cases(),
        *dadapt_cases(),
        *distance_cases(),
        *momo_cases(),
        *schedule_free_cases(),
    ]
