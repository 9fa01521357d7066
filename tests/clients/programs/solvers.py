"""Optimistix and JAXopt: solvers that take an optimizer."""

import jax
import jax.numpy as jnp
import jaxopt
import optax
import optimistix as optx


def _f(y, args):
    return jnp.sum((y["a"] - args) ** 2) + (y["b"] + 1.0) ** 2


_START = {"a": jnp.zeros(2), "b": jnp.array(0.5)}


def optimistix_minimise():
    solver = optx.OptaxMinimiser(optax.adam(0.2), rtol=1e-2, atol=1e-2)
    result = optx.minimise(_f, solver, _START, jnp.array([0.5, -0.5]), max_steps=64, throw=False)
    return result.value, result.stats["num_steps"]


def optimistix_with_a_chain():
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(optax.cosine_decay_schedule(0.3, 40)))
    solver = optx.OptaxMinimiser(tx, rtol=1e-2, atol=1e-2)
    return optx.minimise(_f, solver, _START, jnp.ones(2), max_steps=64, throw=False).value


def jaxopt_solver():
    def loss(params, x):
        return jnp.mean((x @ params - 1.0) ** 2)

    x = jnp.linspace(-1, 1, 12).reshape(6, 2)
    solver = jaxopt.OptaxSolver(loss, opt=optax.adam(0.1), maxiter=5, jit=False)
    params, state = solver.run(jnp.zeros(2), x=x)
    return params, state.iter_num


def jaxopt_solver_step_by_step():
    solver = jaxopt.OptaxSolver(
        lambda p: jnp.sum((p - 1.0) ** 2), opt=optax.sgd(0.1, momentum=0.9), maxiter=3
    )
    params = jnp.zeros(2)
    state = solver.init_state(params)
    for _ in range(3):
        params, state = solver.update(params, state)
    return params, state.error


def jaxopt_projected():
    solver = jaxopt.OptaxSolver(
        lambda p: jnp.sum((p - 1.0) ** 2), opt=optax.adam(0.3), maxiter=4,
        pre_update=lambda params, state: (jnp.clip(params, 0.0, 0.6), state),
    )  # fmt: skip
    return solver.run(jnp.zeros(2)).params


def fitted_by_a_generic_loop():
    """A fit of a function of scipy's form."""

    def minimize(fun, x0, optimizer: optax.GradientTransformation, steps: int):
        def body(carry, _):
            x, state = carry
            value, grad = jax.value_and_grad(fun)(x)
            updates, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=fun)
            return (optax.apply_updates(x, updates), state), value

        optimizer = optax.with_extra_args_support(optimizer)
        return jax.lax.scan(body, (x0, optimizer.init(x0)), None, length=steps)

    (x, _), values = minimize(lambda x: jnp.sum((x - 2.0) ** 4), jnp.zeros(2), optax.adam(0.3), 5)
    return x, values
