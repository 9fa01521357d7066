"""Haiku: transformed functions, parameters by module."""

from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import optax

_X = jnp.linspace(-1, 1, 12).reshape(6, 2)
_Y = jnp.array([0, 1, 0, 1, 1, 0])


def _net(x):
    return hk.nets.MLP([4, 2])(x)


_MODEL = hk.without_apply_rng(hk.transform(_net))


def _loss(params):
    logits = _MODEL.apply(params, _X)
    decay = 0.5 * sum(jnp.sum(jnp.square(p)) for p in jax.tree_util.tree_leaves(params))
    return optax.softmax_cross_entropy(logits, jax.nn.one_hot(_Y, 2)).mean() + 1e-4 * decay


class _State(NamedTuple):
    params: hk.Params
    avg_params: hk.Params
    opt_state: optax.OptState


def haiku_classifier_with_averages():
    optimizer = optax.adam(1e-2)

    @jax.jit
    def update(state: _State) -> _State:
        grads = jax.grad(_loss)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state)
        params = optax.apply_updates(state.params, updates)
        return _State(params, optax.incremental_update(params, state.avg_params, 0.1), opt_state)

    params = _MODEL.init(jax.random.key(0), _X)
    state = _State(params, params, optimizer.init(params))
    for _ in range(3):
        state = update(state)
    return state.params, state.avg_params


def haiku_decay_by_module_and_name():
    def mask(params):
        return hk.data_structures.map(lambda module, name, _: name == "w", params)

    tx = optax.adamw(1e-2, weight_decay=0.1, mask=mask)
    params = _MODEL.init(jax.random.key(1), _X)
    updates, _ = tx.update(jax.grad(_loss)(params), tx.init(params), params)
    return optax.apply_updates(params, updates)


def haiku_trained_part():
    params = _MODEL.init(jax.random.key(2), _X)
    trained, fixed = hk.data_structures.partition(lambda module, name, _: "linear_1" in module, params)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.rmsprop(1e-2))
    state = tx.init(trained)
    grads = jax.grad(lambda t: _loss(hk.data_structures.merge(t, fixed)))(trained)
    updates, _ = tx.update(grads, state, trained)
    return hk.data_structures.merge(optax.apply_updates(trained, updates), fixed)


def haiku_updater_class():
    class Updater:
        def __init__(self, init, loss_fn, optimizer: optax.GradientTransformation):
            self._init, self._loss_fn, self._opt = init, loss_fn, optimizer

        def init(self, key, x):
            params = self._init(key, x)
            return {"step": jnp.array(0), "opt_state": self._opt.init(params), "params": params}

        def update(self, state):
            loss, grads = jax.value_and_grad(self._loss_fn)(state["params"])
            updates, opt_state = self._opt.update(grads, state["opt_state"])
            params = optax.apply_updates(state["params"], updates)
            return {"step": state["step"] + 1, "opt_state": opt_state, "params": params}, loss

    tx = optax.chain(optax.clip_by_global_norm(0.25), optax.adam(2e-2, b1=0.9, b2=0.99))
    updater = Updater(_MODEL.init, _loss, tx)
    state = updater.init(jax.random.key(3), _X)
    for _ in range(2):
        state, loss = jax.jit(updater.update)(state)
    return loss, state["params"], state["step"]
