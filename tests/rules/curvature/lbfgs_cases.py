"""Problems that L-BFGS is measured on, and how many evaluations three implementations of it take."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def logistic(x, labels, penalty):
    """Multinomial logistic regression with an l2 penalty, and its first parameters."""
    x, labels = jnp.asarray(x), jnp.asarray(labels)
    shape = (x.shape[1], int(labels.max()) + 1)

    def loss(w):
        scores = x @ w.reshape(shape)
        log = jax.nn.logsumexp(scores, 1) - scores[jnp.arange(len(x)), labels]
        return jnp.mean(log) + penalty / 2 * jnp.sum(jnp.square(w))

    return loss, np.zeros(shape[0] * shape[1])


def synthetic():
    """500 points of 5 classes in 20 dimensions of sizes from 0.1 to 10."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((500, 20)) * np.logspace(-1, 1, 20)
    noise = rng.gumbel(size=(500, 5))
    return logistic(x, np.argmax(x @ rng.standard_normal((20, 5)) + noise, 1), 1e-2)


def evaluations(tx, f, start, gradient, state_of, once=False):
    """Evaluations of value and gradient until the largest entry of the gradient is below a tolerance."""

    @jax.jit
    def step(x, state, value, grad):
        updates, state = tx.update(grad, state, x, value=value, grad=grad, value_fn=f)
        return x + updates, state

    x = jnp.asarray(start)
    state, count = tx.init(x), 1
    value, grad = jax.jit(jax.value_and_grad(f))(x)
    while jnp.max(jnp.abs(grad)) > gradient and count < 2000:
        x, state = step(x, state, value, grad)
        search = state_of(state)
        value, grad, count = search.value, search.grad, count + int(search.info.num_linesearch_steps)
    assert not once or step._cache_size() == 1
    return count


def of_gradchain(f, start, gradient):
    return evaluations(gc.lbfgs(), f, start, gradient, lambda s: s["scale_by_zoom_linesearch"], True)


def of_optax(optax, f, start, gradient):
    return evaluations(optax.lbfgs(), f, start, gradient, lambda s: s[-1])


def of_scipy(optimize, f, start, gradient):
    both, count = jax.jit(jax.value_and_grad(f)), 0

    def evaluate(x):
        nonlocal count
        count += 1
        value, grad = both(jnp.asarray(x))
        return float(value), np.asarray(grad)

    options = {"maxcor": 10, "gtol": gradient, "ftol": 0, "maxfun": 5000, "maxiter": 5000}
    found = optimize.minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
    assert np.max(np.abs(found.jac)) <= gradient
    return count
