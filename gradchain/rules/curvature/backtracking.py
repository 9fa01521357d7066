"""scale_by_backtracking_linesearch: shorten a step until the function decreases enough."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree
from gradchain.core.hyper import Fraction, Hyper, Limit, Period
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, filled, scalar, shared, sums
from gradchain.core.transform import transform
from gradchain.rules.curvature.objective import along, arguments_of, number, scaled, slope_of, tell, unknown

PyTree = Any


class BacktrackingLinesearchInfo(NamedTuple):
    num_linesearch_steps: Array  # [] int32, evaluations of the function
    decrease_error: Array  # [] by how much the step misses sufficient decrease; above atol: the search failed


class ScaleByBacktrackingLinesearchState(NamedTuple):
    learning_rate: Array  # [] the last step
    value: Array  # [] the function where it led to
    grad: PyTree  # like params, the gradient there
    info: BacktrackingLinesearchInfo

    metrics = ("learning_rate", "value")


class BacktrackingValueState(NamedTuple):
    learning_rate: Array  # [] the last step
    value: Array  # [] the function where it led to
    info: BacktrackingLinesearchInfo

    metrics = ("learning_rate", "value")


class _Trial(NamedTuple):
    step: Array
    error: Array  # of the last trial
    tried: Array  # [] int32
    best: tuple[Array, Array, Array]  # step, value and error of the lowest trial, or of standing still


def _info(p) -> Any:
    slots: Any = (counter(p), unknown(p))
    return BacktrackingLinesearchInfo(*slots)


@transform(
    paper="Nocedal & Wright 2006, algorithm 3.1; arXiv:1905.09997",
    traits=frozenset({"no_derivative"}),
    example=lambda: {"max_backtracking_steps": 8, "store_grad": True},
    errors=lambda: [
        ErrorInput({"max_backtracking_steps": 0}, ValueError, ("max_backtracking_steps is 0", "at least 1")),
        ErrorInput({"decrease_factor": 1.5}, ValueError, ("decrease_factor is 1.5", "at most 1")),
    ],
)
def scale_by_backtracking_linesearch(
    max_backtracking_steps: Period,
    slope_rtol: Hyper = 1e-4,
    decrease_factor: Fraction = 0.8,
    increase_factor: Limit = 1.5,
    max_learning_rate: Hyper = 1.0,
    atol: Hyper = 0.0,
    rtol: Hyper = 0.0,
    store_grad: bool = False,
    verbose: bool = False,
):
    """Scale the updates to a step t with sufficient decrease (Armijo): shorten it until it has.

    f(t) <= (1 + rtol) f(0) + slope_rtol t f'(0) + atol, where f(t) = value_fn(params + t * updates)
    The first trial is increase_factor times the last step, at most max_learning_rate; each other one is
    decrease_factor times the one before, max_backtracking_steps times. A search that fails takes the lowest
    trial below f(0), or no step, and `info` holds the error (Optax takes the last trial, whatever its value).
    Extra arguments of update: `value` and `grad` at the parameters, `value_fn`, and what value_fn takes by
    name. store_grad keeps the gradient where the step leads to, for `value_and_grad_from_state`.
    """

    def update(updates, s, params, *, value, grad, value_fn, **extra):
        given = arguments_of(value_fn, extra)
        f = along(lambda p: value_fn(p, **given), params, updates)
        start, slope = number(value), slope_of(updates, grad)
        zero, infinite = jnp.zeros_like(start), jnp.full_like(start, jnp.inf)

        def going(trial: _Trial):
            tried = trial.tried.astype(start.dtype)
            return ~(trial.error <= atol) & (tried <= max_backtracking_steps)

        def turn(trial: _Trial):
            here = number(f(trial.step))
            error = here - (1 + rtol) * start - trial.step * slope_rtol * slope
            error = jnp.where(jnp.isnan(error), jnp.inf, jnp.maximum(error, 0)).astype(start.dtype)
            step, low, least = trial.best
            better = (error <= atol) | (here < low)
            still = ~better & (step == 0)  # standing still, with the smallest error of a trial
            best = tree.where(better, (trial.step, here, error), trial.best)
            best = (best[0], best[1], jnp.where(still, jnp.minimum(error, least), best[2]))
            shorter = (decrease_factor * trial.step).astype(start.dtype)
            return _Trial(shorter, error, trial.tried + 1, best)

        last = jnp.where(s.learning_rate > 0, s.learning_rate, 1)
        first = jnp.minimum(increase_factor * last, max_learning_rate).astype(start.dtype)
        begin = _Trial(first, infinite, jnp.zeros((), jnp.int32), (zero, start, infinite))
        end = lax.while_loop(going, turn, begin)
        step, low, error = end.best
        if verbose:
            numbers = {"step": step, "value": low, "slope_at_0": slope, "decrease_error": error}
            tell(~(error <= atol), "scale_by_backtracking_linesearch", **numbers)
        new: dict[str, Any] = {"learning_rate": step, "value": low}
        if store_grad:
            there = along(jax.grad(lambda p: value_fn(p, **given)), params, updates)(step)
            kept = tree.where(step > 0, tree.cast_like(there, s.grad), tree.cast_like(grad, s.grad))
            new["grad"] = kept
        return scaled(updates, step), s._replace(info=BacktrackingLinesearchInfo(end.tried, error), **new)

    fields: Any = {
        "learning_rate": shared(filled(scalar, 1.0)),
        "value": shared(unknown),
        "info": shared(_info),
    }
    if store_grad:
        return treewise(ScaleByBacktrackingLinesearchState, update, params=True, grad=sums, **fields)
    return treewise(BacktrackingValueState, update, params=True, **fields)
