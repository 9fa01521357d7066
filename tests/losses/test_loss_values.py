"""Values and derivatives of every loss, against NumPy, against Optax and against differences."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_cases import CASES, FRAME_PADS, FRAMES, IDS, LABEL_PADS, LABELS, MASK, ONE_HOT, REGIONS, X, Y, Z

import gradchain as gc
from gradchain import losses

pytestmark = pytest.mark.usefixtures("x64")
FLAGS = ("reduction", "apply_softmax", "ignore_background")
AS_OPTAX = {"multiclass_generalized_dice_loss": {"per_class": True}}
EACH = [(name, i) for name, (_, calls) in CASES.items() for i in range(len(calls))]


def of_floats(f, args, kwargs):
    """f as a function of its floating arguments, and these."""
    at = [i for i, a in enumerate(args) if np.issubdtype(np.asarray(a).dtype, np.floating)]

    def call(*floats):
        full = list(map(jnp.asarray, args))
        for i, x in zip(at, floats, strict=True):
            full[i] = x
        return f(*full, **kwargs)

    return call, tuple(jnp.asarray(args[i]) for i in at)


@pytest.mark.parametrize("name, i", EACH)
def test_values_and_derivatives(name, i):
    """The definition's value, and along a direction the derivative that central differences show."""
    f, (args, kwargs) = CASES[name][0], CASES[name][1][i]
    call, floats = of_floats(getattr(losses, name), args, kwargs)
    along = tuple(jnp.asarray(np.random.default_rng(1).normal(size=x.shape)) for x in floats)
    both = jax.jit(lambda *x: jax.jvp(call, x, along))
    value, slope = both(*floats)
    np.testing.assert_allclose(value, f(*args, **kwargs), rtol=1e-12, atol=1e-13)
    h = 1e-6
    ends = [both(*(x + s * h * d for x, d in zip(floats, along, strict=True)))[0] for s in (1, -1)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), rtol=1e-6, atol=1e-7)


# In the quick suite a few: all are held against the definitions above.
FEW = {("softmax_cross_entropy", 1), ("sigmoid_focal_loss", 1), ("ranking_softmax_loss", 1), ("dice_loss", 1)}
FEW |= {("multiclass_generalized_dice_loss", 0), ("ntxent", 0), ("multiclass_sparsemax_loss", 0)}
SOME = [pytest.param(*e, marks=[pytest.mark.slow] * (e not in FEW)) for e in EACH]


