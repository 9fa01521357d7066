"""Run an optimizer that someone else wrote over explicit gradients, in float64."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import torch
from problems import STEPS, Problem, Tree

keras.config.set_floatx("float64")
torch.set_default_dtype(torch.float64)

Run = Callable[[Problem], Tree]
EXACT = 1e-10


@dataclass(frozen=True)
class Case:
    """One golden trajectory: what gradchain is to build, and the implementation that says what it must do."""

    name: str
    config: dict[str, Any]
    library: str  # distribution name, or "numpy" for a transcription of a published formula
    oracle: str  # the call that was run, or the source of the formula
    run: Run
    problem: str = "matrix"
    rtol: float = EXACT
    notes: str = ""
    insensitive: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "config": self.config,
            "oracle": {"library": self.library, "version": version(self.library), "call": self.oracle},
            "problem": self.problem,
            "rtol": self.rtol,
            "notes": self.notes,
            "insensitive": self.insensitive,
        }


def call_text(cls: type, kwargs: dict[str, Any]) -> str:
    return f"{cls.__module__}.{cls.__name__}({', '.join(f'{k}={v!r}' for k, v in kwargs.items())})"


def tensors(tree: Tree) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(leaf, requires_grad=True) for name, leaf in tree.items()}


def set_grads(params: dict[str, torch.Tensor], grads: Tree, t: int) -> None:
    for name, p in params.items():
        p.grad = torch.tensor(grads[name][t])


def record(steps: Iterator[dict[str, Any]]) -> Tree:
    """Stack what each step left, leaf by leaf: [steps, *shape]."""
    taken = [{name: np.array(leaf, copy=True) for name, leaf in tree.items()} for tree in steps]
    assert len(taken) == STEPS
    return {name: np.stack([tree[name] for tree in taken]) for name in taken[0]}


def detached(params: dict[str, torch.Tensor]) -> Tree:
    return {name: p.detach().numpy().copy() for name, p in params.items()}


def torch_steps(make: Callable[[dict[str, torch.Tensor]], Any], before=None, after=None) -> Run:
    """`before(params, t)` may change p.grad; `after(params, opt)` runs when the step is done."""

    def run(problem: Problem) -> Tree:
        params = tensors(problem.params)
        opt = make(params)

        def steps():
            for t in range(STEPS):
                set_grads(params, problem.grads, t)
                if before is not None:
                    before(params, t)
                opt.step()
                if after is not None:
                    after(params, opt)
                yield detached(params)

        return record(steps())

    return run


def torch_case(name: str, config: dict, cls: type, kwargs: dict, library: str = "torch", **rest) -> Case:
    run = torch_steps(lambda params: cls(list(params.values()), **kwargs))
    return Case(name, config, library, call_text(cls, kwargs), run, **rest)


def keras_case(name: str, config: dict, cls: type, kwargs: dict, **rest) -> Case:
    def run(problem: Problem) -> Tree:
        opt = cls(**kwargs)
        variables = {name: keras.Variable(leaf, dtype="float64") for name, leaf in problem.params.items()}

        def steps():
            for t in range(STEPS):
                grads = [keras.ops.convert_to_tensor(problem.grads[name][t]) for name in variables]
                opt.apply(grads, list(variables.values()))
                yield {name: keras.ops.convert_to_numpy(v.value) for name, v in variables.items()}

        return record(steps())

    return Case(name, config, "keras", call_text(cls, kwargs), run, **rest)


def numpy_case(name: str, config: dict, source: str, rule: Callable[[], Callable], **rest) -> Case:
    """`rule()` gives a fresh `step(leaf name, p, g, t) -> p` with t counted from 1."""

    def run(problem: Problem) -> Tree:
        step = rule()
        params = dict(problem.params)

        def steps():
            for t in range(STEPS):
                for leaf, p in params.items():
                    params[leaf] = step(leaf, p, problem.grads[leaf][t], t + 1)
                yield params

        return record(steps())

    return Case(name, config, "numpy", f"transcribed from {source}", run, **rest)
