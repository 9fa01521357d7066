"""L-BFGS: its matrix, evaluations beside Optax's and SciPy's, one compilation, trees, and wrong pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lbfgs_cases import logistic, of_gradchain, of_optax, of_scipy, rosenbrock, synthetic

import gradchain as gc

optax = pytest.importorskip("optax")
LINK, SEARCH = "scale_by_lbfgs", "scale_by_zoom_linesearch"


def digits():
    sklearn = pytest.importorskip("sklearn.datasets")
    x, labels = sklearn.load_digits(return_X_y=True)
    return logistic(x / 16, labels, 1e-3)


# How many evaluations to a gradient of 1e-5 are allowed; and at most a tenth more than others take.
PROBLEMS = {
    "rosenbrock 2": (lambda: (rosenbrock, np.array([-1.2, 1.0])), 45),
    "rosenbrock 100": (lambda: (rosenbrock, np.tile([-1.2, 1.0], 50)), 620),
    "synthetic": (synthetic, 90),
    "digits": (digits, 10**4),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.slow
def test_evaluations_beside_optax_and_scipy(name):
    optimize = pytest.importorskip("scipy.optimize")
    with jax.enable_x64(True):
        (f, start), known = PROBLEMS[name][0](), PROBLEMS[name][1]
        ours, theirs = of_gradchain(f, start, 1e-5), of_optax(optax, f, start, 1e-5)
        scipys = of_scipy(optimize, f, start, 1e-5)
    assert ours <= 1.1 * min(theirs, scipys) and ours <= known, (ours, theirs, scipys)


def dense(pairs, gamma, g):
    """The product of the inverse Hessian with g, by matrices: oldest pair first."""
    h = gamma * np.eye(g.size)
    for s, y in pairs:
        rho = 1 / (s @ y)
        v = np.eye(g.size) - rho * np.outer(y, s)
        h = v.T @ h @ v + rho * np.outer(s, s)
    return h @ g


@pytest.mark.parametrize("scale_init_precond", [True, False])
def test_direction_is_that_of_the_matrix(scale_init_precond):
    rng, memory = np.random.default_rng(0), 3
    a = rng.standard_normal((5, 5))
    hessian = a @ a.T + np.eye(5)
    with jax.enable_x64(True):
        tx, x = gc.scale_by_lbfgs(memory, scale_init_precond), np.zeros(5)
        other, state = optax.scale_by_lbfgs(memory, scale_init_precond), None
        theirs, state, pairs, old = other.init(jnp.asarray(x)), tx.init(jnp.asarray(x)), [], None
        ours, optaxs = jax.jit(tx.update), jax.jit(other.update)
        for t in range(8):
            g = hessian @ x - rng.standard_normal(5) * (t == 0) - 1
            if old is not None:
                pairs = [*pairs, (x - old[0], g - old[1])][-memory:]
            gamma = min(1, 1 / np.linalg.norm(g))
            if pairs:
                s, y = pairs[-1]
                gamma = (s @ y) / (y @ y)
            found, state = ours(jnp.asarray(g), state, jnp.asarray(x))
            expected, theirs = optaxs(jnp.asarray(g), theirs, jnp.asarray(x))
            np.testing.assert_allclose(
                found, dense(pairs, gamma if scale_init_precond else 1.0, g), rtol=1e-9, atol=1e-12
            )
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
            for field in theirs._fields:
                np.testing.assert_allclose(
                    getattr(state[LINK], field), getattr(theirs, field), rtol=1e-12, atol=1e-15
                )
            old, x = (x, g), x + 0.3 * rng.standard_normal(5)


def loss(params):
    w, b = params["w"], params["b"]
    inner = jnp.tanh(jnp.array([[1.0, -2.0], [0.5, 1.5], [2.0, 0.3]], w.dtype) @ w) + b
    return jnp.sum(jnp.abs(inner - 0.3) ** 2) + 0.1 * sum(jnp.sum(jnp.abs(x) ** 2) for x in (w, b))


def tree_of(dtype):
    rng = np.random.default_rng(0)
    make = lambda *shape: jnp.asarray(rng.standard_normal(shape), dtype)  # noqa: E731
    params = {"b": make(2), "w": make(2, 2)}
    return jax.tree.map(lambda x: x * jnp.exp(0.4j).astype(dtype), params) if dtype == "complex64" else params


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_one_compilation_in_50_steps_of_a_tree(dtype):
    """Value and gradient come out of the state, which is given up; complex gradients are conjugated."""
    tx, params = gc.lbfgs(), tree_of(dtype)
    read = gc.value_and_grad_from_state(loss)

    def step(params, state):
        value, grad = read(params, state=state)
        towards = jax.tree.map(jnp.conj, grad)
        return tx.step(towards, state, params, value=value, grad=grad, value_fn=loss)

    step = jax.jit(step, donate_argnums=(0, 1))
    first, state = loss(params), tx.init(params)
    for _ in range(50):
        given = (params, state)
        params, state = step(params, state)
        assert all(x.is_deleted() for x in jax.tree.leaves(given) if x.size > 1)
    assert step._cache_size() == 1
    gradient = jax.grad(loss)(params)
    assert loss(params) < 0.7 * first
    if dtype != "bfloat16":
        assert max(float(jnp.max(jnp.abs(g))) for g in jax.tree.leaves(gradient)) < 1e-3
    np.testing.assert_allclose(state[SEARCH].value, loss(params), rtol=2e-2 if dtype == "bfloat16" else 1e-5)


def one(tx, x, grads):
    """The updates at parameters x_t with gradients g_t."""
    state, found = tx.init(x[0]), []
    for p, g in zip(x, grads, strict=True):
        u, state = tx.update(g, state, p)
        found.append(u)
    return found, state[LINK]


def test_pairs_without_curvature_count_for_nothing():
    tx, points = gc.scale_by_lbfgs(4), [jnp.array([0.0, 0.0]), jnp.array([1.0, 1.0]), jnp.array([2.0, 1.0])]
    good = [jnp.array([1.0, 2.0]), jnp.array([3.0, 3.0]), jnp.array([2.0, 3.0])]  # <s, y> is 3, then -1
    found, state = one(tx, points, good)
    np.testing.assert_allclose(state.weights_memory, [1 / 3, 0, 0, 0])
    s, y = np.array([1.0, 1.0]), np.array([2.0, 1.0])
    expected = dense([(s, y)], (s @ y) / (y @ y), np.array([2.0, 3.0]))
    np.testing.assert_allclose(found[-1], expected, rtol=1e-5)
    still, state = one(tx, points[:1] * 3, good)  # nothing moved
    assert not state.weights_memory.any()
    np.testing.assert_allclose(still[-1], good[-1] / np.linalg.norm(good[-1]), rtol=1e-6)


def test_a_gradient_that_is_not_finite_is_forgotten():
    points = [jnp.array([float(t), 0.0]) for t in range(5)]
    grads = [jnp.array([float(t) - 5, 1.0]) for t in range(5)]
    found, state = one(gc.scale_by_lbfgs(3), points, [*grads[:2], grads[2] * jnp.nan, *grads[3:]])
    assert np.isfinite(found[-1]).all() and np.isfinite(state.diff_updates_memory).all()


SEARCHES = {
    "None": lambda: None,
    "gradchain's": lambda: gc.scale_by_backtracking_linesearch(20, store_grad=True),
    "Optax's": lambda: optax.scale_by_zoom_linesearch(20, initial_guess_strategy="one"),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_of_any_origin(name):
    tx, x = gc.lbfgs(0.1 if name == "None" else None, linesearch=SEARCHES[name]()), jnp.array([2.0, -1.0])
    f = lambda x: jnp.sum(jnp.square(x - 1) * jnp.array([1.0, 10.0]))  # noqa: E731
    given = {} if name == "None" else {"value_fn": f}
    state, step = tx.init(x), jax.jit(lambda g, s, p, more: tx.step(g, s, p, **more, **given))
    for _ in range(15 if name != "None" else 60):
        value, grad = jax.value_and_grad(f)(x)
        x, state = step(grad, state, x, {} if name == "None" else {"value": value, "grad": grad})
    np.testing.assert_allclose(x, [1.0, 1.0], atol=1e-2)


def test_a_search_of_one_s_own():
    own = optax.GradientTransformationExtraArgs(
        lambda params: (), lambda u, s, p=None, *, value, **extra: (jax.tree.map(lambda x: x / value, u), s)
    )
    tx, x = gc.lbfgs(linesearch=own), jnp.array([2.0])
    updates, _ = tx.update(x, tx.init(x), x, value=4.0)
    np.testing.assert_allclose(updates, [-0.25])


def test_value_and_grad_from_state_of_either_library():
    x = jnp.array([1.0, 2.0])
    f = lambda x, y=0.0: jnp.sum(jnp.square(x - y))  # noqa: E731
    ours = gc.chain(gc.sgd(1.0), gc.scale_by_zoom_linesearch(10))
    theirs = optax.chain(optax.sgd(1.0), optax.chain(optax.scale_by_zoom_linesearch(10)))
    for tx in (ours, theirs):
        read, state = gc.value_and_grad_from_state(f), tx.init(x)
        value, grad = read(x, state=state)
        np.testing.assert_allclose([value, *grad], [5.0, 2.0, 4.0])
        updates, state = tx.update(grad, state, x, value=value, grad=grad, value_fn=f)
        for get in (read, jax.jit(lambda x, state, read=read: read(x, state=state))):
            found = get(x + 100, state=state)  # not computed anew
            np.testing.assert_allclose(found[0], f(x + updates), atol=1e-6)
            np.testing.assert_allclose(found[1], jax.grad(f)(x + updates), atol=1e-6)
        assert read(x, 1.0, state=tx.init(x))[0] == 1.0


@pytest.mark.parametrize(
    "tx, text",
    [
        (gc.sgd(0.1), "no entry"),
        (gc.scale_by_backtracking_linesearch(5), "no entry"),
        (gc.chain(*[gc.scale_by_zoom_linesearch(5)] * 2), "more than one entry"),
    ],
)
def test_states_without_value_and_grad(tx, text):
    with pytest.raises(ValueError, match=text):
        gc.value_and_grad_from_state(jnp.sum)(jnp.ones(2), state=tx.init(jnp.ones(2)))


def test_state_of_other_parameters():
    state = gc.scale_by_zoom_linesearch(5).init(jnp.ones(3))
    state = {SEARCH: state[SEARCH]._replace(value=jnp.float32(1.0))}
    with pytest.raises(ValueError, match="made for other parameters"):
        gc.value_and_grad_from_state(jnp.sum)(jnp.ones(2), state=state)
