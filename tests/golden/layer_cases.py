"""Rules that look at a whole leaf: factored moments, trust ratios, clipping."""

from collections import defaultdict
from collections.abc import Callable

import keras
import numpy as np
import pytorch_optimizer
import torch
import transformers
from oracles import Case, Run, call_text, keras_case, numpy_case, torch_case, torch_steps
from problems import Problem, Tree
from pytorch_optimizer.optimizer import agc


def sgd_after(link: dict, learning_rate: float = 0.1) -> dict:
    return {"chain": [link, {"sgd": {"learning_rate": learning_rate}}]}


def reshaped(run: Run, shape: Callable[[np.ndarray], tuple[int, ...]]) -> Run:
    """Run an oracle on leaves of another shape, for one that decides by the number of axes what to do."""

    def on_others(problem: Problem) -> Tree:
        params = {name: p.reshape(shape(p)) for name, p in problem.params.items()}
        grads = {name: g.reshape(len(g), *params[name].shape) for name, g in problem.grads.items()}
        taken = run(Problem(params, grads))
        return {name: leaf.reshape(problem.grads[name].shape) for name, leaf in taken.items()}

    return on_others


def per_layer(run: Run) -> Run:
    """Run an oracle on the layers of a stack as leaves of their own."""

    def on_layers(problem: Problem) -> Tree:
        layers = range(len(problem.params["w"]))
        params = {f"w{i}": problem.params["w"][i] for i in layers} | {"b": problem.params["b"]}
        grads = {f"w{i}": problem.grads["w"][:, i] for i in layers} | {"b": problem.grads["b"]}
        taken = run(Problem(params, grads))
        return {"w": np.stack([taken[f"w{i}"] for i in layers], axis=1), "b": taken["b"]}

    return on_layers


def adafactor_cases() -> list[Case]:
    def torch_adafactor(name: str, config: dict, **kwargs) -> Case:
        config = {"learning_rate": 0.05, "min_dim_size_to_factor": 5, "decay_rate": 0.7, **config}
        kwargs = {"lr": 0.05, "beta2_decay": -0.7, "foreach": False, **kwargs}
        return torch_case(name, {"adafactor": config}, torch.optim.Adafactor, kwargs)

    cls = transformers.Adafactor
    config = {"learning_rate": 0.05, "min_dim_size_to_factor": 5, "decay_rate": 0.8, "eps": 1e-4}
    unscaled = {**config, "multiply_by_parameter_scale": False}
    kwargs = {"lr": 0.05, "eps": (1e-4, 1e-3), "relative_step": False, "decay_rate": -0.8}
    plain = {**kwargs, "scale_parameter": False}
    whole = {**config, "factored": False}
    del whole["min_dim_size_to_factor"]
    on_vectors = reshaped(
        torch_steps(lambda params: cls(list(params.values()), **kwargs)), lambda p: (p.size,)
    )
    return [
        torch_adafactor("adafactor_torch", {"clipping_threshold": 1.2}, d=1.2),
        torch_adafactor("adafactor_torch_decay", {"weight_decay": 0.05 * 0.4}, weight_decay=0.4),
        torch_case("adafactor", {"adafactor": config}, cls, kwargs, library="transformers"),
        torch_case(
            "adafactor_clipped",
            {"adafactor": {**unscaled, "clipping_threshold": 0.6}},
            cls,
            {**plain, "clip_threshold": 0.6},
            library="transformers",
        ),
        torch_case(
            "adafactor_momentum",
            {"adafactor": {**unscaled, "momentum": 0.8, "weight_decay": 0.05 * 0.4}},
            cls,
            {**plain, "beta1": 0.8, "weight_decay": 0.4},
            library="transformers",
        ),
        Case(
            "adafactor_unfactored",
            {"adafactor": whole},
            "transformers",
            call_text(cls, kwargs) + " on flat leaves",
            on_vectors,
        ),
        Case(
            "adafactor_stack",
            {"adafactor": {**config, "min_dim_size_to_factor": 4, "clipping_threshold": 0.9}},
            "transformers",
            call_text(cls, {**kwargs, "clip_threshold": 0.9}) + " on each layer",
            per_layer(torch_steps(lambda params: cls(list(params.values()), **kwargs, clip_threshold=0.9))),
            problem="stack",
        ),
    ]


def lamb_with_decay():
    m, v = defaultdict(float), defaultdict(float)
    lr, b1, b2, eps, decay = 0.03, 0.85, 0.97, 1e-3, 0.4

    def step(leaf, x, g, t):
        m[leaf] = b1 * m[leaf] + (1 - b1) * g
        v[leaf] = b2 * v[leaf] + (1 - b2) * g**2
        r = (m[leaf] / (1 - b1**t)) / (np.sqrt(v[leaf] / (1 - b2**t)) + eps) + decay * x
        return x - lr * np.linalg.norm(x) / np.linalg.norm(r) * r

    return step


