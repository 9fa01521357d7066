"""Runs over many rates and seeds in one program, and the rate at which an optimizer is judged."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from compare.problems import Problem
from gradchain.tuning.training import ASKED

Make = Callable[[gc.Schedule], gc.Transform]  # learning rate -> optimizer
RATES = 5  # in one program
FACTOR = 2.0  # between neighbours
LOWEST, HIGHEST = 1e-7, 1e4


@dataclasses.dataclass(frozen=True)
class Tuned:
    """An optimizer at its best rate: a curve for each seed."""

    name: str
    rate: float
    curves: np.ndarray  # [seeds, points], what the problem judges, after steps / points steps each
    tried: dict[float, float]  # rate -> median over the seeds at the end
    bracketed: bool  # whether rates on both sides of the best are worse
    state: float  # bytes for each parameter

    @property
    def ends(self) -> np.ndarray:
        """The last value of each seed."""
        return self.curves[:, -1]


def falling(problem: Problem, rate: Any) -> gc.Schedule:
    """A line from a rate to 0 over the whole run."""
    return gc.linear_schedule(rate, 0.0, problem.steps)


def run(problem: Problem, make: Make, rate: Any, seed: Any) -> jax.Array:
    """One run with a rate that falls in a line to 0: what is judged at each point, [points]."""
    tx = make(falling(problem, rate))
    first, order = jax.random.split(jax.random.key(seed))
    params = problem.init(first)

    def step(carry, index):
        params, state = carry
        batch = problem.batch(jax.random.fold_in(order, index))
        loss, grads = jax.value_and_grad(problem.loss)(params, batch)
        f = lambda p: problem.loss(p, batch)  # noqa: E731
        extra = {name: ASKED[name](loss, grads, f) for name in sorted(tx.body.needs)}
        return tx.step(grads, state, params, **extra), None

    def part(carry, indices):
        carry, _ = jax.lax.scan(step, carry, indices)
        return carry, problem.judge(gc.eval_params(tx, carry[1], carry[0]))

    indices = jnp.arange(problem.steps).reshape(problem.points, -1)
    return jax.lax.scan(part, (params, tx.init(params)), indices)[1]


def tune(
    problem: Problem,
    name: str,
    make: Make,
    start: float,
    seeds: int,
    told: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Try rates in steps of two, further on where the best is the last, until both neighbours are worse."""
    every = jax.vmap(lambda rate: jax.vmap(lambda seed: run(problem, make, rate, seed))(jnp.arange(seeds)))
    program = jax.jit(every)
    curves: dict[float, np.ndarray] = {}
    exponents = [i - RATES // 2 for i in range(RATES)]
    while exponents:
        rates = [start * FACTOR**i for i in exponents]
        told(f"{rates[0]:.2g} to {rates[-1]:.2g}")
        found = np.asarray(program(jnp.asarray(rates, jnp.float32)))  # [rates, seeds, points]
        curves |= dict(zip(rates, found, strict=True))
        exponents = _further(sorted(curves), curves, start)
    tried = {rate: _middle(curves[rate]) for rate in sorted(curves)}
    best = min(tried, key=lambda rate: tried[rate])
    rates = sorted(curves)
    inside = rates[0] < best < rates[-1] and math.isfinite(tried[best])
    params = jax.eval_shape(problem.init, jax.random.key(0))
    state = gc.describe(make(falling(problem, start)), params).bytes_per_param
    return Tuned(name, best, curves[best], tried, inside, state)


def _middle(curves: np.ndarray) -> float:
    """The median over the seeds at the end; infinite where half of them have diverged."""
    return float(np.median(np.where(np.isfinite(curves[:, -1]), curves[:, -1], np.inf)))


def _further(rates: Sequence[float], curves: dict[float, np.ndarray], start: float) -> list[int]:
    """The powers of two to try next; none where the best rate has worse ones on both sides."""
    ends = [_middle(curves[rate]) for rate in rates]
    at = int(np.argmin(ends)) if np.isfinite(min(ends)) else 0
    low, high = (round(math.log(rate / start, FACTOR)) for rate in (rates[0], rates[-1]))
    if at == 0 and rates[0] > LOWEST:
        return [low - RATES + i for i in range(RATES)]
    if at == len(rates) - 1 and rates[-1] < HIGHEST:
        return [high + 1 + i for i in range(RATES)]
    return []


def steps_to(tuned: Tuned, target: float, steps: int) -> np.ndarray:
    """For each seed the step at which the loss first is the target; infinite where it never is."""
    each = steps / tuned.curves.shape[1]
    found = []
    for curve in tuned.curves:
        below = np.flatnonzero(curve <= target)
        if not below.size:
            found.append(math.inf)
            continue
        k, before = int(below[0]), math.inf
        if k:  # between two points the logarithm of the loss is taken for a line
            before, after = math.log(curve[k - 1]), math.log(max(curve[k], 1e-30))
            part = (before - math.log(target)) / max(before - after, 1e-30)
            found.append((k + part) * each)
        else:
            found.append(each)
    return np.asarray(found)
