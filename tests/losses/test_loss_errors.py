"""What losses refuse, in words that say what was found and what is expected."""

import jax.numpy as jnp
import pytest

from gradchain import losses as L

X, Y = jnp.zeros((4, 3)), jnp.full((4, 3), 1 / 3)
V, T = ValueError, TypeError
IDS, COLUMN = jnp.zeros(4, int), jnp.zeros((4, 1))
INTS = L.softmax_cross_entropy_with_integer_labels

CALLS = [
    (
        lambda: L.softmax_cross_entropy(X, IDS),
        V,
        r"int32\[4\].*_integer_labels, or jax.nn.one_hot",
    ),
    (lambda: INTS(X, Y), T, r"float32\[4, 3\]; expected integers.*use softmax_cross_entropy"),
    (
        lambda: INTS(X, jnp.zeros(3, int)),
        V,
        r"labels is int32\[3\].*expected labels of the shape \[4\]",
    ),
    (lambda: INTS(X, jnp.zeros((4, 1), int)), V, r"expected labels of the shape \[4\]"),
    (lambda: INTS(X, IDS, axis=None), V, "axis=None; expected the axis of the classes"),
    (
        lambda: INTS(jnp.zeros((4, 3), int), IDS),
        TypeError,
        r"logits is int32\[4, 3\]; expected floating-point",
    ),
    (
        lambda: L.softmax_cross_entropy(X, COLUMN),
        V,
        "same number of classes along axis -1",
    ),
    (
        lambda: L.softmax_cross_entropy(X, X[:, :2]),
        V,
        r"float32\[4, 3\] and labels .*\[4, 2\]",
    ),
    (
        lambda: L.softmax_cross_entropy(X, Y, axis=2),
        V,
        "axis=2; expected different axes.*from -2 to 1",
    ),
    (lambda: L.softmax_cross_entropy(X, Y, axis=(0, -2)), V, r"axis=\(0, -2\); expected different"),
    (lambda: L.softmax_cross_entropy(X, Y, axis="a"), T, "axis='a'; expected an integer or a tuple"),
    (
        lambda: L.softmax_cross_entropy(X, Y, where=X[:, :2]),
        V,
        r"\[4, 2\]; expected \[4, 3\] or \[4\]",
    ),
    (
        lambda: L.kl_divergence(X, Y, where=IDS > 0),
        V,
        r"where has the shape \[4\]; expected \[4, 3\]",
    ),
    (lambda: L.kl_divergence(X, IDS), T, r"targets is int32\[4\]; expected floating-point"),
    (
        lambda: L.squared_error(IDS + 0.0, COLUMN),
        V,
        r"is float32\[4\] and targets float32\[4, 1\]",
    ),
    (lambda: L.l2_loss(X, X[0]), V, "l2_loss: .* expected the same shape"),
    (
        lambda: L.l2_loss(X + 1j),
        TypeError,
        r"complex64\[4, 3\]; expected real numbers. Pass the real and imag",
    ),
    (
        lambda: L.huber_loss(IDS + 0.0, COLUMN),
        V,
        r"would broadcast to \[4, 4\]; expected the same shape",
    ),
    (lambda: L.huber_loss(X, delta=-1.0), V, "huber_loss: delta=-1.0; expected a number >= 0"),
    (lambda: L.sigmoid_binary_cross_entropy(COLUMN, IDS), V, r"would broadcast to \[4, 4\]"),
    (
        lambda: L.sigmoid_focal_loss(X, Y, alpha=2.0),
        V,
        "alpha=2.0; expected None or a number",
    ),
    (lambda: L.perceptron_loss(X, X[0]), V, "perceptron_loss: predictor_outputs is"),
    (lambda: L.multiclass_hinge_loss(X, X), T, "multiclass_hinge_loss: labels is float32"),
    (lambda: L.multiclass_hinge_loss(X, IDS[:3]), V, r"expected scores \[..., classes\] and labels"),
    (lambda: L.smooth_labels(IDS, 0.1), T, "smooth_labels: labels is int32"),
    (lambda: L.smooth_labels(Y, 1.5), V, "alpha=1.5; expected a number from 0 to 1"),
    (
        lambda: L.ntxent(X, IDS[:3]),
        V,
        r"expected embeddings \[batch, features\] and labels \[batch\]",
    ),
    (lambda: L.ntxent(X, IDS, 0.0), V, "temperature=0.0; expected a number > 0"),
    (lambda: L.triplet_margin_loss(X, X, X[:2]), V, "anchors is .* and negatives float32"),
    (
        lambda: L.triplet_margin_loss(X, X, X, norm_degree=0.5),
        V,
        "norm_degree=0.5; expected a number >= 1",
    ),
    (
        lambda: L.dice_loss(X, IDS),
        V,
        r"one-hot encode the targets: jax.nn.one_hot\(targets, classes\)",
    ),
    (
        lambda: L.dice_loss(X, Y, reduction="max"),
        V,
        "reduction='max'; expected 'mean', 'sum' or 'none'",
    ),
    (lambda: L.dice_loss(X, Y, axis=-1), V, "axis=-1; expected axes before the last"),
    (
        lambda: L.dice_loss(X, Y, class_weights=jnp.ones(2)),
        V,
        r"class_weights is .*; expected .* \[3\]",
    ),
    (lambda: L.ctc_loss(X, X, X, X), T, "expected integers"),
    (
        lambda: L.ctc_loss(X, X, IDS, IDS),
        V,
        r"expected logits \[batch, frames, classes\] and labels",
    ),
    (
        lambda: L.ctc_loss(jnp.zeros((2, 4, 3)), X, jnp.zeros((2, 2), int), X),
        V,
        r"logit_paddings is float32\[4, 3\]; expected the shape \[2, 4\]",
    ),
    (
        lambda: L.ctc_loss(
            jnp.zeros((2, 4, 3)), jnp.zeros((2, 4)), jnp.zeros((2, 2), int), jnp.zeros((2, 2)), blank_id=3
        ),
        V,
        "blank_id=3; expected one of the 3 classes",
    ),
    (lambda: L.make_fenchel_young_loss(3), T, "max_fun is 3; expected a function of a vector"),
    (
        lambda: L.make_fenchel_young_loss(jnp.exp)(X, Y),
        V,
        r"shape \[3\] for a vector; expected a number",
    ),
    (
        lambda: L.make_fenchel_young_loss(jnp.max)(X, COLUMN),
        V,
        r"expected both \[..., n\], with one n",
    ),
]


@pytest.mark.parametrize("call, error, words", CALLS, ids=range(len(CALLS)))
def test_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
