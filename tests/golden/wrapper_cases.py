"""Regularisers that act on the parameters, and transforms of transforms."""

from collections.abc import Callable
from typing import Any

import pytorch_optimizer
import torch
from oracles import Case, Run, call_text, detached, record, set_grads, tensors, torch_steps
from problems import STEPS, Problem, Tree
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

MOMENTUM = {"lr": 0.05, "momentum": 0.8}
SGD_TEXT = call_text(torch.optim.SGD, MOMENTUM)
SGD_CONFIG = {"sgd": {"learning_rate": 0.05, "momentum": 0.8}}
ADAM = {"lr": 0.03, "betas": (0.85, 0.97), "eps": 1e-3}
ADAM_CONFIG = {"adam": {"learning_rate": 0.03, "b1": 0.85, "b2": 0.97, "eps": 1e-3}}


def sgd(params: dict[str, torch.Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(list(params.values()), **MOMENTUM)


def adam(params: dict[str, torch.Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(list(params.values()), **ADAM)


def l1_cases() -> list[Case]:
    def add_l1(params, t):
        loss = sum((p.grad * p).sum() + 0.3 * p.abs().sum() for p in params.values())
        for p, g in zip(params.values(), torch.autograd.grad(loss, list(params.values())), strict=True):
            p.grad = g

    def soft_threshold(params, opt):
        for p in params.values():
            p.data = torch.nn.functional.softshrink(p.data, 0.02)

    return [
        Case(
            "add_l1",
            {"chain": [{"add_l1": {"strength": 0.3}}, SGD_CONFIG]},
            "torch",
            f"{SGD_TEXT} with the autograd gradient of loss + 0.3 sum |p|",
            torch_steps(sgd, before=add_l1),
        ),
        Case(
            "proximal_l1",
            {"chain": [SGD_CONFIG, {"proximal_l1": {"strength": 0.02}}]},
            "torch",
            f"{SGD_TEXT} then torch.nn.functional.softshrink(p, 0.02)",
            torch_steps(sgd, after=soft_threshold),
            problem="calm",
            notes="entries reach exact zero and may leave it again",
        ),
    ]


def lookahead_cases() -> list[Case]:
    """Leaves "w", "b" and the slow weights "average/w", "average/b"."""

    def case(name: str, fast: dict, make: Callable, text: str, reset: bool) -> Case:
        pullback = "reset" if reset else "none"

        def run(problem: Problem) -> Tree:
            params = tensors(problem.params)
            opt = pytorch_optimizer.Lookahead(make(params), k=4, alpha=0.6, pullback_momentum=pullback)

            def steps():
                for t in range(STEPS):
                    set_grads(params, problem.grads, t)
                    opt.step()
                    slow = {
                        f"average/{name}": opt.state[p]["slow_params"].numpy() for name, p in params.items()
                    }
                    yield {**detached(params), **slow}

            return record(steps())

        config = {"fast_optimizer": fast, "sync_period": 4, "slow_step_size": 0.6}
        config |= {"reset_state": True} if reset else {}
        call = f"pytorch_optimizer.Lookahead({text}, k=4, alpha=0.6, pullback_momentum={pullback!r})"
        return Case(name, {"lookahead": config}, "pytorch-optimizer", call, run)

    return [
        case("lookahead", ADAM_CONFIG, adam, call_text(torch.optim.Adam, ADAM), reset=False),
        case("lookahead_reset", SGD_CONFIG, sgd, SGD_TEXT, reset=True),
    ]


def accumulate_case(name: str, mean: bool) -> Case:
    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = adam(params)

        def steps():
            for t in range(STEPS):
                first = (t // 4) * 4
                if t == first + 3:
                    batch = {name: g[first : t + 1] for name, g in problem.grads.items()}
                    set_grads(
                        params, {k: (g.mean(0) if mean else g.sum(0))[None] for k, g in batch.items()}, 0
                    )
                    opt.step()
                yield detached(params)

        return record(steps())

    return Case(
        name,
        {"accumulate": {"tx": ADAM_CONFIG, "every": 4, "mean": mean}},
        "torch",
        f"{call_text(torch.optim.Adam, ADAM)} after 4 micro-batches, on their {'mean' if mean else 'sum'}",
        run,
        notes="the last micro-batch stays pending",
    )


class Leaves(torch.nn.Module):
    def __init__(self, params: dict[str, torch.Tensor]):
        super().__init__()
        self.leaves = torch.nn.ParameterDict({name: torch.nn.Parameter(p) for name, p in params.items()})


def averaged(start: int, every: int, **kwargs: Any) -> Run:
    """Leaves "w", "b" and their averages "average/w", "average/b": the parameters until averaging begins."""

    def run(problem: Problem) -> Tree:
        model = Leaves({name: torch.tensor(leaf) for name, leaf in problem.params.items()})
        params = dict(model.leaves.items())
        opt, average = sgd(params), AveragedModel(model, **kwargs)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step()
                if t >= start and (t - start) % every == 0:
                    average.update_parameters(model)
                shown = (average.module if t >= start else model).leaves
                means = {f"average/{name}": p.detach().numpy().copy() for name, p in shown.items()}
                yield {**detached(params), **means}

        return record(steps())

    return run


def average_cases() -> list[Case]:
    def case(name: str, config: dict, text: str, start: int, every: int, **kwargs: Any) -> Case:
        call = f"AveragedModel({text}) of {SGD_TEXT}, from step {start} every {every}"
        config = {"average": {"tx": SGD_CONFIG, **config}}
        return Case(name, config, "torch", call, averaged(start, every, **kwargs), problem="calm")

    ema, text = {"multi_avg_fn": get_ema_multi_avg_fn(0.8)}, "multi_avg_fn=get_ema_multi_avg_fn(0.8)"
    return [
        case("average_ema", {"decay": 0.8}, text, 0, 1, **ema),
        case("average_ema_every", {"decay": 0.8, "start": 2, "every": 2}, text, 2, 2, **ema),
        case("average_swa", {"decay": None}, "", 0, 1),
        case("average_swa_every", {"decay": None, "start": 5, "every": 3}, "", 5, 3),
    ]


def cases() -> list[Case]:
    accumulated = [accumulate_case("accumulate", True), accumulate_case("accumulate_sum", False)]
    return [*l1_cases(), *lookahead_cases(), *accumulated, *average_cases()]
