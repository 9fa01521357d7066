"""Arguments for every loss, and what NumPy says of them, written from the definitions alone."""

import itertools

import numpy as np
from scipy import optimize, special

R = np.random.default_rng(0)
X, Z = R.normal(size=(5, 4)), R.normal(size=(5, 4))
Y = special.softmax(R.normal(size=(5, 4)), -1)
LOG = special.log_softmax(X, -1)
MASK, ROWS = R.random((5, 4)) > 0.4, np.array([True, False, True, True, False])
MASK[0] = [True, True, False, True]
IDS, SIGNS = np.array([0, 1, 2, 3, 1]), np.sign(Z)
REGIONS = R.normal(size=(2, 3, 3, 4))
ONE_HOT = np.eye(4)[R.permuted([[0, 1, 2, 3, 0, 1, 2, 2, 3]] * 2, axis=1).reshape(2, 3, 3)]
FRAMES = R.normal(size=(2, 4, 3))
FRAME_PADS, LABELS = np.array([[0, 0, 0, 0], [0, 0, 0, 1]]), np.array([[1, 1], [2, 0]])
LABEL_PADS = np.array([[0, 0], [0, 1]])


def of_errors(f):
    return lambda p, t=0.0, **k: f(p - t, **k)


def huber(e, delta=1.0):
    return np.where(abs(e) <= delta, e**2 / 2, delta * (abs(e) - delta / 2))


def cosine(x, y, axis=-1, where=True, epsilon=0.0):
    def size(z):
        return np.sqrt(np.maximum(np.sum(z * z, axis, where=where), epsilon))

    return np.sum(x * y, axis, where=where) / size(x) / size(y)


def log_softmax(x, axis=-1, where=True):
    where = np.broadcast_to(where, x.shape)
    with np.errstate(divide="ignore"):  # rows of which nothing is included
        return x - np.log(np.sum(np.exp(x), axis, where=where, keepdims=True))


def entropy(x, y, axis=-1, where=True):
    where = where[:, None] if np.ndim(where) == 1 else where
    with np.errstate(invalid="ignore"):
        return -np.sum(y * log_softmax(x, axis, where), axis, where=where)


def entropy_of_classes(x, ids, axis=-1, where=True):
    axes = axis if isinstance(axis, tuple) else (axis,)
    x = np.moveaxis(x, axes, range(-len(axes), 0)).reshape(*ids.shape, -1)
    return entropy(x, np.eye(x.shape[-1])[ids], where=where)


def poly(x, y, epsilon=2.0, where=True):
    p = np.exp(log_softmax(x, -1, where))
    return entropy(x, y, -1, where) + epsilon * np.sum(y * (1 - p), -1, where=where)


def binary_entropy(x, y):
    return -y * np.log(special.expit(x)) - (1 - y) * np.log(special.expit(-x))


def focal(x, y, alpha=None, gamma=2.0):
    p = special.expit(x)
    p_t = y * p + (1 - y) * (1 - p)
    weight = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return weight * (1 - p_t) ** gamma * binary_entropy(x, y)


def kl(log_p, t, axis=-1, where=True):
    return np.sum(special.rel_entr(t, np.exp(log_p)), axis, where=where)


def kl_of_logs(log_p, log_t):
    return np.sum(np.exp(log_t) * (log_t - log_p), -1)


def generalized_kl(log_p, t, axis=-1, where=True):
    return np.sum(special.kl_div(t, np.exp(log_p)), axis, where=where)


def sparse_plus(x, y):
    x = np.where(y == 1, -x, x)
    return np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4))


def sparsemax(row):
    tau = optimize.brentq(lambda t: np.maximum(row - t, 0).sum() - 1, row.max() - 1, row.max(), xtol=1e-15)
    return np.maximum(row - tau, 0)


def sparsemax_loss(scores, labels):
    p = np.stack([sparsemax(row) for row in scores])
    own = np.take_along_axis(scores, labels[:, None], 1)[:, 0]
    return np.sum(p * scores, 1) - np.sum(p * p, 1) / 2 + 0.5 - own


