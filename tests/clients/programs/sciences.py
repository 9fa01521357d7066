"""Programs of the sciences: parameters that are few, bounded, complex, or many at once."""

import jax
import jax.numpy as jnp
import optax

_KEY = jax.random.key(1)


def _fit(loss, params, tx, steps=3):
    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    state = tx.init(params)
    for _ in range(steps):
        params, state, value = step(params, state)
    return params, value


def energy_of_a_molecule():
    def energy(x):
        d = jnp.sqrt(jnp.sum((x[:, None] - x[None]) ** 2, -1) + jnp.eye(3))
        pair = 4 * (d**-12 - d**-6) * (1 - jnp.eye(3))
        return pair.sum() / 2

    x = jnp.array([[0.0, 0.0], [1.2, 0.0], [0.5, 1.1]])
    return _fit(energy, x, optax.chain(optax.clip(1.0), optax.sgd(0.01, momentum=0.9)))


def circuit_of_two_angles():
    def expectation(theta):
        state = jnp.array([jnp.cos(theta[0] / 2), jnp.sin(theta[0] / 2) * jnp.exp(1j * theta[1])])
        return jnp.real(jnp.conj(state) @ jnp.array([[0.0, 1.0], [1.0, 0.0]]) @ state)

    return _fit(expectation, jnp.array([0.3, 0.2]), optax.adam(0.2))


def complex_amplitudes():
    target = jnp.array([1.0 + 1.0j, -0.5j])

    def loss(z):
        return jnp.sum(jnp.abs(z - target) ** 2)

    params = jnp.zeros(2, jnp.complex64)
    tx = optax.contrib.split_real_and_imaginary(optax.adam(0.1))
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(jnp.conj(jax.grad(loss)(params)), state, params)
        params = optax.apply_updates(params, updates)
    return params


def bounded_parameters_by_a_transform():
    def loss(raw):
        rate = jax.nn.softplus(raw["rate"])
        share = jax.nn.sigmoid(raw["share"])
        return (rate - 2.0) ** 2 + (share - 0.3) ** 2

    return _fit(loss, {"rate": jnp.zeros(()), "share": jnp.zeros(())}, optax.nadamw(0.1))


def nonnegative_weights():
    target = jnp.array([-1.0, 0.5, 2.0])
    tx = optax.chain(optax.adam(0.3), optax.keep_params_nonnegative())
    return _fit(lambda w: jnp.sum((w - target) ** 2), jnp.full(3, 0.2), tx)


def wave_function():
    x = jnp.linspace(-2, 2, 9)

    def energy(a):
        psi = jnp.exp(-a["width"] * x**2)
        kinetic = 0.5 * jnp.gradient(psi) ** 2 / 0.25
        return jnp.sum(kinetic + 0.5 * x**2 * psi**2) / jnp.sum(psi**2)

    tx = optax.chain(optax.scale_by_adam(), optax.scale_by_schedule(lambda t: -0.1 / (1 + t / 10)))
    return _fit(energy, {"width": jnp.array(0.2)}, tx)


def langevin_chain():
    tx = optax.chain(optax.scale(-0.05), optax.add_noise(eta=0.0, gamma=0.0, key=1))
    return _fit(lambda x: 0.5 * jnp.sum(x**2), jnp.array([1.0, -2.0]), tx)


def restarts_side_by_side():
    tx = optax.adam(0.2)

    def run(x):
        def body(carry, _):
            x, state = carry
            value, grad = jax.value_and_grad(lambda x: jnp.sum(jnp.sin(3 * x) + x**2))(x)
            updates, state = tx.update(grad, state)
            return (optax.apply_updates(x, updates), state), value

        (x, _), values = jax.lax.scan(body, (x, tx.init(x)), None, 4)
        return x, values[-1]

    xs, values = jax.vmap(run)(jnp.array([[-1.0], [0.5], [2.0]]))
    return xs[jnp.argmin(values)], values


def projection_after_each_step():
    tx = optax.sgd(0.2)
    x, state = jnp.array([0.6, 0.8]), tx.init(jnp.zeros(2))
    for _ in range(3):
        updates, state = tx.update(jax.grad(lambda x: x[0] * 2 - x[1])(x), state, x)
        x = optax.apply_updates(x, updates)
        x = x / jnp.linalg.norm(x)
    return x


def lens_parameters_with_rates_of_their_own():
    params = {"radius": jnp.array(1.0), "centre": jnp.zeros(2), "light": jnp.ones(3)}
    rates = {"radius": 1e-2, "centre": 1e-1, "light": 0.0}
    groups = {k: optax.adam(r) if r else optax.set_to_zero() for k, r in rates.items()}
    tx = optax.multi_transform(groups, {k: k for k in params})

    def loss(p):
        return (p["radius"] - 2) ** 2 + jnp.sum((p["centre"] - 0.3) ** 2) + jnp.sum(p["light"] ** 2)

    return _fit(loss, params, tx)


def deconvolution_with_a_penalty():
    kernel, x = jnp.array([0.25, 0.5, 0.25]), jnp.array([0.0, 1.0, 0.0, 2.0, 0.0])
    data = jnp.convolve(x, kernel, mode="same")

    def loss(x):
        return optax.l2_loss(jnp.convolve(x, kernel, mode="same"), data).sum() + 0.01 * jnp.abs(x).sum()

    return _fit(loss, jnp.full(5, 0.5), optax.amsgrad(0.1))


def schedules_of_an_experiment():
    schedule = optax.join_schedules(
        [optax.constant_schedule(0.3), optax.exponential_decay(0.3, 2, 0.5, end_value=0.05)], [2]
    )
    params, _ = _fit(lambda x: jnp.sum((x - 1) ** 2), jnp.zeros(2), optax.sgd(schedule), 4)
    return params, jax.vmap(schedule)(jnp.arange(5))


def normalised_steps():
    tx = optax.chain(optax.normalize_by_update_norm(), optax.scale(-0.1))
    params = {"a": jnp.array([1.0, 2.0]), "b": jnp.array(3.0)}
    return _fit(lambda p: jnp.sum(p["a"] ** 4) + p["b"] ** 2, params, tx)


def centred_gradients():
    params = {"kernel": jnp.linspace(-1, 1, 6).reshape(3, 2), "bias": jnp.zeros(2)}
    tx = optax.chain(optax.centralize(), optax.sgd(0.1, momentum=0.9))
    return _fit(lambda p: jnp.sum(jnp.tanh(jnp.ones(3) @ p["kernel"] + p["bias"]) ** 2), params, tx)


def signs_of_gradients():
    tx = optax.chain(optax.sign_sgd(0.05), optax.scale(0.5))
    return _fit(lambda x: jnp.sum(jnp.abs(x - 1)), jnp.zeros(3), tx)


def forecast_with_a_huber_loss():
    t = jnp.arange(8.0)
    series = 0.5 * t + jnp.sin(t)

    def loss(p):
        return optax.huber_loss(p["trend"] * t + p["size"] * jnp.sin(p["rate"] * t), series).mean()

    params = {"trend": jnp.array(0.1), "size": jnp.array(0.5), "rate": jnp.array(0.9)}
    return _fit(loss, params, optax.chain(optax.clip_by_global_norm(1.0), optax.radam(0.05)))
