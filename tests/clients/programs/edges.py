"""Parameters, rates and calls that are out of the ordinary, and go through Optax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

_PARAMS = {"w": jnp.array([1.0, -2.0, 0.5]), "b": jnp.array(0.1)}
_GRADS = {"w": jnp.array([0.3, 0.1, -0.2]), "b": jnp.array(-1.0)}


def _updates(tx, grads=_GRADS, params=_PARAMS, **extra):
    return tx.update(grads, tx.init(params), params, **extra)[0]


def rates_of_numpy_and_integers():
    return (
        _updates(optax.adam(np.float32(1e-2))),
        _updates(optax.sgd(np.asarray(0.1))),
        _updates(optax.sgd(1)),
        _updates(optax.scale(np.float64(-0.5))),
    )


def rate_of_zero():
    return _updates(optax.adam(0.0)), _updates(optax.sgd(0.0, momentum=0.0)), _updates(optax.adamw(0))


def decay_and_clip_switched_off():
    tx = optax.chain(optax.clip_by_global_norm(jnp.inf), optax.adamw(1e-2, weight_decay=0.0))
    return _updates(tx), _updates(optax.chain(optax.clip(float("inf")), optax.lamb(1e-2, weight_decay=0)))


def traced_rate_of_a_jitted_function():
    @jax.jit
    def step(rate, decay):
        return _updates(optax.adamw(rate, weight_decay=decay))

    return step(0.1, 0.01)


def leaves_that_are_none():
    params = {"w": _PARAMS["w"], "b": None}
    return _updates(optax.adamw(1e-2), {"w": _GRADS["w"], "b": None}, params)


def no_leaves():
    params, tx = {"w": _PARAMS["w"], "empty": {}, "none": []}, optax.adam(1e-2)
    return _updates(tx, {"w": _GRADS["w"], "empty": {}, "none": []}, params)["w"], len(_updates(tx, {}, {}))


def leaves_without_elements():
    params = {"w": _PARAMS["w"], "z": jnp.zeros((0, 3))}
    return _updates(optax.adam(1e-2), {"w": _GRADS["w"], "z": jnp.zeros((0, 3))}, params)


def numpy_parameters():
    params = jax.tree.map(np.asarray, _PARAMS)
    grads = jax.tree.map(np.asarray, _GRADS)
    return optax.apply_updates(params, _updates(optax.adamw(1e-2), grads, params))


def boxed_parameters():
    params = {"w": nn.Partitioned(_PARAMS["w"], names=("embed",)), "b": _PARAMS["b"]}
    tx = optax.adamw(1e-2)
    grads = jax.tree.map(lambda x: 0.1 * x, params)
    updates, state = tx.update(grads, tx.init(params), params)
    specs = nn.get_partition_spec(state)
    return optax.apply_updates(params, updates)["w"].value, len(jax.tree.leaves(specs[0].mu["w"]))


def integer_parameter_beside():
    """A counter among the parameters, with a gradient of zeros."""
    params = {**_PARAMS, "steps": jnp.array(3)}
    grads = {**_GRADS, "steps": jnp.array(0)}
    return _updates(optax.sgd(0.1), grads, params)["w"]


def gradients_without_parameters():
    tx = optax.chain(optax.clip_by_global_norm(0.5), optax.scale_by_adam(), optax.scale(-0.1))
    return tx.update(_GRADS, tx.init(_PARAMS))[0], tx.update(_GRADS, tx.init(_PARAMS), params=None)[0]


def extra_arguments_that_nobody_takes():
    tx = optax.chain(optax.clip(1.0), optax.adam(1e-2))
    return _updates(tx, value=1.0, grad=_GRADS, loss=jnp.array(2.0))


def optimizer_inside_the_function():
    """The optimizer is made anew at each step, and the state goes on."""

    @jax.jit
    def step(params, state):
        updates, state = optax.adam(1e-2).update(_GRADS, state, params)
        return optax.apply_updates(params, updates), state

    params, state = _PARAMS, optax.adam(1e-2).init(_PARAMS)
    for _ in range(2):
        params, state = step(params, state)
    return params


def state_in_a_dict_of_tuples():
    tx = {"a": optax.adam(0.1), "b": optax.sgd(0.1, momentum=0.9)}
    states = {k: t.init(_PARAMS) for k, t in tx.items()}
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), states)
    first = jax.tree.map(lambda x: x[0], stacked)
    return {k: t.update(_GRADS, first[k], _PARAMS)[0] for k, t in tx.items()}


def state_through_a_condition():
    tx = optax.adam(0.1)

    @jax.jit
    def step(state, reset):
        state = jax.lax.cond(reset, lambda: tx.init(_PARAMS), lambda: state)
        return tx.update(_GRADS, state)

    updates, state = step(tx.init(_PARAMS), False)
    return updates, step(state, True)[0], state[0].count


def state_chosen_leaf_by_leaf():
    tx = optax.adamw(0.1)
    old = tx.init(_PARAMS)
    _, new = tx.update(_GRADS, old, _PARAMS)
    chosen = jax.tree.map(lambda a, b: jax.lax.select(jnp.isfinite(a).all(), a, b), new, old)
    return tx.update(_GRADS, chosen, _PARAMS)[0]


def mask_of_a_single_boolean_prefix():
    """A mask may be a prefix of the tree of parameters."""
    params = {"enc": _PARAMS, "dec": _PARAMS}
    grads = {"enc": _GRADS, "dec": _GRADS}
    tx = optax.masked(optax.adam(0.1), {"enc": True, "dec": False})
    labels = {"enc": "a", "dec": "b"}
    groups = optax.multi_transform({"a": optax.sgd(0.1), "b": optax.set_to_zero()}, labels)
    return _updates(tx, grads, params), _updates(groups, grads, params)


def labels_that_are_no_strings():
    groups = {0: optax.sgd(0.1), 1: optax.adam(0.1), 2: optax.sgd(1.0)}
    return _updates(optax.multi_transform(groups, {"w": 0, "b": 1}))


def half_precision_gradients():
    grads = jax.tree.map(lambda g: g.astype(jnp.float16), _GRADS)
    updates = _updates(optax.adamw(1e-2), grads)
    return optax.apply_updates(_PARAMS, updates)


def count_of_large_numbers():
    tx = optax.adam(optax.cosine_decay_schedule(0.1, 100))
    state = tx.init(_PARAMS)
    state = optax.tree_utils.tree_set(state, count=jnp.array(50, jnp.int32))
    return tx.update(_GRADS, state)[0]


def schedule_scaled_by_another():
    base = optax.linear_schedule(1.0, 0.1, 10)
    tx = optax.chain(
        optax.scale_by_schedule(base), optax.scale_by_schedule(lambda t: -0.1 * base(t)), optax.scale(1)
    )
    return (
        _updates(tx),
        _updates(optax.scale_by_learning_rate(base)),
        _updates(optax.sgd(base, momentum=None)),
    )