def margins(scores, labels, margin):
    """The largest over classes of score + margin (0 for the label's own) - the label's score."""
    rows = zip(scores, labels, strict=True)
    return np.array([max(s + margin * (j != y) - r[y] for j, s in enumerate(r)) for r, y in rows])


def ranking(x, y, where=True, weights=1.0, reduce_fn="mean"):
    losses = entropy(x, y * weights, -1, where)
    if reduce_fn is None:
        return losses
    return losses.mean(where=np.any(np.broadcast_to(where, x.shape), -1))


def ntxent(x, labels, temperature=0.07):
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    s, n, losses = u @ u.T / temperature, len(x), []
    for i, j in itertools.permutations(range(n), 2):
        if labels[i] == labels[j]:
            others = sum(np.exp(s[i, k]) for k in range(n) if labels[k] != labels[i])
            losses.append(-np.log(np.exp(s[i, j]) / (np.exp(s[i, j]) + others)))
    return np.mean(losses)


def triplet(a, p, n, axis=-1, norm_degree=2, margin=1.0, eps=1e-6):
    def distance(d):
        return np.sum(abs(d) ** norm_degree, axis) + eps

    near, far = (distance(a - z) ** (1 / norm_degree) for z in (p, n))
    return np.maximum(near - far + margin, 0)


def smooth(labels, alpha, axis=-1, where=None):
    where = np.ones(labels.shape, bool) if where is None else where
    return np.where(where, (1 - alpha) * labels + alpha / where.sum(axis, keepdims=True), 0)


def dice(x, t, axis=(1, 2), smooth=1.0, alpha=0.5, beta=0.5, class_weights=1.0, reduction="mean", first=0):
    p = special.softmax(x, -1)
    hit, over, under = (np.sum(z, axis) for z in (p * t, p * (1 - t), (1 - p) * t))
    losses = (1 - (hit + smooth) / (hit + alpha * over + beta * under + smooth)) * class_weights
    return losses if reduction == "none" else losses[..., first:].mean(-1)


def generalized_dice(x, t, smooth=1.0):
    losses = []
    for p, r in zip(special.softmax(x, -1).reshape(2, -1, 4), t.reshape(2, -1, 4), strict=True):
        w = 1 / r.sum(0) ** 2
        w *= 4 / w.sum()
        losses.append(1 - (2 * w @ (p * r).sum(0) + smooth) / (w @ (p + r).sum(0) + smooth))
    return np.mean(losses)


def binary_dice(x, t, smooth=1.0):
    p = special.expit(x)
    return 1 - (2 * np.sum(p * t, -1) + 2 * smooth) / (np.sum(p + t, -1) + 2 * smooth)


def ctc(logits, logit_paddings, labels, label_paddings):
    """The sum over all paths that spell the labels, one by one."""
    losses = []
    for x, frame_pads, y, pads in zip(logits, logit_paddings, labels, label_paddings, strict=True):
        p = special.softmax(x[frame_pads == 0], -1)
        paths = itertools.product(range(p.shape[1]), repeat=len(p))
        spelt = [
            np.prod(p[range(len(p)), path])
            for path in paths
            if [k for k, _ in itertools.groupby(path) if k] == list(y[pads == 0])
        ]
        losses.append(-np.log(sum(spelt)))
    return np.array(losses)


SQUARE, HALF = of_errors(np.square), of_errors(lambda e: e**2 / 2)
LOG_COSH = of_errors(lambda e: np.log(np.cosh(e)))
HINGE = lambda s, y: margins(s, y, 1.0)  # noqa: E731
PERCEPTRON = lambda s, y: margins(s, y, 0.0)  # noqa: E731

