"""Losses and other functions of numbers."""

import jax
import jax.numpy as jnp
import optax
from optax import losses

_LOGITS = jnp.array([[2.0, -1.0, 0.3], [0.1, 0.2, -3.0], [1.0, 1.0, 1.0]])
_LABELS = jnp.array([0, 1, 2])


def cross_entropies():
    one_hot = jax.nn.one_hot(_LABELS, 3)
    smooth = optax.smooth_labels(one_hot, alpha=0.1)
    return (
        optax.softmax_cross_entropy(_LOGITS, one_hot).mean(),
        optax.softmax_cross_entropy(logits=_LOGITS, labels=smooth),
        optax.softmax_cross_entropy_with_integer_labels(logits=_LOGITS, labels=_LABELS),
        jax.grad(lambda x: optax.softmax_cross_entropy_with_integer_labels(x, _LABELS).sum())(_LOGITS),
    )


def masked_tokens():
    targets = jnp.array([0, 1, -1])
    weights = targets >= 0
    nll = optax.softmax_cross_entropy_with_integer_labels(_LOGITS, jnp.where(weights, targets, 0))
    return jnp.sum(nll * weights) / weights.sum()


def tokens_of_a_sequence():
    logits = jnp.stack([_LOGITS, 2 * _LOGITS])  # [2, 3, 3]
    labels = jnp.array([[0, 1, 2], [2, 1, 0]])
    where = jnp.array([[True, True, False], [True, False, False]])
    nll = losses.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(nll, where=where), jnp.argmax(logits, -1) == labels


def binary():
    labels = jnp.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    return (
        optax.sigmoid_binary_cross_entropy(_LOGITS, labels).sum(-1),
        losses.sigmoid_focal_loss(_LOGITS, labels, alpha=0.25, gamma=2.0),
    )


def regressions():
    y = jnp.ones_like(_LOGITS)
    return (
        optax.l2_loss(_LOGITS, y), optax.l2_loss(_LOGITS), optax.squared_error(_LOGITS, y),
        optax.huber_loss(_LOGITS, y, delta=0.5), optax.log_cosh(_LOGITS, y),
        optax.cosine_similarity(_LOGITS, y, epsilon=1e-8), optax.cosine_distance(_LOGITS, y, epsilon=1e-8),
    )  # fmt: skip


def hinges():
    signs = jnp.array([1.0, -1.0, 1.0])
    return (
        optax.hinge_loss(_LOGITS[0], signs),
        losses.perceptron_loss(_LOGITS[0], signs),
        losses.multiclass_hinge_loss(_LOGITS, _LABELS),
        losses.multiclass_perceptron_loss(_LOGITS, _LABELS),
    )


def divergences():
    log_p, log_q = jax.nn.log_softmax(_LOGITS), jax.nn.log_softmax(-_LOGITS)
    return (
        optax.kl_divergence(log_p, jnp.exp(log_q)),
        losses.kl_divergence_with_log_targets(log_p, log_q),
        losses.convex_kl_divergence(log_p, jnp.exp(log_q)),
    )


def speech():
    logits = jax.random.normal(jax.random.key(0), (2, 6, 4))
    logit_paddings = jnp.zeros((2, 6)).at[1, 4:].set(1.0)
    labels = jnp.array([[1, 2, 3], [2, 2, 0]])
    label_paddings = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    def loss(x):
        return optax.ctc_loss(x, logit_paddings, labels, label_paddings, blank_id=0).mean()

    return jax.value_and_grad(loss)(logits)


def contrastive():
    embeddings = _LOGITS / jnp.linalg.norm(_LOGITS, axis=-1, keepdims=True)
    return (
        losses.ntxent(_LOGITS, jnp.array([0, 0, 1]), temperature=0.5),
        losses.triplet_margin_loss(_LOGITS[0], _LOGITS[1], _LOGITS[2], margin=1.0),
        embeddings,
    )


def ranking():
    scores, relevance = jnp.array([[2.0, 1.0, 3.0]]), jnp.array([[1.0, 0.0, 2.0]])
    return losses.ranking_softmax_loss(scores, relevance)


def polynomial_losses():
    one_hot = jax.nn.one_hot(_LABELS, 3)
    return optax.losses.poly_loss_cross_entropy(_LOGITS, one_hot, epsilon=1.0)


def helpers_of_numbers():
    x = jnp.array([3.0, -4.0])
    return (
        optax.safe_norm(x, 1e-3), optax.global_norm({"x": x}),
        optax.safe_int32_increment(jnp.int32(2**31 - 1)),
        optax.safe_root_mean_squares(x, 1e-3),
        optax.tree_utils.tree_norm({"x": x}), optax.tree_utils.tree_vdot({"x": x}, {"x": x}),
        optax.tree_utils.tree_add_scale({"x": x}, 0.5, {"x": x}), optax.tree_utils.tree_sum({"x": x}),
    )  # fmt: skip


def projected_gradient_descent():
    target = jnp.array([0.8, -0.2, 0.9])
    x, tx = jnp.ones(3) / 3, optax.sgd(0.3)
    state = tx.init(x)
    for _ in range(4):
        updates, state = tx.update(jax.grad(lambda p: optax.l2_loss(p, target).sum())(x), state)
        x = optax.projections.projection_simplex(optax.apply_updates(x, updates))
    return x, optax.projections.projection_box(target, 0.0, 0.5), optax.projections.projection_l2_ball(target)
