"""Flax NNX: nnx.Optimizer and nnx.ModelAndOptimizer-like training."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class _Model(nnx.Module):
    def __init__(self, rngs):
        self.body = nnx.Linear(2, 4, rngs=rngs)
        self.head = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.head(nnx.relu(self.body(x)))


_X = jnp.linspace(-1, 1, 12).reshape(6, 2)
_Y = _X.sum(axis=1, keepdims=True)


def _loss(model):
    return jnp.mean((model(_X) - _Y) ** 2)


def _leaves(model):
    return jax.tree.leaves(nnx.state(model, nnx.Param))


def nnx_regression():
    model = _Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer):
        loss, grads = nnx.value_and_grad(_loss)(model)
        optimizer.update(model, grads)
        return loss

    losses = [train_step(model, optimizer) for _ in range(3)]
    return losses, _leaves(model), optimizer.step[...]


def nnx_chain_with_schedule():
    schedule = optax.join_schedules(
        [optax.linear_schedule(0.0, 1e-1, 2), optax.cosine_decay_schedule(1e-1, 8)], boundaries=[2]
    )
    tx = optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(schedule, weight_decay=0.01))
    model = _Model(nnx.Rngs(1))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    for _ in range(4):
        optimizer.update(model, nnx.grad(_loss)(model))
    return _leaves(model)


def nnx_only_the_head():
    model = _Model(nnx.Rngs(2))
    wrt = nnx.All(nnx.Param, nnx.PathContains("head"))
    optimizer = nnx.Optimizer(model, optax.sgd(0.1), wrt=wrt)
    grads = nnx.grad(_loss, argnums=nnx.DiffState(0, wrt))(model)
    optimizer.update(model, grads)
    return _leaves(model)


def nnx_functional_loop():
    model = _Model(nnx.Rngs(3))
    graphdef, params = nnx.split(model)
    tx = optax.nadam(1e-2)
    opt_state = tx.init(params)

    @jax.jit
    def step(params, opt_state):
        grads = jax.grad(lambda p: _loss(nnx.merge(graphdef, p)))(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    for _ in range(2):
        params, opt_state = step(params, opt_state)
    return jax.tree.leaves(params)


def nnx_optimizer_state_split():
    model = _Model(nnx.Rngs(4))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    optimizer.update(model, nnx.grad(_loss)(model))
    state = nnx.state(optimizer)
    fresh = nnx.Optimizer(_Model(nnx.Rngs(4)), optax.adam(1e-2), wrt=nnx.Param)
    nnx.update(fresh, state)
    return jax.tree.leaves(nnx.state(fresh))


def nnx_moments_read():
    model = _Model(nnx.Rngs(5))
    optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)
    optimizer.update(model, nnx.grad(_loss)(model))
    return jax.tree.leaves(optimizer.opt_state[0].mu), optimizer.opt_state[0].count[...]


def nnx_gan_with_two_optimizers():
    generator, critic = _Model(nnx.Rngs(6)), nnx.Linear(1, 1, rngs=nnx.Rngs(7))
    g_opt = nnx.Optimizer(generator, optax.adam(1e-2, b1=0.5), wrt=nnx.Param)
    c_opt = nnx.Optimizer(critic, optax.rmsprop(5e-3), wrt=nnx.Param)

    def critic_loss(critic, generator):
        fake, real = critic(generator(_X)), critic(_Y)
        return (
            optax.sigmoid_binary_cross_entropy(fake, jnp.zeros_like(fake)).mean()
            + optax.sigmoid_binary_cross_entropy(real, jnp.ones_like(real)).mean()
        )

    for _ in range(2):
        c_opt.update(critic, nnx.grad(critic_loss)(critic, generator))
        g_opt.update(generator, nnx.grad(lambda g: -critic_loss(critic, g))(generator))
    return _leaves(generator), _leaves(critic)


def nnx_line_search():
    model = _Model(nnx.Rngs(8))
    graphdef, _params = nnx.split(model)
    tx = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=8))

    def loss(p):
        return _loss(nnx.merge(graphdef, p))

    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    value, grads = nnx.value_and_grad(_loss)(model)
    optimizer.update(model, grads, grad=grads, value=value, value_fn=loss)
    return _leaves(model)
