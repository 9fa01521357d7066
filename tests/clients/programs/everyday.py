"""Short training programs of many subjects."""

import jax
import jax.numpy as jnp
import optax

_KEY = jax.random.key(0)


def _fit(loss, params, tx, steps=3):
    state = tx.init(params)
    for _ in range(steps):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params, value


def logistic_regression():
    x, y = jnp.linspace(-1, 1, 8).reshape(4, 2), jnp.array([0.0, 1.0, 1.0, 0.0])

    def loss(p):
        return optax.sigmoid_binary_cross_entropy(x @ p["w"] + p["b"], y).mean()

    return _fit(loss, {"w": jnp.zeros(2), "b": 0.1 * jnp.ones(())}, optax.sgd(0.5))


def matrix_factorisation():
    target = jnp.arange(6.0).reshape(2, 3) / 6

    def loss(p):
        return optax.squared_error(p["u"] @ p["v"], target).sum()

    return _fit(loss, {"u": 0.5 * jnp.ones((2, 1)), "v": 0.3 * jnp.ones((1, 3))}, optax.adagrad(0.1))


def picture_by_gradient():
    """The parameters are the pixels."""
    target = jnp.eye(3)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1))
    return _fit(lambda x: jnp.sum((x - target) ** 2), jnp.full((3, 3), 0.5), tx)


def adversarial_example():
    w, x = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.2, 0.1, -0.3])
    tx = optax.chain(optax.stateless(lambda g, p: jax.tree.map(jnp.sign, g)), optax.scale(0.1))
    delta, state = jnp.zeros(3), tx.init(x)
    for _ in range(3):
        updates, state = tx.update(jax.grad(lambda d: jnp.tanh(w @ (x + d)))(delta), state)
        delta = jnp.clip(optax.apply_updates(delta, updates), -0.2, 0.2)
    return delta


def recurrent_network():
    x = jnp.sin(jnp.arange(6.0))

    def loss(p):
        def cell(h, x):
            h = jnp.tanh(p["a"] @ h + p["b"] * x)
            return h, p["c"] @ h

        _, out = jax.lax.scan(cell, jnp.zeros(2), x[:-1])
        return optax.l2_loss(out, x[1:]).mean()

    params = {"a": 0.1 * jnp.eye(2), "b": jnp.ones(2), "c": jnp.array([0.3, -0.2])}
    return _fit(loss, params, optax.chain(optax.clip(0.5), optax.rmsprop(1e-2)))


def attention_block():
    x = jnp.linspace(-1, 1, 12).reshape(3, 4)

    def loss(p):
        q, k, v = (x @ p[name] for name in "qkv")
        scores = jnp.where(jnp.tril(jnp.ones((3, 3))) > 0, q @ k.T / 2.0, -1e9)
        return optax.l2_loss(jax.nn.softmax(scores) @ v, jnp.roll(x, 1, 0)).mean()

    keys = jax.random.split(_KEY, 3)
    params = {n: jax.random.normal(k, (4, 4)) for n, k in zip("qkv", keys, strict=True)}
    schedule = optax.warmup_cosine_decay_schedule(1e-4, 1e-2, 2, 6)
    return _fit(loss, params, optax.adamw(schedule, b2=0.95, weight_decay=0.1))


def convolution():
    x = jnp.linspace(-1, 1, 16).reshape(1, 1, 4, 4)

    def loss(p):
        out = jax.lax.conv(x, p["kernel"], (1, 1), "SAME") + p["bias"][None, :, None, None]
        return jnp.mean(jax.nn.relu(out) ** 2)

    tx = optax.lars(0.1, weight_decay=1e-4, momentum=0.9)
    return _fit(loss, {"kernel": jnp.full((2, 1, 3, 3), 0.1), "bias": jnp.full(2, 0.2)}, tx)


def physics_informed():
    t = jnp.linspace(0, 1, 5)

    def u(p, t):
        return 1.0 + t * jnp.dot(p["w2"], jnp.tanh(p["w1"] * t + p["b"]))

    def loss(p):
        residual = jax.vmap(lambda t: jax.grad(u, 1)(p, t) + u(p, t))(t)
        return jnp.mean(residual**2)

    params = {"w1": jnp.array([1.0, -0.5]), "b": jnp.zeros(2), "w2": jnp.array([0.2, 0.4])}
    return _fit(loss, params, optax.adam(optax.exponential_decay(1e-2, 2, 0.9)))


def ordinary_differential_equation():
    def loss(p):
        def step(y, _):
            return y + 0.1 * (p["a"] @ y), y

        _, path = jax.lax.scan(step, jnp.array([1.0, 0.0]), None, 5)
        return jnp.mean((path[:, 0] - jnp.cos(jnp.arange(5) * 0.1)) ** 2)

    return _fit(loss, {"a": jnp.zeros((2, 2))}, optax.adabelief(0.05))


