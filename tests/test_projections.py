"""Projections: in the set, no point of it nearer, the same again, Optax's numbers, right derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from gradchain import projections as P

R = np.random.default_rng(0)
TREE, NORMAL = (
    {"a": jnp.asarray(R.normal(size=(2, 3)), jnp.float32), "b": jnp.asarray(R.normal(size=4), jnp.float32)}
    for _ in range(2)
)


def flat(tree):
    return np.concatenate([np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(tree)])


def vector(n, rng, sets):
    """Random points of the sets, from their definitions: [1000, n]."""
    z = rng.normal(size=(1000, n))
    a = flat(NORMAL)
    return {
        "simplex": 2.5 * rng.dirichlet(np.ones(n), 1000),
        "l1_sphere": 2.5 * z / abs(z).sum(1, keepdims=True),
        "l1_ball": 2.5 * rng.random((1000, 1)) * z / abs(z).sum(1, keepdims=True),
        "l2_sphere": 2.5 * z / np.linalg.norm(z, axis=1, keepdims=True),
        "l2_ball": 2.5 * rng.random((1000, 1)) * z / np.linalg.norm(z, axis=1, keepdims=True),
        "linf_ball": rng.uniform(-0.4, 0.4, (1000, n)),
        "non_negative": abs(z),
        "box": rng.uniform(-0.3, 0.5, (1000, n)),
        "hypercube": rng.uniform(0, 0.7, (1000, n)),
        "vector": rng.normal(size=(1000, 1)) * a,
        "hyperplane": z - ((z @ a - 0.5) / (a @ a))[:, None] * a,
        "halfspace": z - (np.maximum(z @ a + 9, 0) / (a @ a))[:, None] * a,
    }[sets]


PROJECT = {
    "simplex": lambda p, x: p.projection_simplex(x, 2.5),
    "l1_sphere": lambda p, x: p.projection_l1_sphere(x, 2.5),
    "l1_ball": lambda p, x: p.projection_l1_ball(x, 2.5),
    "l2_sphere": lambda p, x: p.projection_l2_sphere(x, 2.5),
    "l2_ball": lambda p, x: p.projection_l2_ball(x, 2.5),
    "linf_ball": lambda p, x: p.projection_linf_ball(x, 0.4),
    "non_negative": lambda p, x: p.projection_non_negative(x),
    "box": lambda p, x: p.projection_box(x, -0.3, 0.5),
    "hypercube": lambda p, x: p.projection_hypercube(x, 0.7),
    "vector": lambda p, x: p.projection_vector(x, jax.tree.map(lambda z, y: z.astype(y.dtype), NORMAL, x)),
    "hyperplane": lambda p, x: p.projection_hyperplane(
        x, jax.tree.map(lambda z, y: z.astype(y.dtype), NORMAL, x), 0.5
    ),
    "halfspace": lambda p, x: p.projection_halfspace(
        x, jax.tree.map(lambda z, y: z.astype(y.dtype), NORMAL, x), -9.0
    ),
}
FEASIBLE = {
    "simplex": lambda p: abs(p.sum() - 2.5) < 1e-6 and p.min() >= 0,
    "l1_sphere": lambda p: abs(abs(p).sum() - 2.5) < 1e-6,
    "l1_ball": lambda p: abs(p).sum() < 2.5 + 1e-6,
    "l2_sphere": lambda p: abs(np.linalg.norm(p) - 2.5) < 1e-6,
    "l2_ball": lambda p: np.linalg.norm(p) < 2.5 + 1e-6,
    "linf_ball": lambda p: abs(p).max() <= np.float32(0.4),
    "non_negative": lambda p: p.min() >= 0,
    "box": lambda p: p.min() >= np.float32(-0.3) and p.max() <= 0.5,
    "hypercube": lambda p: p.min() >= 0 and p.max() <= np.float32(0.7),
    "vector": lambda p: (
        abs(p - (p @ flat(NORMAL)) / (flat(NORMAL) @ flat(NORMAL)) * flat(NORMAL)).max() < 1e-6
    ),
    "hyperplane": lambda p: abs(p @ flat(NORMAL) - 0.5) < 1e-5,
    "halfspace": lambda p: p @ flat(NORMAL) < -9 + 1e-5,
}


@pytest.mark.parametrize("name", PROJECT)
def test_nearest_point_of_the_set(name):
    project = jax.jit(lambda x: PROJECT[name](P, x))
    p = project(TREE)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), p) == jax.tree.map(lambda x: (x.shape, x.dtype), TREE)
    x, y = flat(TREE), flat(p)
    assert FEASIBLE[name](y)
    np.testing.assert_allclose(flat(project(p)), y, atol=2e-6)
    others = vector(x.size, np.random.default_rng(1), name)
    assert FEASIBLE[name](others[0]), "the test's own points are in the set"
    assert np.linalg.norm(y - x) <= np.linalg.norm(others - x, axis=1).min() + 1e-6
    near = 0.999 * y + 0.001 * others  # of a convex set: close to the projection none is nearer either
    if "sphere" not in name:
        assert np.linalg.norm(y - x) <= np.linalg.norm(near - x, axis=1).min() + 1e-6


FEW = ("simplex", "l1_ball", "halfspace")  # in the quick suite


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in FEW)) for n in PROJECT]
)
def test_same_numbers_as_optax_and_as_differences(name, x64):
    optax = pytest.importorskip("optax")
    x = jax.tree.map(lambda z: 2 * z.astype(jnp.float64), TREE)
    along = jax.tree.map(lambda z: z.astype(jnp.float64), NORMAL)
    if name in ("vector", "hyperplane", "halfspace"):
        along = jax.tree.map(lambda z: z**2, along)
    both = jax.jit(lambda x: jax.jvp(lambda x: PROJECT[name](P, x), (x,), (along,)))
    value, slope = both(x)
    theirs = jax.jit(lambda x: PROJECT[name](optax.projections, x))
    # Optax 0.2.8 takes one bound for several leaves only in its words.
    expected = jax.tree.map(theirs, x) if name in ("box", "hypercube") else theirs(x)
    np.testing.assert_allclose(flat(value), flat(expected), rtol=1e-12, atol=1e-14)
    h = 1e-6
    ends = [flat(both(jax.tree.map(lambda z, d, s=s: z + s * h * d, x, along))[0]) for s in (1, -1)]
    np.testing.assert_allclose(flat(slope), (ends[0] - ends[1]) / (2 * h), atol=1e-8)


def test_simplex_is_the_solution_of_its_program(x64):
    """Random vectors, many with ties, against scipy's solver of quadratic programs."""
    rows = R.normal(size=(20, 5)) * 3
    rows[10:] = R.integers(-2, 3, (10, 5))
    found = jax.jit(jax.vmap(lambda x: P.projection_simplex(x, 1.5)))(jnp.asarray(rows))
    for x, p in zip(rows, found, strict=True):
        best = optimize.minimize(
            lambda y, x=x: ((y - x) ** 2).sum(), np.full(5, 0.3), jac=lambda y, x=x: 2 * (y - x),
            bounds=[(0, None)] * 5, constraints={"type": "eq", "fun": lambda y: y.sum() - 1.5},
            method="SLSQP", options={"ftol": 1e-14},
        )  # fmt: skip
        np.testing.assert_allclose(p, best.x, atol=1e-6)


