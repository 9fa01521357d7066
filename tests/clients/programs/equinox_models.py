"""Equinox: modules are trees with functions inside, filtered before the optimizer sees them."""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

_X = jnp.linspace(-1, 1, 12).reshape(6, 2)
_Y = _X.sum(axis=1, keepdims=True)


def _mlp(seed=0):
    return eqx.nn.MLP(2, 1, 4, 1, activation=jnp.tanh, key=jax.random.key(seed))


def _loss(model):
    return jnp.mean((jax.vmap(model)(_X) - _Y) ** 2)


def _leaves(model):
    return jax.tree.leaves(eqx.filter(model, eqx.is_array))


def equinox_regression():
    model = _mlp()
    optim = optax.adam(1e-2)
    opt_state = optim.init(eqx.filter(model, eqx.is_array))

    @eqx.filter_jit
    def make_step(model, opt_state):
        loss, grads = eqx.filter_value_and_grad(_loss)(model)
        updates, opt_state = optim.update(grads, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, loss

    for _ in range(3):
        model, opt_state, loss = make_step(model, opt_state)
    return loss, _leaves(model)


def equinox_inexact_arrays_only():
    model = _mlp(1)
    optim = optax.adamw(1e-2)
    opt_state = optim.init(eqx.filter(model, eqx.is_inexact_array))
    for _ in range(2):
        grads = eqx.filter_grad(_loss)(model)
        updates, opt_state = optim.update(grads, opt_state, eqx.filter(model, eqx.is_inexact_array))
        model = eqx.apply_updates(model, updates)
    return _leaves(model)


def equinox_partitioned():
    params, static = eqx.partition(_mlp(2), eqx.is_array)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9))
    state = tx.init(params)

    @jax.jit
    def step(params, state):
        grads = jax.grad(lambda p: _loss(eqx.combine(p, static)))(params)
        updates, state = tx.update(grads, state, params)
        return eqx.apply_updates(params, updates), state

    for _ in range(2):
        params, state = step(params, state)
    return _leaves(params)


def equinox_frozen_layers():
    model = _mlp(3)
    spec = jax.tree.map(lambda _: False, model)
    spec = eqx.tree_at(lambda m: (m.layers[-1].weight, m.layers[-1].bias), spec, replace=(True, True))
    trained, frozen = eqx.partition(model, spec)
    optim = optax.adam(1e-2)
    opt_state = optim.init(trained)
    grads = jax.grad(lambda t: _loss(eqx.combine(t, frozen)))(trained)
    updates, opt_state = optim.update(grads, opt_state)
    return _leaves(eqx.combine(eqx.apply_updates(trained, updates), frozen))


def equinox_module_with_functions():
    """A module of one's own that keeps a function, without a filter before init."""

    class Net(eqx.Module):
        weight: jax.Array
        activation: Callable = eqx.field(static=True)

    model = Net(jnp.ones((2, 1)), jnp.tanh)
    optim = optax.adam(1e-1)
    opt_state = optim.init(model)
    for _ in range(2):
        grads = jax.grad(lambda m: jnp.mean((m.activation(_X @ m.weight) - _Y) ** 2))(model)
        updates, opt_state = optim.update(grads, opt_state, model)
        model = eqx.apply_updates(model, updates)
    return model.weight


def equinox_whole_model_given_as_params():
    """The state is made from arrays; update gets the model itself, functions and all."""
    model = _mlp(4)
    optim = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(1e-2), optax.scale(-1e-2))
    opt_state = optim.init(eqx.filter(model, eqx.is_array))
    grads = eqx.filter_grad(_loss)(model)
    updates, opt_state = optim.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return _leaves(eqx.apply_updates(model, updates))


def equinox_serialised_state(tmp="state.eqx"):
    import io

    model = _mlp(5)
    optim = optax.adamw(1e-2)
    params = eqx.filter(model, eqx.is_array)
    _, opt_state = optim.update(eqx.filter_grad(_loss)(model), optim.init(params), params)
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, opt_state)
    file.seek(0)
    return jax.tree.leaves(eqx.tree_deserialise_leaves(file, optim.init(params)))