def teacher_and_student():
    teacher, student, tx = {"w": jnp.ones(3)}, {"w": jnp.array([0.2, -0.1, 0.4])}, optax.sgd(0.1)
    state = tx.init(student)
    for i in range(3):
        x = jax.random.normal(jax.random.fold_in(_KEY, i), (3,))
        grads = jax.grad(lambda p, x=x, t=teacher: (p["w"] @ x - t["w"] @ x) ** 2)(student)
        updates, state = tx.update(grads, state)
        student = optax.apply_updates(student, updates)
        teacher = optax.incremental_update(student, teacher, 0.004)
    return student, teacher


def adaptation_in_an_inner_loop():
    inner, outer = optax.sgd(0.1), optax.adam(1e-2)

    def task_loss(p, task):
        return jnp.sum((p["w"] - task) ** 2)

    def adapted(p, task):
        updates, _ = inner.update(jax.grad(task_loss)(p, task), inner.init(p), p)
        return task_loss(optax.apply_updates(p, updates), task)

    tasks = jnp.array([[1.0, 0.0], [0.0, 2.0]])
    return _fit(lambda p: jax.vmap(adapted, (None, 0))(p, tasks).mean(), {"w": jnp.zeros(2)}, outer)


def federated_average():
    clients, tx = jnp.array([[1.0, 2.0], [3.0, -1.0]]), optax.sgd(0.1)
    server, server_tx = {"w": jnp.zeros(2)}, optax.yogi(0.1)
    server_state = server_tx.init(server)
    for _ in range(2):
        fitted = [_fit(lambda p, c=c: jnp.sum((p["w"] - c) ** 2), server, tx, 2)[0] for c in clients]
        mean = jax.tree.map(lambda *x: sum(x) / len(x), *fitted)
        delta = jax.tree.map(lambda a, b: a - b, server, mean)
        updates, server_state = server_tx.update(delta, server_state, server)
        server = optax.apply_updates(server, updates)
    return server


def private_gradients():
    x, y = jnp.linspace(-1, 1, 8).reshape(4, 2), jnp.ones(4)
    tx = optax.chain(
        optax.differentially_private_aggregate(l2_norm_clip=0.5, noise_multiplier=0.0, key=0), optax.sgd(0.1)
    )
    params = {"w": jnp.array([0.1, 0.2])}
    grads = jax.vmap(jax.grad(lambda p, x, y: (x @ p["w"] - y) ** 2), (None, 0, 0))(params, x, y)
    return tx.update(grads, tx.init(params), params)[0]


def generator_and_critic():
    g, d = {"w": jnp.array([0.5])}, {"w": jnp.array([0.3])}
    g_tx, d_tx = optax.adam(1e-2, b1=0.5, b2=0.9), optax.adam(1e-2, b1=0.5, b2=0.9)
    g_state, d_state = g_tx.init(g), d_tx.init(d)
    z = jnp.linspace(-1, 1, 4)

    def value(d, g):
        return jnp.tanh(d["w"] * 1.0).mean() - jnp.tanh(d["w"] * (g["w"] * z)).mean()

    for _ in range(2):
        updates, d_state = d_tx.update(jax.grad(lambda d, g=g: -value(d, g))(d), d_state, d)
        d = optax.apply_updates(d, updates)
        updates, g_state = g_tx.update(jax.grad(lambda g, d=d: value(d, g))(g), g_state, g)
        g = optax.apply_updates(g, updates)
    return g, d


def gradients_accumulated_by_hand():
    params, tx = {"w": jnp.array([1.0, -1.0])}, optax.adamw(0.1)
    state, total = tx.init(params), jax.tree.map(jnp.zeros_like, params)
    for i in range(4):
        total = jax.tree.map(jnp.add, total, jax.grad(lambda p, i=i: jnp.sum(p["w"] ** 2 * (i + 1)))(params))
        if (i + 1) % 2 == 0:
            updates, state = tx.update(jax.tree.map(lambda g: g / 2, total), state, params)
            params = optax.apply_updates(params, updates)
            total = jax.tree.map(jnp.zeros_like, total)
    return params


def early_stopping():
    params, tx, best, waited = jnp.array([2.0, -1.0]), optax.sgd(0.4, momentum=0.5), jnp.inf, 0
    state, kept = tx.init(params), params
    for _ in range(8):
        value, grad = jax.value_and_grad(lambda p: jnp.sum(p**2))(params)
        if value < best:
            best, kept, waited = value, params, 0
        elif (waited := waited + 1) > 2:
            break
        updates, state = tx.update(grad, state)
        params = optax.apply_updates(params, updates)
    return best, kept
