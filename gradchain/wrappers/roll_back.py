"""roll_back: leave spikes out, and where they last go back to a snapshot of parameters and state."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Limit, Period
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import copy, counter, of_tree, shared
from gradchain.core.transform import example, wrapper
from gradchain.math.numerics import increment
from gradchain.wrappers.base import Inner, Wrapper
from gradchain.wrappers.skip import MAX_WINDOW, check_history, history_of, measured, remembered, usual

PyTree = Any


class RollBackState(NamedTuple):
    since: Array  # [] int32, updates let through since the snapshot
    skipped: Array  # [] int32, updates left out so far
    consecutive: Array  # [] int32, updates left out in a row up to now
    rolled_back: Array  # [] int32, how often the snapshot was gone back to
    taken: Array  # [] int32, updates in the history, and those that it has forgotten
    history: Array  # [window], what was measured of the last updates let through
    params: PyTree  # like params, the snapshot
    state: dict[str, Array]  # path -> array, the inner state of the snapshot

    metrics = ("skipped", "rolled_back")


class RollBack(Wrapper):
    """A wrapper that keeps the state of what it wraps a second time."""

    def slots(self, params, plan) -> dict[str, Any]:
        """The inner slots twice."""
        return self._doubled(super().slots(params, plan), self.tx.body.slots(params, plan))

    def init(self, params, plan) -> dict[str, Any]:
        """The inner state twice, in buffers of its own."""
        return self._doubled(super().init(params, plan), self.tx.body.init(params, plan))

    def _doubled(self, made: dict[str, Any], inner: Any) -> dict[str, Any]:
        return {**made, self.own: made[self.own]._replace(state=_by_path(inner))}


def _by_path(state: Any) -> dict[str, Any]:
    """A state as a dict of its arrays: entries within an entry would report metrics of their own."""
    return dict(zip(tree.paths(state), jax.tree.leaves(state), strict=True))


@jax.custom_jvp
def _through(x: Any) -> Any:
    """x, as if made anew in a loop: what that only reads, and a later one writes, XLA for GPU copies."""
    return jax.lax.optimization_barrier(x)


@_through.defjvp
def _(primals, tangents):
    return primals[0], tangents[0]


@wrapper(
    traits=frozenset({"sometimes"}),
    example=lambda: {"tx": example("adam")},
    errors=lambda: [
        ErrorInput({"window": 1}, ValueError, ("roll_back: window is 1", "at least 2")),
        ErrorInput({"window": 10**9}, ValueError, ("window is 1000000000", f"at most {MAX_WINDOW}")),
        ErrorInput({"by": "loss"}, ValueError, ("roll_back: by is 'loss'", "expected 'norm' or 'value'")),
        ErrorInput({"every": 0}, ValueError, ("every is 0", "at least 1")),
    ],
    near=("skip", "apply_if_finite", "lookahead"),
)
def roll_back(
    tx: Any,
    every: Period = 100,
    patience: Period = 3,
    threshold: Limit = 6.0,
    *,
    window: int = 128,
    by: str = "norm",
):
    """Leave out spikes as `skip` does; after `patience` of them in a row go back to the last snapshot.

    A spike is a gradient or loss that is not finite, or a measure (the gradient's norm, by="value" the extra
    argument `value`) above mean + threshold * std of the last `window` updates let through, if there are so
    many. A snapshot is of the parameters and the state of `tx` before an update that is none, `every` updates
    after the last one; the first is where training begins. Going back empties the history: a new level is
    not spikes for ever. The data go on. A snapshot costs the parameters, in float32 at least, and the inner
    state once more: `stored` and `offload` around it take fewer bits ("roll_back/params") or the host
    ("roll_back/**").
    """
    check_history("roll_back", by, window)

    def step(inner: Inner, g, s, state, params):
        measure, finite = measured(inner, g, by)
        ok = finite & usual(s, measure, threshold)
        s = remembered(s, measure, ok)
        consecutive = jnp.where(ok, 0, increment(s.consecutive))
        back = ~ok & (consecutive.astype(jnp.result_type(float)) >= jnp.round(jnp.asarray(patience)))
        due = ok & (s.since.astype(jnp.result_type(float)) >= jnp.round(jnp.asarray(every)))

        def keep(carry):
            (weights, inner_state), params, state = carry
            found = _by_path(state)
            kept = tree.cast_like(params, weights), {path: found[path] for path in inner_state}
            return kept, *_through((params, state))

        (weights, kept), params, state = when(due, keep, ((s.params, s.state), params, state))
        out, state = inner.run_if(ok, g, state, params)

        def restore(carry, params):
            (out, state), snapshot = carry
            weights, kept = snapshot = _through(snapshot)
            found = {**_by_path(state), **kept}
            old = jax.tree.structure(state).unflatten([found[path] for path in tree.paths(state)])
            if inner.ctx.apply:
                return (tree.cast_like(weights, out), old), snapshot
            out = jax.tree.map(lambda w, p, u: (w - tree.wide(p)).astype(u.dtype), weights, params, out)
            return (out, old), snapshot

        (out, state), (weights, kept) = when(back, restore, ((out, state), (weights, kept)), params)
        since = jnp.where(back, 0, jnp.where(due, 1, jnp.where(ok, increment(s.since), s.since)))
        s = s._replace(
            since=since,
            skipped=jnp.where(ok, s.skipped, increment(s.skipped)),
            consecutive=jnp.where(back, 0, consecutive),
            rolled_back=jnp.where(back, increment(s.rolled_back), s.rolled_back),
            taken=jnp.where(back, 0, s.taken),
            params=weights,
            state=kept,
        )
        return out, s, state

    counts = ("since", "skipped", "consecutive", "rolled_back")
    fields = {name: shared(counter) for name in counts} | history_of(window)
    return RollBack(
        RollBackState,
        as_transform(tx, "roll_back"),
        step,
        "count",
        frozenset({"value"} if by == "value" else ()),
        fields | {"params": copy, "state": of_tree(lambda params: {})},
        params=True,
    )
