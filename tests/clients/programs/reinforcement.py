"""Reinforcement learning: target networks, several optimizers, populations."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

_OBS = jnp.linspace(-1, 1, 12).reshape(6, 2)
_ACTIONS = jnp.array([0, 1, 1, 0, 1, 0])
_REWARDS = jnp.array([1.0, 0.0, -1.0, 0.5, 0.2, 1.0])


def _init(seed, out=2):
    return {"w": 0.3 * jax.random.normal(jax.random.key(seed), (2, out)), "b": jnp.full(out, 0.1)}


def _apply(params, x):
    return x @ params["w"] + params["b"]


class _TrainState(NamedTuple):
    params: optax.Params
    target_params: optax.Params
    opt_state: optax.OptState
    steps: jax.Array


def _td_loss(params, target):
    q = jnp.take_along_axis(_apply(params, _OBS), _ACTIONS[:, None], 1)[:, 0]
    goal = _REWARDS + 0.9 * _apply(target, _OBS).max(axis=1)
    return optax.huber_loss(q, jax.lax.stop_gradient(goal)).mean()


def dqn_periodic_target():
    tx = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(1e-2, eps=1e-5))

    @jax.jit
    def learn(state: _TrainState) -> _TrainState:
        grads = jax.grad(_td_loss)(state.params, state.target_params)
        updates, opt_state = tx.update(grads, state.opt_state)
        params = optax.apply_updates(state.params, updates)
        target = optax.periodic_update(params, state.target_params, state.steps, update_period=2)
        return _TrainState(params, target, opt_state, state.steps + 1)

    params = _init(0)
    state = _TrainState(params, params, tx.init(params), jnp.zeros([], jnp.int32))
    for _ in range(4):
        state = learn(state)
    return state.params, state.target_params


def dqn_polyak_target():
    tx = optax.rmsprop(1e-2, decay=0.95, eps=1e-6, centered=True)
    params = target = _init(1)
    opt_state = tx.init(params)
    for _ in range(3):
        updates, opt_state = tx.update(jax.grad(_td_loss)(params, target), opt_state, params)
        params = optax.apply_updates(params, updates)
        target = optax.incremental_update(params, target, step_size=0.05)
    return params, target


def ppo_annealed():
    epochs, minibatches, updates = 2, 2, 3

    def linear(count):
        return 1e-2 * (1.0 - (count // (minibatches * epochs)) / updates)

    tx = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(learning_rate=linear, eps=1e-5))
    params = _init(2)

    def loss(params, old):
        logp = jnp.take_along_axis(jax.nn.log_softmax(_apply(params, _OBS)), _ACTIONS[:, None], 1)[:, 0]
        ratio = jnp.exp(logp - old)
        return -jnp.minimum(ratio * _REWARDS, jnp.clip(ratio, 0.8, 1.2) * _REWARDS).mean()

    old = jnp.take_along_axis(jax.nn.log_softmax(_apply(params, _OBS)), _ACTIONS[:, None], 1)[:, 0]

    def epoch(carry, _):
        params, state = carry
        grads = jax.grad(loss)(params, old)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), optax.global_norm(grads)

    (params, _), norms = jax.lax.scan(epoch, (params, tx.init(params)), None, updates * epochs)
    return params, norms


def actor_critic_in_one_partition():
    params = {"actor": _init(3), "critic": _init(4, 1), "log_std": jnp.zeros(2)}
    tx = optax.multi_transform(
        {
            "actor": optax.adam(3e-3),
            "critic": optax.chain(optax.clip(1.0), optax.adam(1e-2)),
            "none": optax.set_to_zero(),
        },
        {"actor": "actor", "critic": "critic", "log_std": "none"},
    )

    def loss(p):
        value = _apply(p["critic"], _OBS)[:, 0]
        logp = jax.nn.log_softmax(_apply(p["actor"], _OBS))[jnp.arange(6), _ACTIONS]
        advantage = jax.lax.stop_gradient(_REWARDS - value)
        entropy = jnp.sum(p["log_std"])
        return optax.l2_loss(value, _REWARDS).mean() - (logp * advantage).mean() - 0.01 * entropy

    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
    return params


def sac_three_optimizers():
    actor, critic, target, log_alpha = _init(5), _init(6), _init(6), jnp.asarray(0.0)
    txs = optax.adam(3e-3), optax.adam(3e-3), optax.adam(3e-3)
    states = tuple(tx.init(p) for tx, p in zip(txs, (actor, critic, log_alpha), strict=True))

    def apply(tx, grads, state, params):
        updates, state = tx.update(grads, state)
        return optax.apply_updates(params, updates), state

    def policy_loss(a, c, alpha):
        logp = jax.nn.log_softmax(_apply(a, _OBS))
        return jnp.sum(jnp.exp(logp) * (alpha * logp - _apply(c, _OBS)), -1).mean()

    for _ in range(2):
        alpha = jnp.exp(log_alpha)
        logp = jax.nn.log_softmax(_apply(actor, _OBS))
        entropy = -jnp.sum(jnp.exp(logp) * logp, -1).mean()
        critic, s1 = apply(txs[1], jax.grad(_td_loss)(critic, target), states[1], critic)
        actor, s0 = apply(txs[0], jax.grad(policy_loss)(actor, critic, alpha), states[0], actor)
        temperature = jax.grad(lambda la, e=entropy: jnp.exp(la) * (e - 0.5))(log_alpha)
        log_alpha, s2 = apply(txs[2], temperature, states[2], log_alpha)
        states = s0, s1, s2
        target = jax.tree.map(lambda x, y: 0.995 * y + 0.005 * x, critic, target)
    return actor, critic, target, log_alpha


def averaged_gradients_over_devices():
    """A function made of a loss and an optimizer, in the manner of Brax."""

    def gradient_update_fn(loss_fn, optimizer: optax.GradientTransformation, axis, has_aux=False):
        grad_fn = jax.value_and_grad(loss_fn, has_aux=has_aux)

        def update(params, *args, optimizer_state):
            value, grads = grad_fn(params, *args)
            grads = jax.lax.pmean(grads, axis_name=axis)
            updates, optimizer_state = optimizer.update(grads, optimizer_state)
            return value, optax.apply_updates(params, updates), optimizer_state

        return update

    tx = optax.adam(1e-2)
    update = gradient_update_fn(
        lambda p, x, y: optax.squared_error(_apply(p, x)[:, 0], y).mean(), tx, axis="i"
    )
    params = _init(7)
    state = tx.init(params)
    x, y = _OBS.reshape(2, 3, 2), _REWARDS.reshape(2, 3)
    value, params, state = jax.vmap(
        lambda x, y: update(params, x, y, optimizer_state=state), axis_name="i", in_axes=0
    )(x, y)
    return value, params, state


def population_with_hyperparameters():
    @functools.partial(optax.inject_hyperparams)
    def make(learning_rate, max_norm):
        return optax.chain(optax.clip_by_global_norm(max_norm), optax.adam(learning_rate))

    tx = make(learning_rate=1e-3, max_norm=1.0)
    params = jax.vmap(lambda i: jax.tree.map(lambda x: x * i, _init(8)))(jnp.arange(1.0, 4.0))
    states = jax.vmap(tx.init)(params)
    hyperparams = {**states.hyperparams, "learning_rate": jnp.array([1e-3, 1e-2, 1e-1])}
    states = states._replace(hyperparams=hyperparams)

    def step(params, state):
        grads = jax.grad(_td_loss)(params, params)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(2):
        params, states = jax.vmap(step)(params, states)
    exploited = jax.tree.map(lambda x: x.at[0].set(x[2]), states)  # a copy of the best member
    return params, exploited.hyperparams["learning_rate"], exploited.inner_state[1][0].mu


def world_model_late_clip():
    tx = optax.chain(
        optax.adaptive_grad_clip(0.3), optax.scale_by_rms(decay=0.999, eps=1e-20), optax.trace(0.9),
        optax.scale(-4e-3),
    )  # fmt: skip
    params = {"w": jnp.linspace(0.1, 1.0, 4).reshape(2, 2)}
    state = tx.init(params)
    for _ in range(3):
        grads = {"w": jnp.array([[1.0, -2.0], [0.01, 3.0]])}
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def evolution_strategy():
    tx = optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(0.1, flip_sign=False))
    mean = jnp.zeros(3)
    state = tx.init(mean)
    for i in range(3):
        noise = jax.random.normal(jax.random.key(i), (8, 3))
        fitness = -jnp.sum((mean + 0.1 * noise - 1.0) ** 2, -1)
        grad = jnp.mean(fitness[:, None] * noise, 0) / 0.1
        updates, state = tx.update(grad, state, mean)
        mean = optax.apply_updates(mean, updates)
    return mean


def learner_class_with_states_in_a_dict():
    class Learner:
        def __init__(self, optimizers: dict[str, optax.GradientTransformation]):
            self._optimizers = optimizers
            self.params: Any = {name: _init(i) for i, name in enumerate(optimizers)}
            self.states = {name: tx.init(self.params[name]) for name, tx in optimizers.items()}

        def step(self):
            for name, tx in self._optimizers.items():
                grads = jax.grad(_td_loss)(self.params[name], self.params[name])
                updates, self.states[name] = tx.update(grads, self.states[name], self.params[name])
                self.params[name] = optax.apply_updates(self.params[name], updates)

    learner = Learner({"online": optax.adamw(1e-2), "other": optax.sgd(1e-2, momentum=0.9)})
    learner.step()
    learner.step()
    return learner.params