def test_simplex_at_extremes():
    project = jax.jit(P.projection_simplex)
    for x in ([1e30, -1e30, 1e30], [-jnp.inf, 0.0, 0.2], [3e38, 1.0, 0.0], [1e-30, 0.0, 0.0]):
        p = project(jnp.array(x))
        assert abs(p.sum() - 1) < 1e-6 and p.min() >= 0
    assert jnp.isnan(project(jnp.array([jnp.nan, 0.0, 1.0]))).all()
    assert (project(jnp.array([3.0, 3.0, 1.0]), 0.0) == 0).all()
    large = jax.random.normal(jax.random.key(0), (100_000,)) * 1e-3
    assert abs(float(np.asarray(project(large), np.float64).sum()) - 1) < 1e-5
    scale = jax.jit(jax.jacobian(P.projection_simplex, 1))(jnp.array([1.0, 2.0, -5.0]), 4.0)
    np.testing.assert_allclose(scale, [0.5, 0.5, 0])


def test_zero_vectors():
    """Where all points are equally near one is taken, and nothing is NaN, derivatives included."""
    zero = jnp.zeros(4)
    np.testing.assert_allclose(P.projection_l2_sphere(zero, 2.0), np.ones(4))
    np.testing.assert_allclose(P.projection_l1_sphere(zero, 2.0), np.full(4, 0.5))
    for f in (P.projection_l1_ball, P.projection_l2_ball, P.projection_linf_ball):
        assert (f(zero) == 0).all() and (f(jnp.ones(4), 0.0) == 0).all()
    for f in (P.projection_l1_sphere, P.projection_l2_sphere, P.projection_l2_ball):
        assert jnp.isfinite(jax.jit(jax.jacobian(f))(zero)).all()
    assert (P.projection_vector(jnp.ones(4), zero) == 0).all()
    assert (P.projection_hyperplane(jnp.ones(4), zero, 1.0) == 1).all()
    assert jnp.isfinite(jax.jit(jax.jacobian(P.projection_vector, 1))(jnp.ones(4), zero)).all()


