"""Transformations of one's own, among those of the library."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

_PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, -0.1])}
_GRADS = {"w": jnp.array([[0.3, 0.1], [-0.2, 0.4]]), "b": jnp.array([1.0, -1.0])}


def _run(tx, steps=3, **extra):
    params, state = _PARAMS, tx.init(_PARAMS)
    for _ in range(steps):
        updates, state = tx.update(_GRADS, state, params, **extra)
        params = optax.apply_updates(params, updates)
    return params, state


class _NormState(NamedTuple):
    count: jax.Array
    norm: jax.Array


def _track_norm() -> optax.GradientTransformation:
    def init_fn(params):
        del params
        return _NormState(jnp.zeros([], jnp.int32), jnp.zeros([]))

    def update_fn(updates, state, params=None):
        del params
        norm = optax.global_norm(updates)
        return updates, _NormState(optax.safe_int32_increment(state.count), norm)

    return optax.GradientTransformation(init_fn, update_fn)


def own_link_in_a_chain():
    params, state = _run(optax.chain(_track_norm(), optax.adam(1e-2)))
    return params, state[0].norm, state[0].count


def own_link_alone():
    params, state = _run(_track_norm())
    return params, state.norm


def own_link_masked():
    params, state = _run(optax.masked(_track_norm(), {"w": True, "b": False}))
    return params, state.inner_state.norm


def own_link_in_a_partition():
    tx = optax.multi_transform(
        {"a": optax.chain(_track_norm(), optax.scale(-0.1)), "b": optax.sgd(0.5)}, {"w": "a", "b": "b"}
    )
    params, state = _run(tx)
    return params, state.inner_states["a"].inner_state[0].count


def own_link_in_multisteps():
    return _run(optax.MultiSteps(optax.chain(_track_norm(), optax.sgd(0.1)), 2), 4)[0]


def own_momentum_with_helpers():
    class MomentumState(NamedTuple):
        count: Any
        mu: optax.Updates

    def scale_by_momentum(decay=0.9, debias=True):
        def init_fn(params):
            return MomentumState(jnp.zeros([], jnp.int32), jax.tree_util.tree_map(jnp.zeros_like, params))

        def update_fn(updates, state, params=None):
            mu = optax.update_moment(updates, state.mu, decay, 1)
            count = optax.safe_increment(state.count)
            hat = optax.bias_correction(mu, decay, count) if debias else mu
            return hat, MomentumState(count, mu)

        return optax.GradientTransformation(init_fn, update_fn)

    tx = optax.chain(scale_by_momentum(), optax.scale_by_learning_rate(0.1))
    params, state = _run(tx)
    return params, state[0].mu


def own_momentum_with_tree_utils():
    def init_fn(params):
        return {"mu": optax.tree_utils.tree_zeros_like(params), "count": jnp.zeros([], jnp.int32)}

    def update_fn(updates, state, params=None):
        count = optax.safe_int32_increment(state["count"])
        mu = optax.tree_utils.tree_update_moment(updates, state["mu"], 0.9, 1)
        hat = optax.tree_utils.tree_bias_correction(mu, 0.9, count)
        return optax.tree_utils.tree_scale(-0.1, hat), {"mu": mu, "count": count}

    return _run(optax.GradientTransformation(init_fn, update_fn))[0]


def own_decay_with_parameters():
    def decay_towards(target, strength):
        def update_fn(updates, state, params):
            if params is None:
                raise ValueError("parameters are needed")
            return jax.tree.map(lambda u, p: u + strength * (p - target), updates, params), state

        return optax.GradientTransformation(lambda _: optax.EmptyState(), update_fn)

    return _run(optax.chain(decay_towards(1.0, 0.1), optax.sgd(0.1)))[0]


def own_rate_from_the_loss():
    """An update that takes the loss by name."""

    def scale_by_loss():
        def update_fn(updates, state, params=None, *, loss, **extra_args):
            del params, extra_args
            return jax.tree.map(lambda u: u * loss, updates), state

        return optax.GradientTransformationExtraArgs(lambda _: optax.EmptyState(), update_fn)

    tx = optax.chain(optax.clip(1.0), scale_by_loss(), optax.sgd(0.1))
    return _run(tx, loss=jnp.asarray(0.5))[0]


def plain_optimizer_with_extra_arguments():
    tx = optax.with_extra_args_support(_track_norm())
    updates, _ = tx.update(_GRADS, tx.init(_PARAMS), _PARAMS, value=1.0)
    base = optax.with_extra_args_support(optax.adam(0.1))
    return updates, base.update(_GRADS, base.init(_PARAMS), _PARAMS, value=1.0)[0]


def wrapper_of_any_optimizer():
    class WrappedState(NamedTuple):
        inner: optax.OptState
        skipped: jax.Array

    def skip_large(inner: optax.GradientTransformation, limit: float) -> optax.GradientTransformation:
        def init(params):
            return WrappedState(inner.init(params), jnp.zeros([], jnp.int32))

        def update(grads, state, params=None):
            updates, new = inner.update(grads, state.inner, params)
            bad = optax.global_norm(grads) > limit
            updates = jax.tree.map(lambda u: jnp.where(bad, 0.0, u), updates)
            new = jax.tree.map(lambda a, b: jnp.where(bad, a, b), state.inner, new)
            return updates, WrappedState(new, state.skipped + bad)

        return optax.GradientTransformation(init, update)

    params, state = _run(skip_large(optax.adamw(1e-2), 10.0))
    return params, state.skipped, jax.tree.leaves(state.inner)


def wrapper_by_replace():
    """Logging around another optimizer's update."""
    tx = optax.adam(1e-1)
    norms = []

    def update(grads, state, params=None, **extra):
        norms.append(optax.global_norm(grads))
        return tx.update(grads, state, params, **extra)

    return _run(tx._replace(update=update))[0], norms