# name: (what NumPy computes, [(arguments, keyword arguments), ...])
CASES = {
    "squared_error": (SQUARE, [((X, Z), {}), ((X,), {})]),
    "l2_loss": (HALF, [((X, Z), {}), ((X,), {})]),
    "huber_loss": (of_errors(huber), [((3 * X, Z), {}), ((3 * X, Z[0]), {"delta": 0.5}), ((X,), {})]),
    "log_cosh": (LOG_COSH, [((3 * X, Z), {}), ((X,), {})]),
    "cosine_similarity": (
        cosine,
        [
            ((X, Z), {}),
            ((X, Z), {"axis": 0, "where": MASK}),
            ((X / 10, Z), {"epsilon": 0.3}),
            ((X, Z), {"axis": (0, 1)}),
        ],
    ),
    "cosine_distance": (lambda x, y, **k: 1 - cosine(x, y, **k), [((X, Z), {}), ((X, Z), {"where": MASK})]),
    "softmax_cross_entropy": (
        entropy,
        [
            ((X, Y), {}),
            ((X, Y), {"where": MASK}),
            ((X, Y), {"where": ROWS}),
            ((X, Y), {"axis": (0, 1)}),
            ((X, Y[0]), {}),
            ((X, Y), {"axis": 0}),
        ],
    ),
    "safe_softmax_cross_entropy": (entropy, [((X, Y), {})]),
    "softmax_cross_entropy_with_integer_labels": (
        entropy_of_classes,
        [
            ((X, IDS), {}),
            ((X, IDS), {"where": ROWS}),
            ((X.T, IDS), {"axis": 0}),
            ((X.reshape(5, 2, 2), IDS), {"axis": (2, 1)}),
        ],
    ),
    "poly_loss_cross_entropy": (poly, [((X, Y), {}), ((X, Y), {"epsilon": -1.0, "where": MASK})]),
    "sigmoid_binary_cross_entropy": (binary_entropy, [((X, Y), {}), ((X, Y[0]), {})]),
    "sigmoid_focal_loss": (focal, [((X, Y), {}), ((X, (Y > 0.3) * 1.0), {"alpha": 0.3, "gamma": 1.5})]),
    "kl_divergence": (kl, [((LOG, Y), {}), ((LOG, Y), {"axis": 0, "where": MASK})]),
    "kl_divergence_with_log_targets": (kl_of_logs, [((LOG, np.log(Y)), {})]),
    "generalized_kl_divergence": (generalized_kl, [((X, Y), {}), ((X, Y), {"where": MASK})]),
    "convex_kl_divergence": (generalized_kl, [((X, Y), {})]),
    "hinge_loss": (lambda x, y: np.maximum(0, 1 - x * y), [((X, SIGNS), {})]),
    "perceptron_loss": (lambda x, y: np.maximum(0, -x * y), [((X, SIGNS), {})]),
    "sparsemax_loss": (sparse_plus, [((2 * X, (Z > 0).astype(int)), {})]),
    "multiclass_hinge_loss": (HINGE, [((X, IDS), {})]),
    "multiclass_perceptron_loss": (PERCEPTRON, [((X, IDS), {})]),
    "multiclass_sparsemax_loss": (sparsemax_loss, [((X, IDS), {}), ((5 * X, IDS), {})]),
    "ranking_softmax_loss": (
        ranking,
        [
            ((X, Y), {}),
            ((X, Y), {"where": MASK, "weights": abs(Z)}),
            ((X, Y), {"where": MASK, "reduce_fn": None}),
        ],
    ),
    "ntxent": (ntxent, [((X, np.array([0, 0, 1, 1, 1])), {}), ((X, IDS), {"temperature": 0.5})]),
    "triplet_margin_loss": (
        triplet,
        [((X, Z, Y), {}), ((X, Z, Y), {"norm_degree": 4, "axis": 0, "margin": 0.3, "eps": 0.1})],
    ),
    "smooth_labels": (smooth, [((Y, 0.1), {}), ((Y, 0.1), {"axis": (0, 1)})]),
    "dice_loss": (
        dice,
        [
            ((REGIONS, ONE_HOT), {}),
            ((REGIONS, ONE_HOT), {"alpha": 0.3, "beta": 0.9, "class_weights": np.arange(4.0)}),
            ((REGIONS, ONE_HOT), {"reduction": "none", "axis": (0, 1), "smooth": 0.1}),
        ],
    ),
    "multiclass_generalized_dice_loss": (
        generalized_dice,
        [((REGIONS, ONE_HOT), {}), ((REGIONS, ONE_HOT), {"smooth": 0.1})],
    ),
    "binary_dice_loss": (binary_dice, [((X, (Z > 0) * 1.0), {})]),
    "ctc_loss": (ctc, [((FRAMES, FRAME_PADS, LABELS, LABEL_PADS), {})]),
}
