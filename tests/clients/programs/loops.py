"""Training loops in plain JAX."""

import functools

import jax
import jax.numpy as jnp
import optax


def _data(n=16, d=3):
    x = jax.random.normal(jax.random.key(0), (n, d))
    return x, x @ jnp.arange(1.0, d + 1) + 0.5


def _params():
    return {"w": jnp.zeros(3), "b": jnp.zeros(())}


def _loss(params, x, y):
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


def regression():
    x, y = _data()
    params = _params()
    optimizer = optax.adam(learning_rate=1e-1)
    opt_state = optimizer.init(params)
    losses = []
    for _ in range(5):
        loss, grads = jax.value_and_grad(_loss)(params, x, y)
        updates, opt_state = optimizer.update(grads, opt_state)
        params = optax.apply_updates(params, updates)
        losses.append(loss)
    return losses, params


def jitted_step():
    x, y = _data()
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-2, weight_decay=1e-3))

    @jax.jit
    def step(params, opt_state, x, y):
        loss, grads = jax.value_and_grad(_loss)(params, x, y)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params = _params()
    opt_state = tx.init(params)
    for _ in range(4):
        params, opt_state, loss = step(params, opt_state, x, y)
    return loss, params


def functions_unpacked():
    x, y = _data()
    init_fn, update_fn = optax.adam(1e-3)
    params = _params()
    state = init_fn(params)
    for _ in range(3):
        updates, state = update_fn(jax.grad(_loss)(params, x, y), state)
        params = optax.apply_updates(params, updates)
    return params


def partial_step_with_static_optimizer():
    @functools.partial(jax.jit, static_argnums=(0,))
    def step(optimizer, params, opt_state, batch):
        grads = jax.grad(_loss)(params, *batch)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    optimizer = optax.sgd(0.1, momentum=0.9, nesterov=True)
    params = _params()
    opt_state = optimizer.init(params)
    for _ in range(3):
        params, opt_state = step(optimizer, params, opt_state, _data())
    return params


def scanned_epoch():
    x, y = _data()
    tx = optax.rmsprop(1e-2, decay=0.95, momentum=0.9)

    def body(carry, batch):
        params, opt_state = carry
        loss, grads = jax.value_and_grad(_loss)(params, *batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    params = _params()
    batches = (x.reshape(4, 4, 3), y.reshape(4, 4))
    (params, _opt_state), losses = jax.lax.scan(body, (params, tx.init(params)), batches)
    return params, losses


def fori_loop_until_done():
    x, y = _data()
    tx = optax.adagrad(0.5)

    def body(_, carry):
        params, state = carry
        updates, state = tx.update(jax.grad(_loss)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state

    params = _params()
    params, _ = jax.lax.fori_loop(0, 5, body, (params, tx.init(params)))
    return params


def while_loop_on_gradient_norm():
    x, y = _data()
    tx = optax.sgd(0.2)

    def go_on(carry):
        params, _, i = carry
        return (optax.global_norm(jax.grad(_loss)(params, x, y)) > 0.5) & (i < 20)

    def body(carry):
        params, state, i = carry
        updates, state = tx.update(jax.grad(_loss)(params, x, y), state, params)
        return optax.apply_updates(params, updates), state, i + 1

    params = _params()
    return jax.lax.while_loop(go_on, body, (params, tx.init(params), 0))[::2]


def float_parameters():
    tx = optax.adam(0.1)
    params = {"a": 1.0, "b": -2.0}
    state = tx.init(params)
    for _ in range(3):
        grads = jax.grad(lambda p: p["a"] ** 2 + p["b"] ** 2)(params)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def lists_of_layers():
    params = [(jnp.ones((2, 3)), jnp.zeros(3)), (jnp.ones((3, 1)), jnp.zeros(1))]

    def loss(params, x):
        for w, b in params:
            x = jnp.tanh(x @ w + b)
        return jnp.sum(x**2)

    tx = optax.lamb(1e-2)
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(jax.grad(loss)(params, jnp.ones((4, 2))), state, params)
        params = jax.tree_util.tree_map(lambda p, u: p + u, params, updates)
    return params


def one_bare_array():
    solver = optax.adabelief(learning_rate=0.003)
    params = jnp.array([1.0, 2.0, 3.0])
    opt_state = solver.init(params)
    values = []
    for _ in range(4):
        grad = jax.grad(lambda x: jnp.sum(x**2))(params)
        updates, opt_state = solver.update(grad, opt_state, params)
        params = optax.apply_updates(params, updates)
        values.append(jnp.sum(params**2))
    return values


def ascent_by_negative_rate():
    tx = optax.adam(-1e-1)  # maximize
    theta = jnp.array([0.3, -0.2])
    state = tx.init(theta)
    for _ in range(4):
        grads = jax.grad(lambda t: -jnp.sum((t - 1.0) ** 2))(theta)
        updates, state = tx.update(grads, state)
        theta = optax.apply_updates(theta, updates)
    return theta


def ascent_of_multipliers():
    primal, dual = optax.sgd(0.1), optax.sgd(-0.5)
    x, lam = jnp.array(0.0), jnp.array(0.0)
    states = primal.init(x), dual.init(lam)

    def lagrangian(x, lam):
        return (x - 2) ** 2 + lam * (x - 1)

    for _ in range(5):
        gx, gl = jax.grad(lagrangian, (0, 1))(x, lam)
        ux, sx = primal.update(gx, states[0], x)
        ul, sl = dual.update(gl, states[1], lam)
        x, lam, states = optax.apply_updates(x, ux), optax.apply_updates(lam, ul), (sx, sl)
    return x, lam


def population_of_rates():
    """One vmapped optimizer, with a learning rate for each member."""
    x, y = _data()
    tx = optax.inject_hyperparams(optax.adam)(learning_rate=0.0)

    def train(rate):
        params = _params()
        state = tx.init(params)
        state.hyperparams["learning_rate"] = rate

        def body(carry, _):
            params, state = carry
            loss, grads = jax.value_and_grad(_loss)(params, x, y)
            updates, state = tx.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), loss

        return jax.lax.scan(body, (params, state), None, length=4)[1]

    return jax.vmap(train)(jnp.array([1e-3, 1e-2, 1e-1]))


def population_of_members():
    x, y = _data()
    tx = optax.chain(optax.clip(1.0), optax.adam(0.05))
    params = jax.vmap(lambda key: {"w": jax.random.normal(key, (3,)), "b": jnp.zeros(())})(
        jax.random.split(jax.random.key(1), 4)
    )
    state = jax.vmap(tx.init)(params)

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, 0, None, None))
    def step(params, state, x, y):
        grads = jax.grad(_loss)(params, x, y)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(3):
        params, state = step(params, state, x, y)
    return params


def rate_built_inside_vmap():
    x, y = _data()

    def train(rate):
        tx = optax.sgd(rate, momentum=0.9)
        params = _params()
        state = tx.init(params)
        for _ in range(2):
            updates, state = tx.update(jax.grad(_loss)(params, x, y), state, params)
            params = optax.apply_updates(params, updates)
        return _loss(params, x, y)

    return jax.vmap(train)(jnp.array([0.01, 0.1]))


def meta_gradient_through_updates():
    x, y = _data()

    def outer(log_rate):
        tx = optax.adam(jnp.exp(log_rate))
        params = {"w": jnp.ones(3), "b": jnp.ones(())}
        state = tx.init(params)
        for _ in range(2):
            updates, state = tx.update(jax.grad(_loss)(params, x, y), state, params)
            params = optax.apply_updates(params, updates)
        return _loss(params, x, y)

    return jax.value_and_grad(outer)(jnp.log(0.1))
