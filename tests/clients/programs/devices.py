"""Several devices, donated buffers, shapes without arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_PARAMS = {"w": jnp.linspace(-1, 1, 8).reshape(4, 2), "b": jnp.zeros(2)}
_X = jnp.linspace(-1, 1, 32).reshape(8, 4)


def _loss(params, x):
    return jnp.mean((x @ params["w"] + params["b"] - 1.0) ** 2)


def specs_from_tree_map_params():
    """Specs of the state are those of the parameters where it has one array for each."""
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.linear_schedule(0.1, 0.0, 5)))
    specs = {"w": PartitionSpec("data", None), "b": PartitionSpec(None)}
    state = jax.eval_shape(tx.init, _PARAMS)
    of_state = optax.tree_map_params(
        tx, lambda _, spec: spec, state, specs, transform_non_params=lambda _: PartitionSpec()
    )
    mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
    shardings = jax.tree.map(
        lambda s: NamedSharding(mesh, s), of_state, is_leaf=lambda x: isinstance(x, PartitionSpec)
    )
    made = jax.jit(tx.init, out_shardings=shardings)(_PARAMS)
    return [len(x.sharding.spec) for x in jax.tree.leaves(made)]


def moments_mapped_by_tree_map_params():
    tx = optax.adam(1e-1)
    _, state = tx.update(_PARAMS, tx.init(_PARAMS), _PARAMS)
    halved = optax.tree_map_params(tx, lambda x: 0.5 * x, state)
    return halved[0].mu, halved[0].count


def step_over_a_mesh():
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    tx = optax.adamw(1e-1)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, x):
        grads = jax.grad(_loss)(params, x)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    sharding = NamedSharding(mesh, PartitionSpec())
    params = jax.device_put(jax.tree.map(jnp.copy, _PARAMS), sharding)
    state = jax.device_put(tx.init(params), sharding)
    x = jax.device_put(_X, NamedSharding(mesh, PartitionSpec("data")))
    for _ in range(2):
        params, state = step(params, state, x)
    return params


def mapped_over_shards():
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9))

    def step(params, state, x):
        grads = jax.lax.pmean(jax.grad(_loss)(params, x), "data")
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    replicated, split = PartitionSpec(), PartitionSpec("data")
    mapped = jax.jit(
        jax.shard_map(
            step, mesh=mesh, in_specs=(replicated, replicated, split), out_specs=replicated, check_vma=False
        )
    )
    return mapped(_PARAMS, tx.init(_PARAMS), _X)[0]


def replicated_by_pmap():
    devices = jax.devices()[:2]
    tx = optax.adam(1e-1)

    @functools.partial(jax.pmap, axis_name="batch", devices=devices)
    def step(params, state, x):
        grads = jax.lax.pmean(jax.grad(_loss)(params, x), axis_name="batch")
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def stack(tree):
        return jax.tree.map(lambda x: jnp.stack([x, x]), tree)

    params, state = stack(_PARAMS), stack(tx.init(_PARAMS))
    params, state = step(params, state, _X.reshape(2, 4, 4))
    return jax.tree.map(lambda x: x[0], params), jax.tree.map(lambda x: x[0], state)[0].count


def donated_carry():
    tx = optax.adam(1e-1)
    step = jax.jit(
        lambda p, s: (lambda out: (optax.apply_updates(p, out[0]), out[1]))(
            tx.update(jax.grad(_loss)(p, _X), s, p)
        ),
        donate_argnums=(0, 1),
    )
    params = jax.tree.map(jnp.copy, _PARAMS)
    state = jax.jit(tx.init)(params)
    for _ in range(3):
        params, state = step(params, state)
    return params


def shapes_of_a_state():
    tx = optax.multi_transform(
        {"a": optax.adam(0.1), "b": optax.sgd(0.1, momentum=0.9)}, {"w": "a", "b": "b"}
    )
    state = jax.eval_shape(tx.init, _PARAMS)
    return [x.shape for x in jax.tree.leaves(state)], sum(x.size for x in jax.tree.leaves(state))


def state_zeroed_and_refilled():
    """The tree of a state taken apart and put together."""
    tx = optax.adamw(1e-1)
    _, state = tx.update(_PARAMS, tx.init(_PARAMS), _PARAMS)
    leaves, treedef = jax.tree.flatten(state)
    state = jax.tree.unflatten(treedef, [np.asarray(x) for x in leaves])
    return tx.update(_PARAMS, state, _PARAMS)[0]


def microbatches_summed_in_a_scan():
    tx = optax.adam(1e-1)

    def body(grads, x):
        return jax.tree.map(jnp.add, grads, jax.grad(_loss)(_PARAMS, x)), None

    zeros = optax.tree_utils.tree_zeros_like(_PARAMS)
    grads, _ = jax.lax.scan(body, zeros, _X.reshape(4, 2, 4))
    return tx.update(jax.tree.map(lambda g: g / 4, grads), tx.init(_PARAMS))[0]


def rematerialised_step():
    tx = optax.adafactor(1e-1, min_dim_size_to_factor=2)
    params, state = _PARAMS, tx.init(_PARAMS)
    for _ in range(2):
        grads = jax.grad(jax.checkpoint(_loss))(params, _X)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def bfloat16_parameters():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), _PARAMS)
    tx = optax.sgd(0.5)
    updates, _ = tx.update(params, tx.init(params), params)
    new = optax.apply_updates(params, updates)
    assert {x.dtype for x in jax.tree.leaves(new)} == {jnp.dtype(jnp.bfloat16)}
    return jax.tree.map(lambda x: x.astype(jnp.float32), new)


def master_weights():
    tx = optax.adamw(1e-1)
    state = tx.init(_PARAMS)
    half = optax.tree_utils.tree_cast(_PARAMS, jnp.bfloat16)
    grads = jax.grad(_loss)(half, _X.astype(jnp.bfloat16))
    grads = jax.tree.map(lambda g, p: g.astype(p.dtype), grads, _PARAMS)
    updates, state = tx.update(grads, state, _PARAMS)
    return optax.apply_updates(_PARAMS, updates)
