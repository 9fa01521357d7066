"""accumulate: one optimizer step for several microbatches of gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Period
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, shared, sums
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import increment
from gradchain.rules.parts.basic import identity
from gradchain.wrappers.base import wrap

PyTree = Any


class AccumulateState(NamedTuple):
    mini_step: Array  # [] int32, microbatches in acc_grads
    gradient_step: Array  # [] int32, optimizer steps taken
    acc_grads: PyTree  # like params, sum of the gradients since the last step
    skipped: Array  # [] int32, microbatches (or whole steps) left out for an infinity or a NaN

    metrics = ("skipped",)


@jax.jit
def _add(total, g, first, good):
    # Overwritten by the first of a step rather than set to zero by the last: a write less, and no NaN lasts.
    new = jnp.where(first, g.astype(total.dtype), total + g.astype(total.dtype))
    return jnp.where(good, new, total)


@wrapper(
    traits=frozenset({"sometimes"}),
    example=lambda: {"tx": example("adam"), "every": 2},
    errors=lambda: [
        ErrorInput({"every": 2**31}, ValueError, ("every is 2147483648", "at most 2147483647")),
        ErrorInput({"nonfinite": "skp"}, ValueError, ("nonfinite is 'skp'", "expected 'drop' or 'skip'")),
        ErrorInput({"tx": None}, TypeError, ("None is not a gradient transformation",)),
    ],
)
def accumulate(tx: Any, every: Period = 1, *, mean: bool = True, nonfinite: str = "drop"):
    """Step once every `every` updates, with the mean (or sum) of their gradients; in between nothing moves.

    The inner optimizer runs only when due: with `tx.step` the other microbatches cost 12 bytes a parameter.
    `every` may be a schedule of the optimizer steps taken, or tunable: the effective batch then changes
    without recompiling. A gradient that is not finite never reaches the optimizer:
    nonfinite="drop" looks when a step is due and drops that step, at no cost in between; "skip" leaves the
    microbatch itself out and waits for another, at 4 more bytes a parameter. Both count in `skipped`.
    """
    if nonfinite not in ("drop", "skip"):
        raise ValueError(f"accumulate: nonfinite is {words.show(nonfinite)}; expected 'drop' or 'skip'")

    skip = nonfinite == "skip"

    def step(inner, g, s, state, params):
        tree.same_structure({"the gradients": g, "the state's acc_grads": s.acc_grads}, "accumulate")
        good = tree.all_finite(g) if skip else jnp.array(True)
        first, n = s.mini_step == 0, s.mini_step + good.astype(s.mini_step.dtype)
        total = jax.tree.map(lambda a, x: _add(a, x, first, good), s.acc_grads, g)
        wanted = jnp.round(jnp.asarray(every))
        due = good & (n.astype(wanted.dtype) >= wanted)
        fine = good if skip else tree.all_finite(total)
        scale = 1 / n.astype(jnp.result_type(float)) if mean else None
        out, state = inner.run_if(due & fine, total, state, params, scale)
        missed = ~good if skip else due & ~fine
        s = s._replace(
            mini_step=jnp.where(due, 0, n),
            gradient_step=jnp.where(due & fine, increment(s.gradient_step), s.gradient_step),
            acc_grads=total,
            skipped=jnp.where(missed, increment(s.skipped), s.skipped),
        )
        return out, s, state

    return wrap(
        AccumulateState,
        as_transform(tx, "accumulate"),
        step,
        clock="gradient_step",
        fields={
            "mini_step": shared(counter),
            "gradient_step": shared(counter),
            "acc_grads": sums,
            "skipped": shared(counter),
        },
    )


@optimizer(renamed={"optimizer": "opt"}, example=lambda: {"opt": example("adam"), "every_k_schedule": 2})
def MultiSteps(opt: Any, every_k_schedule: Period, use_grad_mean: bool = True):
    """Optax's name for `accumulate(opt, every_k_schedule, mean=use_grad_mean)`."""
    return accumulate(opt, every_k_schedule, mean=use_grad_mean)


@optimizer(example=lambda: {"k": 2})
def apply_every(k: Period = 1):
    """Let the sum of k updates through, zeros in between: Optax's name for `accumulate(identity(), k)`."""
    return accumulate(identity(), k, mean=False)
