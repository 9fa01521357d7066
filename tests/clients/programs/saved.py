"""States written and read: Flax, Orbax, NumPy, pickle."""

import pickle
import tempfile

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp

_PARAMS = {"w": jnp.linspace(-1, 1, 4).reshape(2, 2), "b": jnp.zeros(2)}


def _trained(tx, steps=2):
    params, state = _PARAMS, tx.init(_PARAMS)
    for _ in range(steps):
        updates, state = tx.update(jax.tree.map(jnp.cos, params), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def bytes_of_a_state():
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.linear_schedule(0.1, 0.0, 5)))
    params, state = _trained(tx)
    restored = flax.serialization.from_bytes(tx.init(_PARAMS), flax.serialization.to_bytes(state))
    return tx.update(_PARAMS, restored, params)[0]


def bytes_of_a_masked_state():
    tx = optax.masked(optax.adam(0.1), {"w": True, "b": False})
    params, state = _trained(tx)
    restored = flax.serialization.from_bytes(tx.init(_PARAMS), flax.serialization.to_bytes(state))
    return tx.update(_PARAMS, restored, params)[0]


def bytes_of_groups():
    groups = {"a": optax.adam(0.1), "b": optax.sgd(0.1, momentum=0.9)}
    tx = optax.multi_transform(groups, {"w": "a", "b": "b"})
    _, state = _trained(tx)
    restored = flax.serialization.from_bytes(tx.init(_PARAMS), flax.serialization.to_bytes(state))
    return tx.update(_PARAMS, restored, _PARAMS)[0]


def bytes_of_injected_hyperparameters():
    tx = optax.inject_hyperparams(optax.adam)(learning_rate=0.1)
    _, state = _trained(tx)
    state.hyperparams["learning_rate"] = jnp.asarray(0.3)
    restored = flax.serialization.from_bytes(tx.init(_PARAMS), flax.serialization.to_bytes(state))
    return restored.hyperparams["learning_rate"], tx.update(_PARAMS, restored, _PARAMS)[0]


def orbax_checkpoint_of_everything():
    tx = optax.adamw(0.1)
    params, state = _trained(tx)
    tree = {"params": params, "opt_state": state, "step": np.asarray(2)}
    with tempfile.TemporaryDirectory() as folder, ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(f"{folder}/a", tree)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(f"{folder}/a", jax.tree.map(ocp.utils.to_shape_dtype_struct, tree))
    return tx.update(_PARAMS, restored["opt_state"], restored["params"])[0]


def arrays_of_a_state():
    tx = optax.lamb(0.1)
    params, state = _trained(tx)
    with tempfile.TemporaryFile() as file:
        np.savez(file, *jax.tree.leaves(state))
        file.seek(0)
        loaded = np.load(file)
        leaves = [loaded[name] for name in loaded.files]
    restored = jax.tree.unflatten(jax.tree.structure(tx.init(_PARAMS)), leaves)
    return tx.update(_PARAMS, restored, params)[0]


def pickled_state():
    tx = optax.chain(optax.clip(1.0), optax.adam(0.1), optax.ema(0.9))
    params, state = _trained(tx)
    restored = pickle.loads(pickle.dumps(jax.device_get(state)))
    return tx.update(_PARAMS, restored, params)[0]


def states_compared_by_structure():
    one, other = optax.adam(0.1).init(_PARAMS), optax.adam(0.3).init(_PARAMS)
    assert jax.tree.structure(one) == jax.tree.structure(other)
    return jax.tree.leaves(jax.tree.map(lambda a, b: a - b, one, other))


def moments_carried_to_another_optimizer():
    """The state of one optimizer in one with another schedule, as after a change of the configuration."""
    params, state = _trained(optax.adamw(0.1))
    tx = optax.adamw(0.01, weight_decay=0.5)
    return tx.update(_PARAMS, state, params)[0]
