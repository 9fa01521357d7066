"""Flax Linen: TrainState and what programs do with it."""

from typing import Any

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util
from flax.training import train_state


class _Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4, name="hidden")(x))
        return nn.Dense(3, name="head")(x)


_X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2)
_Y = np.array([0, 1, 2, 0, 1, 2])


def _params():
    return jax.tree.map(lambda x: x + 0.1, _Mlp().init(jax.random.key(0), _X)["params"])


def _step(state):
    def loss_fn(params):
        logits = state.apply_fn({"params": params}, _X)
        return optax.softmax_cross_entropy_with_integer_labels(logits, _Y).mean()

    loss, grads = jax.value_and_grad(loss_fn)(state.params)
    return state.apply_gradients(grads=grads), loss


def _trained(tx, steps=2, state_class=train_state.TrainState, **more):
    state = state_class.create(apply_fn=_Mlp().apply, params=_params(), tx=tx, **more)
    step = jax.jit(_step)
    for _ in range(steps):
        state, loss = step(state)
    return state, loss


def linen_classifier():
    state, loss = _trained(optax.adam(1e-2))
    return loss, state.params, state.step


def linen_decay_mask_by_path():
    def decay_mask_fn(params):
        flat = traverse_util.flatten_dict(params)
        return traverse_util.unflatten_dict({path: path[-1] != "bias" for path in flat})

    schedule = optax.warmup_cosine_decay_schedule(0.0, 1e-2, 2, 10, end_value=1e-4)
    state, _ = _trained(optax.adamw(learning_rate=schedule, weight_decay=0.1, mask=decay_mask_fn), 3)
    return state.params


def linen_frozen_backbone():
    def label(params):
        return traverse_util.path_aware_map(
            lambda path, _: "frozen" if "hidden" in path else "trainable", params
        )

    tx = optax.multi_transform({"trainable": optax.adam(1e-2), "frozen": optax.set_to_zero()}, label)
    state, _ = _trained(tx)
    return state.params


def linen_state_with_averages():
    class EmaState(train_state.TrainState):
        ema_params: Any

    state, _ = _trained(optax.sgd(0.1), state_class=EmaState, ema_params=_params())
    averaged = optax.incremental_update(state.params, state.ema_params, step_size=0.01)
    return state.replace(ema_params=averaged).ema_params


def linen_frozen_dict():
    state = train_state.TrainState.create(
        apply_fn=_Mlp().apply, params=flax.core.freeze(_params()), tx=optax.lion(1e-3)
    )
    state, loss = _step(state)
    return loss, flax.core.unfreeze(state.params)


def linen_restored_from_bytes():
    state, _ = _trained(optax.adamw(1e-2))
    data = flax.serialization.to_bytes(state)
    fresh, _ = _trained(optax.adamw(1e-2), 1)
    restored = flax.serialization.from_bytes(fresh, data)
    return _step(restored)[0].params


def linen_state_dict_of_optimizer():
    state, _ = _trained(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2)))
    as_dict = flax.serialization.to_state_dict(state.opt_state)
    restored = flax.serialization.from_state_dict(state.tx.init(state.params), as_dict)
    return jax.tree.leaves(restored)


def linen_moments_in_a_state_dict():
    state, _ = _trained(optax.adam(1e-2))
    return flax.serialization.to_state_dict(state.opt_state)["0"]["mu"]["head"]["bias"]


def linen_learning_rate_changed():
    state, _ = _trained(optax.inject_hyperparams(optax.adam)(learning_rate=1e-3))
    state.opt_state.hyperparams["learning_rate"] = jnp.asarray(0.5)
    return _step(state)[0].params


def linen_second_optimizer_swapped_in():
    state, _ = _trained(optax.adam(1e-2))
    tx = optax.sgd(0.1, momentum=0.9)
    return _step(state.replace(tx=tx, opt_state=tx.init(state.params)))[0].params


def linen_donated_step():
    state = train_state.TrainState.create(apply_fn=_Mlp().apply, params=_params(), tx=optax.adamw(1e-3))
    step = jax.jit(_step, donate_argnums=0)
    for _ in range(2):
        state, loss = step(state)
    return loss, state.params


def linen_abstract_state():
    def init():
        return train_state.TrainState.create(apply_fn=None, params=_params(), tx=optax.adamw(1e-3))

    shapes = jax.eval_shape(init)
    return [x.shape for x in jax.tree.leaves(shapes.opt_state)]


def linen_accumulated_gradients():
    tx = optax.MultiSteps(optax.adamw(1e-2), every_k_schedule=2)
    state, _ = _trained(tx, 4)
    return state.params, tx.has_updated(state.opt_state)


def linen_metrics_of_gradients():
    params = _params()

    def loss_fn(p):
        return jnp.mean(_Mlp().apply({"params": p}, _X) ** 2)

    grads = jax.grad(loss_fn)(params)
    norms = jax.tree.map(jnp.linalg.norm, grads)
    return optax.global_norm(grads), norms, optax.global_norm(params)


def linen_batch_statistics():
    class WithStats(train_state.TrainState):
        batch_stats: Any

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train=True):
            return nn.Dense(1)(nn.BatchNorm(use_running_average=not train, momentum=0.9)(x))

    model = Net()
    variables = model.init(jax.random.key(0), _X)
    tx = optax.chain(optax.add_decayed_weights(1e-4), optax.sgd(0.1, momentum=0.9, nesterov=True))
    state = WithStats.create(
        apply_fn=model.apply, params=variables["params"], tx=tx, batch_stats=variables["batch_stats"]
    )

    def loss_fn(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        out, changed = state.apply_fn(variables, _X, mutable=["batch_stats"])
        return jnp.mean((out - 1.0) ** 2), changed

    (loss, changed), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    state = state.apply_gradients(grads=grads, batch_stats=changed["batch_stats"])
    return loss, state.params, state.batch_stats
