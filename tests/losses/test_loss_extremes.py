"""Losses at extreme values: infinite masks, zero vectors, equal points, few bits, nothing at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain import losses as L

INF, NAN = jnp.inf, jnp.nan
X = jnp.array([[1e4, -1e4, 0.0], [0, 0, 0], [-1e4, -1e4, -1e4], [3e4, -3e4, 1.0]])
Y = jnp.array([[0, 1.0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]])
MASKED = X.at[0, 2].set(-INF).at[1, 1:].set(-INF)
IDS = jnp.array([1, 0, 2, 2])
BAD = X.at[1].set(NAN).at[0, 0].set(INF)
W = jnp.ones((4, 3), bool).at[1].set(False).at[0, 0].set(False)
ROWS = jnp.array([True, False, True, True])
LOG = jnp.array([[-1e4, 0, -INF], [-1, -1, -1], [0, -INF, -INF], [-2, -3, -0.5]])
T = jnp.array([[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0], [0.2, 0.3, 0.5]])
INF_X = jnp.array([[INF, -INF, 0.0], [-INF, INF, INF]])
PAIRS = jnp.array([0, 0, 1, 1])


def ctc(x):
    labels, pads = jnp.array([[1, -1], [1, 1], [1, 9]]), jnp.array([[0, 1], [0, 0], [0, 0]])
    return L.ctc_loss(jnp.stack([x, x, x]), jnp.zeros((3, 4)), labels, pads)[:2]


CASES = {
    "l2": (L.l2_loss, X, Y),
    "huber": (L.huber_loss, X, Y),
    "huber of delta 0": (lambda x: L.huber_loss(x, delta=0.0), X),
    "log_cosh": (L.log_cosh, X, Y),
    "cosine": (L.cosine_similarity, X, Y),
    "cosine of huge": (L.cosine_similarity, X * 1e20, Y * 1e-15),
    "cosine of zeros": (L.cosine_distance, X * 0, X * 0),
    "cosine, masked": (lambda x, y: L.cosine_distance(x, y, where=W), BAD, X),
    "softmax": (L.softmax_cross_entropy, X, Y),
    "softmax, -inf": (L.softmax_cross_entropy, MASKED, Y),
    "softmax, masked": (lambda x, y: L.softmax_cross_entropy(x, y, where=W), BAD, Y),
    "softmax, rows": (lambda x, y: L.softmax_cross_entropy(x, y, where=ROWS), X.at[1].set(NAN), Y),
    "safe softmax": (L.safe_softmax_cross_entropy, MASKED, Y),
    "poly, masked": (lambda x, y: L.poly_loss_cross_entropy(x, y, where=W), BAD, Y),
    "classes": (lambda x: L.softmax_cross_entropy_with_integer_labels(x, IDS), MASKED),
    "classes, masked": (
        lambda x: L.softmax_cross_entropy_with_integer_labels(x, IDS.at[1].set(99), where=W),
        BAD,
    ),
    "sigmoid": (L.sigmoid_binary_cross_entropy, X, Y),
    "sigmoid, inf": (
        lambda x: L.sigmoid_binary_cross_entropy(x, jnp.array([[1, 0, 1], [0, 1, 1]])),
        INF_X,
    ),
    "focal, 0": (lambda x, y: L.sigmoid_focal_loss(x, y, gamma=0.0), X, Y),
    "focal, 0.5": (lambda x, y: L.sigmoid_focal_loss(x, y, gamma=0.5, alpha=0.25), X, Y),
    "focal": (L.sigmoid_focal_loss, X, Y),
    "kl": (L.kl_divergence, LOG, T),
    "kl of logs": (L.kl_divergence_with_log_targets, LOG, jnp.log(T)),
    "generalized kl": (L.generalized_kl_divergence, LOG, T),
    "sparsemax": (lambda x: L.sparsemax_loss(x, Y), X),
    "hinge": (lambda x: L.multiclass_hinge_loss(x, IDS), X),
    "multiclass sparsemax": (lambda x: L.multiclass_sparsemax_loss(x, IDS), X.at[1, 2].set(-INF)),
    "ranking": (lambda x, y: L.ranking_softmax_loss(x, y, where=W, weights=y), BAD, Y),
    "ranking of nothing": (lambda x, y: L.ranking_softmax_loss(x, y, where=W & False), BAD, Y),
    "ntxent": (lambda x: L.ntxent(x, PAIRS), X),
    "ntxent of zeros": (lambda x: L.ntxent(x, PAIRS), X * 0),
    "ntxent without pairs": (lambda x: L.ntxent(x, jnp.arange(4)), X),
    "ntxent without others": (lambda x: L.ntxent(x, jnp.zeros(4, int)), X),
    "triplet of equals": (lambda x, y: L.triplet_margin_loss(x, x, y, eps=0.0), X, Y),
    "triplet of degree 1": (lambda x, y: L.triplet_margin_loss(x, x, y, norm_degree=1), X, Y),
    "triplet of degree 12": (lambda x, y: L.triplet_margin_loss(x, y, x, norm_degree=12), X, Y),
    "dice of nothing": (lambda x, t: L.dice_loss(x, t, smooth=0.0, apply_softmax=False), X * 0, Y * 0),
    "generalized dice of nothing": (lambda x: L.multiclass_generalized_dice_loss(x, Y * 0, smooth=0.0), X),
    "ctc": (ctc, X.at[0, 2].set(-INF)),
}


# Of these a neighbour runs in the quick suite.
ALIKE = {
    "cosine of zeros",
    "focal, 0",
    "generalized kl",
    "hinge",
    "huber of delta 0",
    "l2",
    "ntxent without others",
}
ALIKE |= {"ranking of nothing", "safe softmax", "softmax, rows", "triplet of degree 1"}
SOME = [pytest.param(name, marks=[pytest.mark.slow] * (name in ALIKE)) for name in CASES]


@pytest.mark.parametrize("name", SOME)
def test_values_and_gradients_are_finite(name):
    f, *args = CASES[name]
    args = tuple(args)
    at = tuple(range(len(args)))

    @jax.jit
    def both(*args):
        return f(*args), jax.grad(lambda *a: jnp.sum(f(*a)), at)(*args)

    value, gradients = both(*args)
    assert jnp.isfinite(value).all()
    assert all(jnp.isfinite(g).all() for g in gradients)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_second_derivatives_are_finite(name, dtype):
    f, *args = CASES[name]
    args = tuple(a.astype(dtype) for a in args)
    at = tuple(range(len(args)))

    def total(*args):
        value = f(*args).astype(jnp.float32)
        return jnp.sum(jnp.where(jnp.isfinite(value), value, 0))

    def slopes(*args):
        return sum(jnp.sum(g.astype(jnp.float32)) for g in jax.grad(total, at)(*args))

    assert all(jnp.isfinite(g.astype(jnp.float32)).all() for g in jax.jit(jax.grad(slopes, at))(*args))


def test_what_masks_exclude_has_no_gradient():
    for loss in (L.softmax_cross_entropy, L.cosine_distance, L.generalized_kl_divergence):
        g = jax.jit(jax.grad(lambda x, f=loss: f(x, Y, where=W).sum()))(BAD * 1e-4)
        assert (g[~W] == 0).all()


def test_curvature_where_the_error_is_zero():
    """Absolute values have no second derivative at 0, but these losses have one there."""
    second = lambda f: jax.jit(jax.grad(jax.grad(f)))(0.0)  # noqa: E731
    assert second(L.huber_loss) == 1 and second(L.log_cosh) == 1
    assert second(lambda x: L.sigmoid_binary_cross_entropy(x, 1.0)) == 0.25
    triplet = jax.hessian(lambda x: L.triplet_margin_loss(x, x * 0, x + 1, eps=1.0))
    np.testing.assert_allclose(jax.jit(triplet)(jnp.zeros(2)), np.eye(2), atol=1e-6)


def test_small_losses_keep_their_digits():
    np.testing.assert_allclose(L.log_cosh(jnp.float32(1e-3)), 5e-7, rtol=1e-6)
    x = jnp.array([1e4, 1e4 - 10])
    for loss in (
        L.softmax_cross_entropy(x, jnp.array([1.0, 0])),
        L.softmax_cross_entropy_with_integer_labels(x, jnp.array(0)),
    ):
        np.testing.assert_allclose(loss, np.log1p(np.exp(-10)), atol=1e-7)  # a logit's last digit is 1e-3


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=str)
def test_sixteen_bits_are_computed_in_float32(dtype):
    """Rounded once, at the end: what the same arguments give in float32, to the nearest."""
    x = jax.random.normal(jax.random.key(0), (4, 512)).astype(dtype)
    y = jax.nn.softmax(jax.random.normal(jax.random.key(1), (4, 512))).astype(dtype)
    ids = jnp.arange(4)
    for f, args in (
        (L.softmax_cross_entropy, (x, y)),
        (L.cosine_similarity, (x, y)),
        (lambda x: L.softmax_cross_entropy_with_integer_labels(x, ids), (x,)),
    ):
        exact = jax.jit(f)(*(a.astype(jnp.float32) for a in args))
        found = jax.jit(f)(*args)
        assert found.dtype == dtype
        few = float(jnp.finfo(dtype).eps) * 0.51  # and the order of a sum
        np.testing.assert_allclose(found.astype(jnp.float32), exact, rtol=few)


def test_empty_batches():
    x, ids = jnp.zeros((0, 3)), jnp.zeros(0, int)

    @jax.jit
    def each():
        return (
            L.softmax_cross_entropy(x, x),
            L.softmax_cross_entropy_with_integer_labels(x, ids),
            L.multiclass_hinge_loss(x, ids),
            L.multiclass_sparsemax_loss(x, ids),
            L.cosine_distance(x, x),
            L.kl_divergence(x, x),
            L.triplet_margin_loss(x, x, x),
            L.ctc_loss(jnp.zeros((0, 4, 3)), jnp.zeros((0, 4)), jnp.zeros((0, 2), int), jnp.zeros((0, 2))),
        ), (L.ranking_softmax_loss(x, x), L.ntxent(x, ids))

    losses, means = each()
    assert all(found.shape == (0,) for found in losses) and means == (0, 0)


def test_no_promotion_of_ranks_or_dtypes():
    """Integer targets, labels of fewer axes, other floats: none leans on what JAX would promote."""
    x, half = X.astype(jnp.bfloat16), jnp.float16(0.5)
    calls = [
        lambda: L.huber_loss(x, jnp.arange(3), delta=half),
        lambda: L.softmax_cross_entropy(x, Y[0], where=W),
        lambda: L.softmax_cross_entropy(x, Y.astype(int), axis=(0, 1)),
        lambda: L.softmax_cross_entropy_with_integer_labels(x, IDS.astype(jnp.uint8), where=W),
        lambda: L.sigmoid_focal_loss(x, Y, alpha=jnp.array([0.1, 0.2, 0.3]), gamma=half),
        lambda: L.poly_loss_cross_entropy(x, Y, epsilon=half),
        lambda: L.cosine_distance(x, Y, epsilon=half, where=W),
        lambda: L.kl_divergence(x, Y, where=W[0]),
        lambda: L.kl_divergence_with_log_targets(x, Y, where=W),
        lambda: L.generalized_kl_divergence(x, Y, where=W),
        lambda: L.hinge_loss(jnp.array([1, -1]), jnp.array([1.0, 1])),
        lambda: L.perceptron_loss(x, jnp.sign(Y)),
        lambda: L.sparsemax_loss(x, Y > 0),
        lambda: L.multiclass_hinge_loss(x, IDS),
        lambda: L.multiclass_perceptron_loss(x, IDS),
        lambda: L.multiclass_sparsemax_loss(x, IDS),
        lambda: L.ranking_softmax_loss(x, IDS[:3], where=W, weights=jnp.arange(3)),
        lambda: L.triplet_margin_loss(x, Y, Y[0], norm_degree=3, margin=half, eps=half),
        lambda: L.ntxent(x, IDS, half),
        lambda: L.smooth_labels(x, half, where=W[0]),
        lambda: L.dice_loss(x, Y.astype(int), class_weights=jnp.arange(3), smooth=half),
        lambda: L.multiclass_generalized_dice_loss(x[None], Y[None]),
        lambda: L.binary_dice_loss(x, Y > 0, smooth=half),
        lambda: L.log_cosh(x, Y),
        lambda: L.ctc_loss(x[None], jnp.zeros((1, 4), bool), jnp.array([[1, 2]]), jnp.zeros((1, 2), int)),
        lambda: L.make_fenchel_young_loss(jax.nn.logsumexp)(x, Y),
    ]
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        for call in calls:
            assert jnp.issubdtype(jax.eval_shape(call).dtype, jnp.floating)


def test_vmap_is_a_loop():
    f = lambda x, y: L.softmax_cross_entropy(x, y, where=y >= 0)  # noqa: E731
    np.testing.assert_allclose(jax.jit(jax.vmap(f))(X, Y), jax.jit(f)(X, Y), rtol=1e-6)
    frames = jax.random.normal(jax.random.key(0), (3, 1, 4, 3))
    g = lambda x: L.ctc_loss(x, jnp.zeros((1, 4)), jnp.array([[1, 2]]), jnp.zeros((1, 2)))  # noqa: E731
    g = jax.jit(g)
    np.testing.assert_allclose(jax.jit(jax.vmap(g))(frames), jnp.stack([g(x) for x in frames]), rtol=1e-6)