def lars(name: str, config: dict, stacked: bool = False, **kwargs) -> Case:
    config = {"learning_rate": 0.9, "momentum": 0.8, "trust_coefficient": 0.05, **config}
    kwargs = {"lr": 0.9, "momentum": 0.8, "trust_coefficient": 0.05, **kwargs}
    run = torch_steps(lambda params: pytorch_optimizer.LARS(list(params.values()), **kwargs))
    call = call_text(pytorch_optimizer.LARS, kwargs) + ", b as a matrix of one column"
    run = reshaped(run, lambda p: p.shape if p.ndim > 1 else (p.size, 1))
    run = per_layer(run) if stacked else run
    notes = "arXiv:1708.03888: the ratio divides by |g| + decay |w|, not by |g + decay w|; every leaf has one"
    problem = "stack" if stacked else "matrix"
    return Case(name, {"lars": config}, "pytorch-optimizer", call, run, problem, notes=notes)


def trust_ratio_cases() -> list[Case]:
    lamb = {"learning_rate": 0.03, "b1": 0.85, "b2": 0.97, "eps": 1e-3}
    return [
        keras_case(
            "lamb",
            {"lamb": lamb},
            keras.optimizers.Lamb,
            {"learning_rate": 0.03, "beta_1": 0.85, "beta_2": 0.97, "epsilon": 1e-3},
        ),
        numpy_case(
            "lamb_decay",
            {"lamb": {**lamb, "weight_decay": 0.4}},
            "arXiv:1904.00962, algorithm 2",
            lamb_with_decay,
        ),
        lars("lars", {}),
        lars("lars_nesterov", {"nesterov": True}, nesterov=True),
        lars("lars_decay", {"weight_decay": 0.2}, weight_decay=0.2),
        lars("lars_stack", {"weight_decay": 0.2}, stacked=True, weight_decay=0.2),
    ]


def clip_by_block_rms():
    return lambda leaf, p, g, t: p - 0.1 * g / max(1.0, float(np.sqrt(np.mean(g**2))) / 0.4)


def clipping_cases() -> list[Case]:
    def sgd(params):
        return torch.optim.SGD(list(params.values()), lr=0.1)

    def value(params, t):
        torch.nn.utils.clip_grad_value_(params.values(), 0.7)

    def norm(params, t):
        torch.nn.utils.clip_grad_norm_(params.values(), 3.0)

    def total_norm(params, t):
        scale = min(1.0, 4.0 / float(torch.nn.utils.get_total_norm([p.grad for p in params.values()])))
        for p in params.values():
            p.grad *= scale

    def adaptive(params, t):
        for p in params.values():  # torch's units are rows, a (in, out) kernel's are columns
            turn = torch.t  # leaves a vector as it is
            p.grad = turn(agc(turn(p.detach()), turn(p.grad), agc_eps=2.0, agc_clip_val=0.4)).contiguous()

    after = "torch.optim.SGD(lr=0.1) after "
    adaptive_run = torch_steps(sgd, before=adaptive)
    return [
        Case(
            "clip",
            sgd_after({"clip": {"max_delta": 0.7}}),
            "torch",
            after + "clip_grad_value_(0.7)",
            torch_steps(sgd, before=value),
        ),
        Case(
            "clip_by_global_norm",
            sgd_after({"clip_by_global_norm": {"max_norm": 4.0}}),
            "torch",
            after + "scaling by min(1, 4 / torch.nn.utils.get_total_norm)",
            torch_steps(sgd, before=total_norm),
            notes="arXiv:1211.5063 without torch's 1e-6 and keras's float32",
        ),
        Case(
            "clip_by_global_norm_torch",
            sgd_after({"clip_by_global_norm": {"max_norm": 3.0}}),
            "torch",
            after + "clip_grad_norm_(3.0)",
            torch_steps(sgd, before=norm),
            rtol=2e-5,
            notes="torch divides by the norm plus 1e-6, hence the tolerance",
        ),
        numpy_case(
            "clip_by_block_rms",
            sgd_after({"clip_by_block_rms": {"threshold": 0.4}}),
            "arXiv:1804.04235, update clipping",
            clip_by_block_rms,
        ),
        Case(
            "adaptive_grad_clip",
            sgd_after({"adaptive_grad_clip": {"clipping": 0.4, "eps": 2.0}}),
            "pytorch-optimizer",
            after + "pytorch_optimizer.optimizer.agc(agc_clip_val=0.4, agc_eps=2.0) on transposed leaves",
            adaptive_run,
            notes="units are the columns of a matrix and the whole of a vector",
        ),
    ]


def cases() -> list[Case]:
    return [*adafactor_cases(), *trust_ratio_cases(), *clipping_cases()]
