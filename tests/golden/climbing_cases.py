"""ASAM, GSAM, LookSAM: two gradients a step."""

from collections.abc import Callable

import numpy as np
from oracles import Case, record
from problems import STEPS, Problem, Tree
from wrapping_cases import LR, MOMENTS, adam


def climbing(make: Callable) -> Callable[[Problem], Tree]:
    """Two gradients a step, g at p and g + sin(x) - sin(p) at x; used(p, g, at, t) is what Adam gets."""

    def run(problem: Problem) -> Tree:
        direction, params, used = adam(), dict(problem.params), make()

        def steps():
            for t in range(STEPS):
                g, p = {k: x[t] for k, x in problem.grads.items()}, dict(params)
                found = used(
                    p, g, lambda e, p=p, g=g: {k: g[k] + np.sin(p[k] + e[k]) - np.sin(p[k]) for k in g}, t
                )
                for k in p:
                    params[k] = p[k] - LR * direction(k, found[k], t + 1)
                yield params

        return record(steps())

    return run


def dot(x: Tree, y: Tree) -> float:
    return sum(float(np.sum(x[k] * y[k])) for k in x)


def plus(x: Tree, factor: float, y: Tree) -> Tree:
    return {k: x[k] + factor * y[k] for k in x}


def to_length(g: Tree, length: float) -> Tree:
    return {k: x * length / dot(g, g) ** 0.5 for k, x in g.items()}


def asam():
    def used(p, g, at, t):
        wide = {k: np.abs(x) + 0.2 for k, x in p.items()}
        e = to_length({k: wide[k] * g[k] for k in g}, 0.7)
        return at({k: wide[k] * e[k] for k in g})

    return used


def gsam():
    def used(p, g, at, t):
        s = at(to_length(g, 0.7))
        return plus(s, -0.3, plus(g, -dot(g, s) / dot(s, s), s))

    return used


def looksam():
    v = {}

    def used(p, g, at, t):
        if t % 3:
            return plus(g, 0.8 * (dot(g, g) / dot(v, v)) ** 0.5, v)
        s = at(to_length(g, 0.7))
        v.update(plus(s, -dot(s, g) / dot(g, g), g))
        return s

    return used


def cases() -> list[Case]:
    def case(name: str, config: dict, source: str, make: Callable) -> Case:
        given = {name: {"optimizer": {"adam": {"learning_rate": LR, **MOMENTS}}, **config}}
        return Case(name, given, "numpy", f"transcribed from {source}", climbing(make), problem="calm")

    return [
        case("asam", {"rho": 0.7, "eta": 0.2}, "arXiv:2102.11600, equation 3", asam),
        case("gsam", {"rho": 0.7, "alpha": 0.3}, "arXiv:2203.08065, algorithm 1", gsam),
        case("looksam", {"rho": 0.7, "every": 3, "alpha": 0.8}, "arXiv:2203.02714, algorithm 1", looksam),
    ]
