"""skip: leave out updates that are not finite, or far above what was usual."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from gradchain.core import tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Limit, Period
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import counter, flag, scalar, shared, stack
from gradchain.core.transform import example, optimizer, wrapper
from gradchain.math.numerics import increment, safe_sqrt
from gradchain.wrappers.base import Inner, wrap

MAX_WINDOW = 2**20


class SkipState(NamedTuple):
    skipped: Array  # [] int32, updates left out so far
    consecutive: Array  # [] int32, updates left out in a row up to now
    last_skipped: Array  # [] bool, whether the last update was left out

    metrics = ("skipped", "last_skipped")


class SkipSpikesState(NamedTuple):
    skipped: Array  # [] int32, updates left out so far
    consecutive: Array  # [] int32, updates left out in a row up to now
    last_skipped: Array  # [] bool, whether the last update was left out
    taken: Array  # [] int32, updates let through so far
    history: Array  # [window], what was measured of the last updates let through

    metrics = ("skipped", "last_skipped")


def measured(inner: Inner, g: Any, by: str) -> tuple[Array, Array]:
    """What says whether an update is usual, the gradient's norm or `value`, and whether both are finite."""
    norm = tree.global_norm(g)
    measure = norm if by == "norm" else jnp.asarray(inner.extra["value"], norm.dtype)
    return measure, jnp.isfinite(norm) & jnp.isfinite(measure)


def usual(s: Any, measure: Array, spikes: Any) -> Array:
    """Whether a measure is at most mean + spikes * std of the history; anything is until that is full."""
    centre = jnp.mean(s.history)
    spread = safe_sqrt(jnp.mean(jnp.square(s.history - centre)))
    return (s.taken < s.history.shape[0]) | (measure <= centre + spikes * spread)


def remembered(s: Any, measure: Array, ok: Array) -> Any:
    """The state with a measure in its history, where it is ok."""
    place = jnp.mod(s.taken, s.history.shape[0])
    new = jnp.where(ok, measure, s.history[place]).astype(s.history.dtype)
    taken = jnp.where(ok, increment(s.taken), s.taken)
    return s._replace(history=s.history.at[place].set(new), taken=taken)


def check_history(who: str, by: str, window: int) -> None:
    """Raise for what no history can be made of."""
    if by not in ("norm", "value"):
        raise ValueError(f"{who}: by is {words.show(by)}; expected 'norm' or 'value'")
    if not 2 <= window <= MAX_WINDOW:
        raise ValueError(
            f"{who}: window is {words.show(window)}; expected a whole number of at least 2 updates, and at "
            f"most {MAX_WINDOW}: the state holds a number for each"
        )


def history_of(window: int) -> dict[str, Any]:
    """The slots of a history."""
    return {"taken": shared(counter), "history": shared(lambda p: stack(window, scalar(p)))}


@wrapper(
    traits=frozenset({"sometimes"}),
    example=lambda: {"tx": example("adam")},
    errors=lambda: [
        ErrorInput({"window": 1}, ValueError, ("window is 1", "at least 2")),
        ErrorInput({"window": 10**9}, ValueError, ("window is 1000000000", f"at most {MAX_WINDOW}")),
        ErrorInput({"max_nonfinite": -1}, ValueError, ("max_nonfinite is -1", "at least 0")),
        ErrorInput({"by": "loss"}, ValueError, ("by is 'loss'", "expected 'norm' or 'value'")),
    ],
)
def skip(
    tx: Any,
    spikes: Limit | None = None,
    *,
    window: int = 128,
    by: str = "norm",
    max_consecutive: Period | None = None,
    max_nonfinite: int | None = None,
):
    """Leave out an update whose gradient has no finite norm: parameters and inner state stay, it is counted.

    With `spikes` also one whose measure is above mean + spikes * std of the last `window` updates that were
    let through, once there are that many (6 is usual). by="norm": the measure is the gradient's global norm;
    by="value": the extra argument `value`, the loss. After max_consecutive skips in a row the next finite
    update goes through whatever its size. One that is not finite never does, unless max_nonfinite is given:
    then after so many in a row the next go through as they are, so that the run fails openly. Those count
    as skipped, too.
    """
    if max_nonfinite is not None and not 0 <= max_nonfinite < 2**31:
        raise ValueError(
            f"skip: max_nonfinite is {words.show(max_nonfinite)}; expected at least 0 and below 2**31"
        )
    check_history("skip", by, window)

    def step(inner, g, s, state, params):
        measure, finite = measured(inner, g, by)
        ok = finite
        if spikes is not None:
            ok &= usual(s, measure, spikes)
            if max_consecutive is not None:
                most = jnp.round(jnp.asarray(max_consecutive))
                ok |= finite & (s.consecutive.astype(most.dtype) >= most)
            s = remembered(s, measure, ok)
        through = ok if max_nonfinite is None else ok | (~finite & (s.consecutive >= max_nonfinite))
        out, state = inner.run_if(through, g, state, params)
        s = s._replace(
            skipped=jnp.where(ok, s.skipped, increment(s.skipped)),
            consecutive=jnp.where(ok, 0, increment(s.consecutive)),
            last_skipped=~ok,
        )
        return out, s, state

    needs = frozenset({"value"} if by == "value" else ())
    return wrap(
        SkipState if spikes is None else SkipSpikesState,
        as_transform(tx, "skip"),
        step,
        needs=needs,
        fields={
            "skipped": shared(counter),
            "consecutive": shared(counter),
            "last_skipped": shared(flag),
            **({} if spikes is None else history_of(window)),
        },
    )


@optimizer(example=lambda: {"inner": example("adam"), "max_consecutive_errors": 3})
def apply_if_finite(inner: Any, max_consecutive_errors: int):
    """Optax's name for `skip(inner, max_nonfinite=max_consecutive_errors)`.

    After so many updates in a row that are not finite the next is applied as it is; `skip` never does that.
    """
    return skip(inner, max_nonfinite=max_consecutive_errors)