def equinox_optimizer_in_a_module():
    class Trainer(eqx.Module):
        model: eqx.nn.MLP
        optim: optax.GradientTransformation = eqx.field(static=True)
        opt_state: optax.OptState

        def __init__(self, model, optim):
            self.model, self.optim = model, optim
            self.opt_state = optim.init(eqx.filter(model, eqx.is_array))

        @eqx.filter_jit
        def step(self):
            grads = eqx.filter_grad(_loss)(self.model)
            updates, opt_state = self.optim.update(grads, self.opt_state)
            new = eqx.apply_updates(self.model, updates), opt_state
            return eqx.tree_at(lambda t: (t.model, t.opt_state), self, new)

    trainer = Trainer(_mlp(6), optax.adam(1e-2))
    for _ in range(2):
        trainer = trainer.step()
    return _leaves(trainer.model)


def equinox_optimizer_as_jit_argument():
    @eqx.filter_jit
    def step(model, optim, state):
        updates, state = optim.update(eqx.filter_grad(_loss)(model), state, eqx.filter(model, eqx.is_array))
        return eqx.apply_updates(model, updates), state

    model, optim = _mlp(7), optax.lamb(1e-2)
    state = optim.init(eqx.filter(model, eqx.is_array))
    for _ in range(2):
        model, state = step(model, optim, state)
    return _leaves(model)


def equinox_ensemble():
    optim = optax.adam(1e-2)
    models = eqx.filter_vmap(lambda key: eqx.nn.Linear(2, 1, key=key))(jax.random.split(jax.random.key(0), 3))
    state = eqx.filter_vmap(optim.init)(eqx.filter(models, eqx.is_array))

    @eqx.filter_vmap
    def step(model, state):
        updates, state = optim.update(eqx.filter_grad(_loss)(model), state, model)
        return eqx.apply_updates(model, updates), state

    return _leaves(step(models, state)[0])


def equinox_gaussian_process():
    """A dataclass of hyperparameters fitted through a bijection."""

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Kernel:
        log_scale: jax.Array
        log_noise: jax.Array

    def nll(k):
        d = jnp.sum((_X[:, None] - _X[None]) ** 2, -1)
        cov = jnp.exp(-d / jnp.exp(k.log_scale)) + jnp.exp(k.log_noise) * jnp.eye(len(_X))
        alpha = jnp.linalg.solve(cov, _Y)
        return 0.5 * (_Y.T @ alpha)[0, 0] + 0.5 * jnp.linalg.slogdet(cov)[1]

    kernel = Kernel(jnp.zeros(()), jnp.zeros(()))
    optim = optax.adam(0.1)
    state = optim.init(kernel)
    for _ in range(3):
        updates, state = optim.update(jax.grad(nll)(kernel), state)
        kernel = optax.apply_updates(kernel, updates)
    return kernel.log_scale, kernel.log_noise


def equinox_module_unfiltered_without_state():
    """sgd keeps nothing, so the module with its functions may be the parameters."""
    model = _mlp(8)
    optim = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))
    opt_state = optim.init(model)
    updates, opt_state = optim.update(eqx.filter_grad(_loss)(model), opt_state, model)
    return _leaves(eqx.apply_updates(model, updates))


def equinox_only_trained_leaves_have_gradients():
    """filter_grad of a part, beside the whole model."""
    model = _mlp(9)
    spec = eqx.tree_at(lambda m: m.layers[-1].weight, jax.tree.map(lambda _: False, model), replace=True)
    optim = optax.adam(1e-2)
    opt_state = optim.init(eqx.filter(model, spec))
    trained, fixed = eqx.partition(model, spec)
    grads = eqx.filter_grad(lambda t: _loss(eqx.combine(t, fixed)))(trained)
    updates, opt_state = optim.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return _leaves(eqx.apply_updates(model, updates))