def test_huge_and_tiny_vectors():
    for size in (1e-18, 1e18, 1e37):
        x = jnp.array([3.0, -4.0]) * size
        np.testing.assert_allclose(P.projection_l2_ball(x, size), x / 5, rtol=1e-6)
        np.testing.assert_allclose(P.projection_l2_sphere(x), [0.6, -0.8], rtol=1e-6)
        np.testing.assert_allclose(P.projection_vector(jnp.array([1.0, 0.0]), x), [0.36, -0.48], rtol=1e-6)
        np.testing.assert_allclose(P.projection_hyperplane(jnp.zeros(2), x, 5 * size), [0.6, -0.8], rtol=1e-6)


def test_dtypes():
    tree = {"half": jnp.array([3.0, 4.0], jnp.bfloat16), "one": jnp.float32(0)}
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for f in (P.projection_simplex, P.projection_l1_ball, P.projection_l1_sphere, P.projection_l2_ball):
            found = jax.eval_shape(f, tree)
            assert [x.dtype for x in jax.tree.leaves(found)] == [jnp.bfloat16, jnp.float32]
        ball = P.projection_l2_ball(tree)
        box = P.projection_box({"x": jnp.array([-2, 5])}, 0, jnp.int32(3))["x"]
        jax.eval_shape(lambda: P.projection_halfspace(tree, tree, 1))
        between = P.projection_box(tree, jnp.float32(-1), {"half": jnp.ones(2), "one": -0.5})
    np.testing.assert_allclose(ball["half"].astype(jnp.float32), [0.6, 0.8], rtol=4e-3)
    assert between["half"].tolist() == [1, 1] and between["one"] == -0.5
    assert box.dtype == jnp.int32 and list(box) == [0, 3]
    assert P.projection_simplex({}) == {} and P.projection_simplex(jnp.zeros(0)).size == 0


def test_complex_numbers():
    """As pairs of real numbers: sizes are projected, directions stay."""
    x, a = jnp.array([3 + 4j, 1 - 1j, 0]), jnp.array([1j, 2.0, 1 + 1j])
    pairs = jnp.concatenate([x.real, x.imag])
    ball = P.projection_l2_ball(x)
    np.testing.assert_allclose(
        jnp.concatenate([ball.real, ball.imag]), P.projection_l2_ball(pairs), rtol=1e-6
    )
    l1 = P.projection_l1_ball(x, 5.0)
    np.testing.assert_allclose(jnp.abs(l1), P.projection_l1_ball(jnp.abs(x), 5.0), rtol=1e-6)
    np.testing.assert_allclose(l1 * jnp.abs(x), x * jnp.abs(l1), atol=1e-6)
    np.testing.assert_allclose(P.projection_linf_ball(x), [0.6 + 0.8j, (1 - 1j) / 2**0.5, 0], rtol=1e-6)
    on = P.projection_hyperplane(x, a, 2.0)
    np.testing.assert_allclose(jnp.vdot(a, on), 2, atol=1e-5)
    np.testing.assert_allclose(jnp.vdot(a, x - P.projection_vector(x, a)), 0, atol=1e-5)
    np.testing.assert_allclose(jnp.vdot(a, P.projection_halfspace(x, a, -1.0)).real, -1, atol=1e-5)


ONE, V = jnp.ones(2), ValueError
CALLS = [
    (lambda: P.projection_simplex(ONE, -1.0), V, "scale=-1.0; expected a number >= 0"),
    (lambda: P.projection_l1_ball(ONE, ONE), V, r"scale has the shape \[2\]; expected one number"),
    (lambda: P.projection_box(ONE, 1, 0), V, "lower=1 is above upper=0"),
    (
        lambda: P.projection_box({"w": ONE}, {"v": 0}, 1),
        V,
        "tree .* and lower .* differ: 'w'",
    ),
    (
        lambda: P.projection_box({"w": ONE}, 0, {"w": jnp.ones(3)}),
        V,
        r"upper of leaf 'w' has .* \[3\]",
    ),
    (lambda: P.projection_non_negative({"w": 1j}), TypeError, "leaf 'w' is complex64; expected real numbers"),
    (lambda: P.projection_vector(TREE, {"a": 1.0}), V, "projection_vector: x .* and a .* differ: 'b'"),
    (lambda: P.projection_halfspace(ONE, jnp.ones(3), 0), V, r"\[2\] in x and \[3\] in a; expected the same"),
]


@pytest.mark.parametrize("call, error, words", CALLS, ids=range(len(CALLS)))
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
