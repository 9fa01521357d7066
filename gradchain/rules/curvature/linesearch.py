"""scale_by_zoom_linesearch: a step with sufficient decrease and small curvature."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.hyper import Hyper, Limit, Period
from gradchain.core.link import treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, filled, scalar, shared, sums
from gradchain.core.transform import transform
from gradchain.rules.curvature.line import Point, Wolfe, wolfe_search
from gradchain.rules.curvature.objective import along, arguments_of, number, scaled, slope_of, tell, unknown

PyTree = Any


class ZoomLinesearchInfo(NamedTuple):
    num_linesearch_steps: Array  # [] int32, evaluations of the function and its gradient
    decrease_error: Array  # [] by how much the step misses sufficient decrease; above 0: the search failed
    curvature_error: Array  # [] by how much it misses small curvature


def _zoom_info(p) -> Any:
    slots: Any = (counter(p), unknown(p), unknown(p))
    return ZoomLinesearchInfo(*slots)


class ScaleByZoomLinesearchState(NamedTuple):
    learning_rate: Array  # [] the last step
    value: Array  # [] the function where it led to
    grad: PyTree  # like params, the gradient there
    info: ZoomLinesearchInfo

    metrics = ("learning_rate", "value")


@transform(
    paper="Nocedal & Wright 2006, algorithms 3.5 and 3.6; Hager & Zhang 2005",
    traits=frozenset({"no_derivative"}),
    example=lambda: {"max_linesearch_steps": 8},
    errors=lambda: [
        ErrorInput({"max_linesearch_steps": 0}, ValueError, ("max_linesearch_steps is 0", "at least 1")),
        ErrorInput({"initial_guess_strategy": "two"}, ValueError, ("'two'", "'keep' or 'one'")),
    ],
)
def scale_by_zoom_linesearch(
    max_linesearch_steps: Period,
    max_learning_rate: Hyper | None = None,
    tol: Hyper = 0.0,
    increase_factor: Hyper = 2.0,
    slope_rtol: Hyper = 1e-4,
    curv_rtol: Limit = 0.9,
    approx_dec_rtol: Hyper | None = 1e-6,
    stepsize_precision: Hyper = 1e-5,
    initial_guess_strategy: Literal["keep", "one"] = "keep",
    verbose: bool = False,
    *,
    conjugate_grad: bool = False,
):
    """Scale the updates to a step t with sufficient decrease and small curvature (strong Wolfe).

    f(t) <= f(0) + slope_rtol t f'(0), or f'(t) <= (2 slope_rtol - 1) f'(0) and f(t) <= f(0) +
    approx_dec_rtol |f(0)|; and |f'(t)| <= curv_rtol |f'(0)|; f(t) = value_fn(params + t * updates)
    Extra arguments of update: `value` and `grad` at the parameters, `value_fn`, and what value_fn takes by
    name. The first trial is 1 or ("keep") the last step; where the function is not finite a step was too
    long. A search that fails takes the lowest point that decreases, or no step, and `info` holds the errors.
    An interval shorter than stepsize_precision of its end is searched no further, once a step decreases.
    Which points are tried is not as in Optax: cubics here go through values and slopes of both ends.
    conjugate_grad: of complex parameters `grad` is the conjugate of jax.grad's, as the updates are in L-BFGS.
    """

    def update(updates, s, params, *, value, grad, value_fn, **extra):
        given = arguments_of(value_fn, extra)
        grad = jax.tree.map(jnp.conj, grad) if conjugate_grad else grad
        f = along(jax.value_and_grad(lambda p: value_fn(p, **given)), params, updates)

        def evaluate(t):
            value, grad = f(t)
            return number(value), number(slope_of(updates, grad)), tree.cast_like(grad, s.grad)

        start = Point(number(0.0), number(value), slope_of(updates, grad))
        keep = initial_guess_strategy == "keep"
        first = jnp.where(s.learning_rate > 0, s.learning_rate, 1) if keep else number(1.0)
        found = wolfe_search(
            evaluate,
            Wolfe(start, slope_rtol, curv_rtol, approx_dec_rtol, tol),
            tree.cast_like(grad, s.grad),
            first,
            longest=max_learning_rate,
            increase_factor=increase_factor,
            precision=stepsize_precision,
            most=max_linesearch_steps,
        )
        info = ZoomLinesearchInfo(found.steps, found.decrease_error, found.curvature_error)
        if verbose:
            tell(
                ~(found.decrease_error <= tol),
                "scale_by_zoom_linesearch",
                step=found.point.step,
                value=found.point.value,
                slope_at_0=start.slope,
                decrease_error=found.decrease_error,
                curvature_error=found.curvature_error,
            )
        new = ScaleByZoomLinesearchState(found.point.step, found.point.value, found.grad, info)
        return scaled(updates, found.point.step), s._replace(**new._asdict())

    return treewise(
        ScaleByZoomLinesearchState,
        update,
        params=True,
        learning_rate=shared(filled(scalar, 1.0)),
        value=shared(unknown),
        grad=sums,
        info=shared(_zoom_info),
    )
