"""accumulate: one optimizer step for several microbatches of gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import returned, tree, words
from gradchain.core.complaints import asker
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Period
from gradchain.core.kinds import DType
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, like, of_tree, shared, sums, typed
from gradchain.core.transform import Transform, example, optimizer, wrapper
from gradchain.math.numerics import increment, real_dtype
from gradchain.rules.parts.basic import identity
from gradchain.wrappers.base import wrap

PyTree = Any


class AccumulateState(NamedTuple):
    mini_step: Array  # [] int32, microbatches in acc_grads
    gradient_step: Array  # [] int32, optimizer steps taken
    acc_grads: PyTree  # like params, sum of the gradients since the last step, or their mean
    skipped: Array  # [] int32, microbatches (or whole steps) left out

    metrics = ("skipped",)


class AccumulateChosenState(NamedTuple):
    mini_step: Array  # [] int32, microbatches in acc_grads
    gradient_step: Array  # [] int32, optimizer steps taken
    acc_grads: PyTree  # like params, sum of the gradients since the last step, or their mean
    skipped: Array  # [] int32, microbatches (or whole steps) left out
    skip_state: PyTree  # what should_skip_update_fn said of the last microbatch

    metrics = ("skipped",)


class Accumulated(Transform):
    """What `accumulate` makes: a Transform that says when it has stepped."""

    def has_updated(self, state: Any) -> Array:
        """Whether the last update was one with which a step came due; none has at the start."""
        entry = state[self.body.keys[0]]
        return (entry.mini_step == 0) & (entry.gradient_step > 0)

    def gradient_transformation(self) -> Accumulated:
        """Itself: it is a pair of functions as it is."""
        return self

    @property
    def inner_opt(self) -> Transform:
        """The transform that runs when a step is due."""
        body: Any = self.body
        return body.tx


@functools.partial(jax.jit, static_argnums=5)
def _add(total, g, n, first, good, running: bool):
    # Overwritten by the first of a step rather than set to zero by the last: a write less, and no NaN lasts.
    g = g.astype(total.dtype)
    more = (g - total) / jnp.maximum(n, 1).astype(real_dtype(total)) if running else g
    new = jnp.where(first, g, total + more)
    return jnp.where(good, new, total)


@wrapper(
    traits=frozenset({"sometimes"}),
    form=Accumulated,
    example=lambda: {"tx": example("adam"), "every": 2},
    errors=lambda: [
        ErrorInput({"every": 2**31}, ValueError, ("every is 2147483648", "at most 2147483647")),
        ErrorInput({"nonfinite": "skp"}, ValueError, ("nonfinite is 'skp'", "expected 'drop' or 'skip'")),
        ErrorInput({"tx": None}, TypeError, ("None is not a gradient transformation",)),
        ErrorInput({"mean": False, "running_mean": True}, ValueError, ("running_mean", "mean=False")),
    ],
)
def accumulate(
    tx: Any,
    every: Period = 1,
    *,
    mean: bool = True,
    nonfinite: str = "drop",
    running_mean: bool = False,
    should_skip_update_fn: Callable[[Any, Any, Any], Any] | None = None,
    accumulator_dtype: DType | None = None,
):
    """Step once every `every` updates, with the mean (or sum) of their gradients; in between nothing moves.

    The inner optimizer runs only when due: with `tx.step` the other microbatches cost 12 bytes a parameter.
    `every` may be a schedule of the optimizer steps taken, or tunable: the effective batch then changes
    without recompiling. A gradient that is not finite never reaches the optimizer:
    nonfinite="drop" looks when a step is due and drops that step, at no cost in between; "skip" leaves the
    microbatch itself out and waits for another, at 4 more bytes a parameter. Both count in `skipped`.
    should_skip_update_fn(grads, gradient_step, params) -> (whether to leave a microbatch out, what to keep of
    it) may say the same of any other, see `skip_large_updates`. running_mean: acc_grads is the mean of the
    microbatches so far, as in Optax, not their sum. tx.has_updated(state): whether the last one made a step.
    """
    if nonfinite not in ("drop", "skip"):
        raise ValueError(f"accumulate: nonfinite is {words.show(nonfinite)}; expected 'drop' or 'skip'")
    if running_mean and not mean:
        raise ValueError("accumulate: running_mean=True keeps a mean, and mean=False asks for the sum")
    made = as_transform(tx, "accumulate")
    if "previous_grads" in made.body.needs:
        who = asker(made, "previous_grads")
        raise ValueError(
            f"accumulate: {who} needs previous_grads, of which it would see the last microbatch's alone; "
            "expected it outside, where each microbatch is corrected by its own: "
            "chain(reduce_variance(exact=True), accumulate(tx, every)); or exact=False"
        )
    skip, chosen = nonfinite == "skip", should_skip_update_fn

    def step(inner, g, s, state, params):
        tree.same_structure({"the gradients": g, "the state's acc_grads": s.acc_grads}, "accumulate")
        good = tree.all_finite(g) if skip else jnp.array(True)
        if chosen is not None:
            left_out, said = _said(chosen, g, s.gradient_step, params)
            good &= ~left_out
            s = s._replace(skip_state=jax.tree.map(lambda x, y: jnp.asarray(x, y.dtype), said, s.skip_state))
        first, n = s.mini_step == 0, s.mini_step + good.astype(s.mini_step.dtype)
        total = jax.tree.map(lambda a, x: _add(a, x, n, first, good, running_mean), s.acc_grads, g)
        wanted = jnp.round(jnp.asarray(every))
        due = good & (n.astype(wanted.dtype) >= wanted)
        fine = good if skip else tree.all_finite(total)
        scale = 1 / n.astype(jnp.result_type(float)) if mean and not running_mean else None
        out, state = inner.run_if(due & fine, total, state, params, scale)
        missed = ~good if skip else (due & ~fine) | ~good
        s = s._replace(
            mini_step=jnp.where(due, 0, n),
            gradient_step=jnp.where(due & fine, increment(s.gradient_step), s.gradient_step),
            acc_grads=total,
            skipped=jnp.where(missed, increment(s.skipped), s.skipped),
        )
        return out, s, state

    def said(params):
        of = lambda p: _said(should_skip_update_fn, p, jnp.zeros((), jnp.int32), p)[1]  # noqa: E731
        return jax.tree.map(like, jax.eval_shape(of, params))

    return wrap(
        AccumulateState if chosen is None else AccumulateChosenState,
        made,
        step,
        clock="gradient_step",
        fields={
            "mini_step": shared(counter),
            "gradient_step": shared(counter),
            "acc_grads": typed(sums, accumulator_dtype),
            "skipped": shared(counter),
            **({} if chosen is None else {"skip_state": of_tree(said)}),
        },
    )


def _said(f: Any, g: PyTree, gradient_step: Array, params: PyTree) -> tuple[Array, PyTree]:
    said = f(g, gradient_step, params)
    if not isinstance(said, tuple | list) or len(said) != 2:
        pair = "a pair (whether to leave a microbatch out, a tree of arrays to keep)"
        raise returned.wrong(said, "accumulate", "should_skip_update_fn", f, pair)
    return returned.truth(said[0], "accumulate", "should_skip_update_fn", f), said[1]


def skip_not_finite(updates: PyTree, gradient_step: Array, params: PyTree) -> tuple[Array, dict[str, Array]]:
    """For `should_skip_update_fn`: leave out what is not finite; keeps how many numbers of it are not."""
    bad = [jnp.sum(~jnp.isfinite(x), dtype=jnp.int32) for x in jax.tree.leaves(updates)]
    n = functools.reduce(jnp.add, bad, jnp.zeros((), jnp.int32))
    return n > 0, {"should_skip": n > 0, "num_not_finite": n}


def skip_large_updates(
    updates: PyTree, gradient_step: Array, params: PyTree, max_squared_norm: Any
) -> tuple[Array, dict[str, Array]]:
    """For `should_skip_update_fn`: leave a microbatch out whose squared norm is too large, infinite or NaN.

    Give the bound first: functools.partial(skip_large_updates, max_squared_norm=100.0).
    """
    squared = jnp.square(tree.global_norm(updates))
    large = ~(squared < max_squared_norm)  # of NaN as well
    return large, {"should_skip": large, "norm_squared": squared}


@optimizer(renamed={"optimizer": "opt"}, example=lambda: {"opt": example("adam"), "every_k_schedule": 2})
def MultiSteps(
    opt: Any,
    every_k_schedule: Period,
    use_grad_mean: bool = True,
    should_skip_update_fn: Callable[[Any, Any, Any], Any] | None = None,
    accumulator_dtype: DType | None = None,
    *,
    running_mean: bool = False,
):
    """Optax's name for `accumulate(opt, every_k_schedule, mean=use_grad_mean, ...)`, see there."""
    return accumulate(
        opt,
        every_k_schedule,
        mean=use_grad_mean,
        running_mean=running_mean,
        should_skip_update_fn=should_skip_update_fn,
        accumulator_dtype=accumulator_dtype,
    )


@optimizer(example=lambda: {"k": 2})
def apply_every(k: Period = 1):
    """Let the sum of k updates through, zeros in between: Optax's name for `accumulate(identity(), k)`."""
    return accumulate(identity(), k, mean=False)
