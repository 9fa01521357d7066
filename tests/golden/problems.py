"""The inputs of every golden case: initial parameters and explicit gradients, drawn once in float64."""

from typing import NamedTuple

import numpy as np

STEPS = 25
Tree = dict[str, np.ndarray]


class Problem(NamedTuple):
    params: Tree  # leaf shape
    grads: Tree  # [steps, *leaf shape]


def _draw(shapes: dict[str, tuple[int, ...]], seed: int) -> Problem:
    rng = np.random.default_rng(seed)
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    drift = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    grads = {name: 0.4 * drift[name] + rng.normal(size=(STEPS, *shape)) for name, shape in shapes.items()}
    return Problem(params, grads)


def matrix() -> Problem:
    """A matrix and a vector; gradients of 1e3 and 1e-7, whole leaves of zeros, entries always zero."""
    problem = _draw({"w": (7, 5), "b": (5,)}, seed=20260721)
    w, b = problem.grads["w"], problem.grads["b"]
    w[9, :2] *= 1e3
    w[12, 2] *= 1e-7
    b[11:14] *= 1e-3
    b[5] = 0.0
    w[16] = 0.0
    w[:, 3] = 0.0  # a row no example ever touches, as in an embedding
    b[:, 4] = 0.0
    return problem


def calm() -> Problem:
    """The same tree with gradients of one magnitude, for rules that a burst would leave saturated."""
    problem = _draw({"w": (7, 5), "b": (5,)}, seed=314159)
    problem.grads["b"][5] = 0.0
    return problem


def stack() -> Problem:
    """Three stacked matrices and a vector."""
    return _draw({"w": (3, 6, 4), "b": (5,)}, seed=271828)


PROBLEMS = {"matrix": matrix, "calm": calm, "stack": stack}