@pytest.mark.parametrize("name, i", SOME)
def test_same_numbers_as_optax(name, i):
    optax = pytest.importorskip("optax")
    args, kwargs = CASES[name][1][i]
    args = tuple(map(jnp.asarray, args))
    arrays = {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    theirs = optax.losses
    if name == "convex_kl_divergence":
        name = "generalized_kl_divergence"  # the former is deprecated and warns
    expected = jax.jit(lambda *a: getattr(theirs, name)(*a, **arrays))(*args)
    found = jax.jit(lambda *a: getattr(losses, name)(*a, **arrays, **AS_OPTAX.get(name, {})))(*args)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    assert found.dtype == expected.dtype


def test_every_name_of_optax_binds_to_its_signature():
    optax = pytest.importorskip("optax")
    spaces = ("losses", "projections", "assignment", "perturbations", "second_order")
    count = 0
    for space in spaces:
        theirs, ours = getattr(optax, space), getattr(gc, space)
        for name in (n for n in dir(theirs) if not n.startswith("_") and callable(getattr(theirs, n))):
            mine = inspect.signature(getattr(ours, name)).parameters
            for p in inspect.signature(getattr(theirs, name)).parameters.values():
                same = mine[p.name]
                assert same.kind == p.kind, (name, p.name)
                simple = isinstance(p.default, int | float | str | None | type) and p.name != "noise"
                assert not simple or same.default == p.default, (name, p.name)
            positional = [n for n, p in mine.items() if p.kind == p.POSITIONAL_OR_KEYWORD]
            named = inspect.signature(getattr(theirs, name)).parameters.values()
            assert positional == [p.name for p in named if p.kind == p.POSITIONAL_OR_KEYWORD]
            assert name in ours.__all__ or space == "perturbations", name
            count += 1
    assert count >= 50
    for name in losses.__all__:
        assert not hasattr(optax, name) or getattr(gc, name) is getattr(losses, name)


def test_forward_probabilities_of_ctc():
    """Those of Optax, and after each frame the last row's sum is the likelihood of what was read."""
    optax = pytest.importorskip("optax")
    args = tuple(map(jnp.asarray, (FRAMES, FRAME_PADS, LABELS, LABEL_PADS)))
    expected = jax.jit(optax.ctc_loss_with_forward_probs)(*args)
    for x, y in zip(jax.jit(losses.ctc_loss_with_forward_probs)(*args), expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_ctc_in_its_corners():
    x, frames = jnp.asarray(FRAMES), jnp.zeros((2, 4))
    ctc = jax.jit(losses.ctc_loss, static_argnames="blank_id")
    none = ctc(x, frames, jnp.zeros((2, 0), int), jnp.zeros((2, 0)))
    np.testing.assert_allclose(none, -jax.nn.log_softmax(x)[:, :, 0].sum(1), rtol=1e-12)
    last = ctc(x, frames, jnp.array([[1], [0]]), jnp.zeros((2, 1)), blank_id=2)
    first = ctc(x[:, :, ::-1], frames, jnp.array([[1], [2]]), jnp.zeros((2, 1)), blank_id=0)
    np.testing.assert_allclose(last, first, rtol=1e-12)
    nines = jnp.array([[1, 9], [1, 9]])  # padding may be anything, a label not
    assert list(jnp.isnan(ctc(x, frames, nines, jnp.array([[0.0, 1], [0, 0]])))) == [False, True]
    long = ctc(x[:, :3], frames[:, :3], jnp.full((2, 2), 1), jnp.zeros((2, 2)))
    assert jnp.isfinite(long).all()  # two equal labels fit into three frames
    assert (ctc(x[:, :2], frames[:, :2], jnp.full((2, 2), 1), jnp.zeros((2, 2))) > 9e4).all()


def test_masks_have_the_shape_of_logits_or_examples():
    x, y, ids = map(jnp.asarray, (X, Y, IDS))
    loss = jax.jit(losses.softmax_cross_entropy)
    for where in (jnp.asarray(MASK)[:1], jnp.asarray(MASK)[:, 0], jnp.asarray(MASK * 1.0)):
        full = jnp.broadcast_to(where[:, None] if where.shape == (5,) else where, x.shape) > 0
        np.testing.assert_allclose(loss(x, y, where=where), loss(x, y, where=full), rtol=1e-14)
    # An excluded class counts for nothing, as its one-hot form would; Optax's is below 0 there.
    of_ids = jax.jit(losses.softmax_cross_entropy_with_integer_labels)(x, ids, where=jnp.asarray(MASK))
    one_hot = loss(x, jax.nn.one_hot(ids, 4, dtype=x.dtype), where=jnp.asarray(MASK))
    np.testing.assert_allclose(of_ids, one_hot, rtol=1e-12)
    smooth = jax.jit(losses.smooth_labels)(y, 0.3, where=jnp.asarray(MASK))
    assert (smooth[~MASK] == 0).all()
    rest = np.where(MASK, Y, 0) * 0.7 + np.where(MASK, 0.3 / np.maximum(MASK.sum(1, keepdims=True), 1), 0)
    np.testing.assert_allclose(smooth, rest, rtol=1e-12)


def test_labels_beyond_the_classes():
    x = jnp.asarray(X)
    found = losses.softmax_cross_entropy_with_integer_labels(x, jnp.array([0, -1, 4, -5, 3], jnp.int8))
    assert list(jnp.isnan(found)) == [False, False, True, True, False]
    np.testing.assert_allclose(found[1], -jax.nn.log_softmax(x)[1, 3], rtol=1e-12)  # -1 is the last class
    for name in ("hinge", "perceptron", "sparsemax"):
        f = jax.jit(getattr(losses, f"multiclass_{name}_loss"))
        assert list(jnp.isnan(f(x, jnp.array([0, -1, 4, 2, 3])))) == [False, True, True, False, False]


def test_distances_of_other_degrees():
    """Absolute differences, so odd degrees and the maximum are distances."""
    a, p, n = map(jnp.asarray, (X, Z, Y))
    for degree in (1, 1.5, 3, np.inf):
        far, near = (np.linalg.norm(X - z, degree, -1) for z in (Y, Z))
        found = jax.jit(lambda *x, d=degree: losses.triplet_margin_loss(*x, norm_degree=d, eps=0.0))(a, p, n)
        np.testing.assert_allclose(found, np.maximum(near - far + 1, 0), rtol=1e-12, atol=1e-14)


def test_dice_ignores_the_background():
    x, t = jnp.asarray(REGIONS), jnp.asarray(ONE_HOT)
    whole = jax.jit(losses.multiclass_generalized_dice_loss, static_argnames=FLAGS[1:])
    loss = jax.jit(losses.dice_loss, static_argnames=FLAGS)
    each = loss(x, t, reduction="none")
    np.testing.assert_allclose(loss(x, t, ignore_background=True), each[:, 1:].mean(-1), rtol=1e-13)
    np.testing.assert_allclose(loss(x, t, reduction="sum"), each.sum(-1), rtol=1e-13)
    rest = whole(jax.nn.softmax(x, -1)[..., 1:], t[..., 1:], apply_softmax=False)
    np.testing.assert_allclose(whole(x, t, ignore_background=True), rest, rtol=1e-13)
    np.testing.assert_allclose(whole(t, t, apply_softmax=False), 0, atol=1e-14)


def test_fenchel_young_losses():
    x, y = jnp.asarray(X).reshape(5, 1, 4), jnp.asarray(Y).reshape(5, 1, 4)
    entropy = jax.jit(losses.make_fenchel_young_loss(jax.scipy.special.logsumexp))
    np.testing.assert_allclose(entropy(x, y), jax.jit(losses.softmax_cross_entropy)(x, y), rtol=1e-12)
    scaled = losses.make_fenchel_young_loss(lambda row, w, *, power: jnp.max(row * w**power))
    found = jax.jit(scaled, static_argnames="power")(jnp.asarray(X), jnp.asarray(Z), jnp.arange(4.0), power=2)
    np.testing.assert_allclose(found, (X * np.arange(4) ** 2).max(-1) - (X * Z).sum(-1), rtol=1e-12)
    assert jax.eval_shape(entropy, jnp.zeros((0, 4)), jnp.zeros((0, 4))).shape == (0,)


def test_sparsemax_gradient_is_the_projection_less_the_label():
    x, ids = 2 * jnp.asarray(X), jnp.asarray(IDS)
    gradient = jax.jit(jax.grad(lambda x: losses.multiclass_sparsemax_loss(x, ids).sum()))(x)
    p = jax.jit(jax.vmap(gc.projections.projection_simplex))(x)
    np.testing.assert_allclose(gradient, p - jax.nn.one_hot(ids, 4), atol=1e-14)
