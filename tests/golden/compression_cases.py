"""Pruning, rounding to a grid, decay towards the start: steps that end on a set of parameters."""

import numpy as np
import torch
from oracles import STEPS, Case, detached, numpy_case, record, set_grads, tensors
from torch.nn.utils import prune
from torchao.prototype.parq.optim import ProxHardQuant, ProxPARQ
from torchao.prototype.parq.quant import MaxUnifQuantizer, UnifQuantizer

LR = 0.05
SGD = {"sgd": {"learning_rate": LR}}


def after_sgd(project):
    """torch's SGD, and after each step project(w, t) of the matrix, t from 0."""

    def run(problem):
        params = tensors(problem.params)
        opt = torch.optim.SGD(list(params.values()), lr=LR)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                opt.step()
                with torch.no_grad():
                    params["w"].copy_(project(params["w"].detach(), t))
                yield detached(params)

        return record(steps())

    return run


def magnitude():
    """torch.nn.utils.prune: the smallest of 35 numbers, in every third step, of those that are left."""
    masks = {}

    def project(w, t):
        if t % 3 == 0:
            share = 0.8 + (0.13 - 0.8) * (1 - min(max(t - 2, 0) / 15, 1)) ** 3
            amount = round(share * w.numel())
            left = w * masks.get("w", 1)
            masks["w"] = prune.L1Unstructured(amount).compute_mask(left, torch.ones_like(w))
        return w * masks["w"]

    return project


def quantized(quantizer, bits, prox, dim=None, begin=None):
    """What torchao's QuantOptimizer does in each step, with a latent copy; inputs are rows here."""
    latent = {}

    def run(problem):
        latent["w"] = torch.tensor(problem.params["w"])

        def project(w, t):
            z = latent["w"] - LR * torch.tensor(problem.grads["w"][t])
            latent["w"] = z
            seen = z.T.clone().contiguous()
            q, levels = quantizer.quantize(seen, bits, dim=dim)
            if t != begin:
                prox.apply_(seen, q if isinstance(prox, ProxHardQuant) else None, levels, t, dim=dim)
            return seen.T

        return after_sgd(project)(problem)

    return run


def n_of_m():
    def step(leaf, p, g, t):
        x = p - LR * g
        if leaf == "w" and t > 2:
            for start in (0, 3):  # of 7 rows the last is left over
                group = x[start : start + 3]
                smallest = np.argsort(np.abs(group), axis=0, kind="stable")[:2]
                np.put_along_axis(group, smallest, 0.0, axis=0)
        return x

    return step


def towards_start():
    start = {}

    def step(leaf, p, g, t):
        start.setdefault(leaf, p)
        return p - LR * (g + 0.3 * (p - start[leaf]))

    return step


def cases() -> list[Case]:
    cubic = {"polynomial_schedule": {
        "init_value": 0.13, "end_value": 0.8, "power": 3.0, "transition_steps": 15, "transition_begin": 2,
    }}  # fmt: skip
    schedule = {"levels": 4, "steps": 20, "begin": 2, "steepness": 6.0}
    return [
        Case(
            "prune_by_magnitude",
            {"chain": [SGD, {"prune_by_magnitude": {"sparsity": cubic, "every": 3}}]},
            "torch",
            "torch.nn.utils.prune.L1Unstructured(amount).compute_mask after torch.optim.SGD",
            after_sgd(magnitude()),
            problem="calm",
        ),
        numpy_case(
            "prune_n_of_m",
            {"chain": [SGD, {"prune_n_of_m": {"n": 1, "m": 3, "begin": 2}}]},
            "arXiv:2102.04010, the projection alone",
            n_of_m,
            problem="calm",
        ),
        Case(
            "quantize_params",
            {"chain": [SGD, {"quantize_params": {"levels": 7, "per": "matrix", "size": "max"}}]},
            "torchao",
            "parq MaxUnifQuantizer and ProxHardQuant on a latent copy, after torch.optim.SGD",
            quantized(MaxUnifQuantizer(), 3, ProxHardQuant()),
            problem="calm",
        ),
        Case(
            "parq",
            {"parq": {"tx": SGD, **schedule}},
            "torchao",
            "parq UnifQuantizer(b=2) by channel and ProxPARQ(2, 22, steepness=6) on a latent copy",
            quantized(UnifQuantizer(), 2, ProxPARQ(2, 22, steepness=6.0), dim=-1, begin=2),
            notes="where the inverse slope is still 1 torchao clips to the outer levels, in that one step",
            problem="calm",
        ),
        numpy_case(
            "add_decay_to_start",
            {"chain": [{"add_decay_to_start": {"weight_decay": 0.3}}, SGD]},
            "arXiv:1802.01483, equation 3",
            towards_start,
        ),
    ]
