"""lookahead: slow weights that follow the fast ones, in the state or, as in Optax, in pairs of parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import ages, tree
from gradchain.core.compose import chain
from gradchain.core.control import when
from gradchain.core.foreign import as_transform
from gradchain.core.hyper import Hyper, Period
from gradchain.core.leafwise import leafwise
from gradchain.core.link import Link
from gradchain.core.recipe import Factory
from gradchain.core.slots import copy, counter, shared
from gradchain.core.transform import Transform, example, make, optimizer, transform, wrapper
from gradchain.wrappers.base import Wrapper, wrap

PyTree = Any


class LookaheadSyncState(NamedTuple):
    count: Array  # [] int32, steps taken
    slow: PyTree  # like params, the slow weights

    eval_field = "slow"


@transform(paper="arXiv:1907.08610", traits=frozenset({"any_leaf"}))
def lookahead_sync(sync_period: Period = 6, slow_step_size: Hyper = 0.5):
    """Every sync_period steps slow = slow + slow_step_size * (p + u - slow); the parameters become slow."""

    def step(g, s, p):
        due = s.count % jnp.round(sync_period).astype(s.count.dtype) == 0
        slow = jnp.where(due, s.slow + slow_step_size * (p + g - s.slow), s.slow)
        return jnp.where(due, slow - p, g), LookaheadSyncState(s.count, slow)

    return leafwise(LookaheadSyncState, step, ages=False, slow=copy)  # all leaves are synchronised together


class ResetEveryState(NamedTuple):
    count: Array  # [] int32, steps taken


@wrapper(example=lambda: {"tx": example("adam"), "period": 2})
def reset_every(tx: Any, period: Period):
    """Start the state of `tx` afresh after every `period` steps."""

    def step(inner, g, s, state, params):
        count = s.count + 1
        out, state = inner.run(g, state, params)
        due = count % jnp.round(period).astype(count.dtype) == 0
        fresh = ages.like(inner.init(g if params is None else params), state)
        return out, s._replace(count=count), when(due, lambda state, fresh: fresh, state, fresh)

    return wrap(ResetEveryState, as_transform(tx, "reset_every"), step, fields={"count": shared(counter)})


class LookaheadParams(NamedTuple):
    """Both sets of weights, to train with `lookahead_pairs` as in Optax."""

    fast: PyTree  # what gradients are taken at
    slow: PyTree

    @classmethod
    def init_synced(cls, params: PyTree) -> LookaheadParams:
        """Both at the same parameters."""
        return cls(params, jax.tree.map(jnp.copy, params))


class LookaheadPairsState(NamedTuple):
    steps_since_sync: Array  # [] int32, steps of the fast weights since the slow ones followed


class _Pairs(Wrapper):
    """A wrapper whose parameters are a pair, of which the wrapped transform sees the fast ones."""

    def acts(self, params) -> tuple[bool, ...]:
        """On all leaves of both."""
        return (True,) * len(jax.tree.leaves(params))

    def slots(self, params, plan) -> dict[str, Any]:
        """Its own slots and those of the fast optimizer."""
        return Link.slots(self, params, plan) | self._outer(self.tx.body.slots(_pair(params).fast, plan))

    def init(self, params, plan) -> dict[str, Any]:
        """Its own state and the fast optimizer's."""
        own = jax.tree.map(lambda s: s.make(), Link.slots(self, params, plan))
        return own | self._outer(self.tx.body.init(_pair(params).fast, plan))


class PairedLookahead(Transform):
    """What `lookahead(..., pairs=True)` makes: it takes gradients at the fast parameters of a pair."""

    def run(self, updates, state, params, ctx):
        slow = _pair(params).slow
        if not isinstance(updates, LookaheadParams):
            updates = LookaheadParams(updates, jax.tree.map(jnp.zeros_like, slow))
        return super().run(updates, state, params, ctx)


def _pair(params: Any) -> LookaheadParams:
    if isinstance(params, LookaheadParams):
        return params
    found = "None" if params is None else f"a {type(params).__name__}"
    raise TypeError(
        f"lookahead: with pairs=True the parameters are {found}; expected LookaheadParams(fast, slow): "
        "begin with params = LookaheadParams.init_synced(params)"
    )


@jax.jit
def _followed(p, new, slow, due, size):
    """The updates of both: in between those of the fast weights alone."""
    way = size * (new - slow)
    return jnp.where(due, slow + way - p, new - p), jnp.where(due, way, 0)


def lookahead_pairs(fast_optimizer: Any, sync_period: Period, slow_step_size: Hyper, reset_state: bool):
    """The link of `lookahead(..., pairs=True)`."""

    def step(inner, g, s, state, params):
        out, state = inner.run(g.fast, state, params.fast)
        new = out if inner.ctx.apply else jax.tree.map(lambda p, u: tree.wide(p) + u, params.fast, out)
        period = jnp.round(sync_period).astype(s.steps_since_sync.dtype)
        due = s.steps_since_sync + 1 >= period
        if reset_state:
            fresh = ages.like(inner.init(params.fast), state)
            state = when(due, lambda state, fresh: fresh, state, fresh)
        rows = [
            _followed(tree.wide(p), tree.wide(n), tree.wide(q), due, slow_step_size)
            for p, n, q in zip(*map(jax.tree.leaves, (params.fast, new, params.slow)), strict=True)
        ]
        treedef = jax.tree.structure(params.fast)
        moved = LookaheadParams(*(treedef.unflatten(column) for column in zip(*rows, strict=True)))
        s = s._replace(steps_since_sync=jnp.where(due, 0, s.steps_since_sync + 1))
        return (tree.apply_updates(params, moved) if inner.ctx.apply else moved), s, state

    fields = {"steps_since_sync": shared(counter)}
    tx = as_transform(fast_optimizer, "lookahead")
    return _Pairs(LookaheadPairsState, tx, step, "count", frozenset(), fields)


# Not registered: its parameters are not those of other transforms.
PAIRS = Factory.of(lookahead_pairs, "wrapper", {"form": PairedLookahead})


@optimizer(
    paper="arXiv:1907.08610",
    example=lambda: {"fast_optimizer": example("adam"), "sync_period": 2, "slow_step_size": 0.5},
)
def lookahead(
    fast_optimizer: Any,
    sync_period: Period,
    slow_step_size: Hyper,
    reset_state: bool = False,
    *,
    pairs: bool = False,
):
    """Fast steps, and slow weights that follow every sync_period steps, from which the fast ones go on.

    The parameters are the fast weights; `eval_params` reads the slow ones. There is one set of parameters to
    pass around, unlike in Optax. reset_state: the fast optimizer starts afresh after each synchronisation.
    pairs: as in Optax the parameters are LookaheadParams(fast, slow), the slow weights among them and not in
    the state; gradients are those of the fast ones. Such a transform must be the outermost.
    """
    if pairs:
        return make(PAIRS, (fast_optimizer, sync_period, slow_step_size, reset_state), {})
    fast = as_transform(fast_optimizer, "lookahead")
    if reset_state:
        fast = reset_every(fast, sync_period)
    return chain(fast, lookahead_sync(sync_period, slow_step_size))