def conditional_with_cond():
    tx = optax.adam(1e-1)
    state = tx.init(_PARAMS)

    @jax.jit
    def maybe(grads, state, apply):
        return jax.lax.cond(
            apply,
            lambda: tx.update(grads, state, _PARAMS),
            lambda: (jax.tree.map(jnp.zeros_like, grads), state),
        )

    updates, state = maybe(_GRADS, state, True)
    return updates, maybe(_GRADS, state, False)[0]


def stateless_functions():
    flip = optax.stateless(lambda updates, params: jax.tree.map(lambda u: -u, updates))
    decay = optax.stateless_with_tree_map(lambda u, p: u - 0.01 * p)
    return _run(optax.chain(flip, decay))[0]


def schedule_with_python_integers():
    def schedule(step):
        return 0.1 * jnp.minimum(1.0, (step + 1) / 4)

    def cast(step):
        return 0.1 / (1.0 + step.astype(jnp.float32))

    first = _run(optax.sgd(learning_rate=schedule))[0]
    return first, _run(optax.adam(cast))[0], [schedule(i) for i in range(3)]


def own_factory_injected():
    def make(learning_rate, momentum, clip):
        return optax.chain(
            optax.clip_by_global_norm(clip), optax.trace(momentum), optax.scale(-learning_rate)
        )

    tx = optax.inject_hyperparams(make)(learning_rate=0.1, momentum=0.9, clip=1.0)
    params, state = _run(tx)
    state.hyperparams["clip"] = 0.1
    return params, state.hyperparams, tx.update(_GRADS, state, _PARAMS)[0]


def own_factory_with_static_arguments():
    @optax.inject_hyperparams
    def make(learning_rate, weight_decay):
        return optax.adamw(learning_rate, weight_decay=weight_decay)

    def gated(learning_rate, nesterov: bool, init: Callable | None = None):
        return optax.sgd(learning_rate, momentum=0.9, nesterov=nesterov)

    first = _run(make(learning_rate=optax.linear_schedule(0.1, 0.0, 5), weight_decay=0.1))[0]
    wrapped = optax.inject_hyperparams(gated, static_args=("nesterov",))
    return first, _run(wrapped(learning_rate=0.1, nesterov=True))[0]


def update_functions_composed_by_hand():
    clip, adam = optax.clip_by_global_norm(0.5), optax.scale_by_adam()
    states, params = (clip.init(_PARAMS), adam.init(_PARAMS)), _PARAMS
    for _ in range(2):
        grads, first = clip.update(_GRADS, states[0], params)
        grads, second = adam.update(grads, states[1], params)
        states = first, second
        params = optax.apply_updates(params, jax.tree.map(lambda g: -0.1 * g, grads))
    return params


def stateless_link_with_any_state():
    updates, _state = optax.scale(-1.0).update(_GRADS, optax.EmptyState())
    clipped, _ = optax.clip(0.2).update(updates, optax.ScaleState())
    return clipped, optax.identity().update(_GRADS, ())[0]
