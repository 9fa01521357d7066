"""Losses of PyTorch and Keras: what to write here, from logits, labels, predictions and targets."""

MEAN = "it gives the loss of each example; take the mean"
INSIDE = "it takes logits, not probabilities"
SIGNED = "targets are -1 and 1"
FOCAL = "jnp.sum(-labels * (1 - jax.nn.softmax(logits)) ** 2 * jax.nn.log_softmax(logits), -1)"

BINARY = ("gc.sigmoid_binary_cross_entropy(logits, labels).mean()", INSIDE)
FOCAL_BINARY = ("gc.sigmoid_focal_loss(logits, labels, alpha=0.25, gamma=2.0).mean()", INSIDE)
CATEGORICAL = ("gc.softmax_cross_entropy(logits, labels).mean()", f"{INSIDE}; labels are one-hot")
SPARSE = ("gc.softmax_cross_entropy_with_integer_labels(logits, classes).mean()", INSIDE)
SQUARED = ("gc.squared_error(predictions, targets).mean()", MEAN)
HUBER = ("gc.huber_loss(predictions, targets, delta=1.0).mean()", MEAN)
LOG_COSH = ("gc.log_cosh(predictions, targets).mean()", MEAN)
COSINE = ("-gc.cosine_similarity(predictions, targets).mean()", MEAN)
DIVERGENCE = ("gc.kl_divergence(jnp.log(predictions), targets).mean()", "it takes logarithms of predictions")
HINGE = ("gc.hinge_loss(predictions, signs).mean()", SIGNED)
SQUARED_HINGE = ("(gc.hinge_loss(predictions, signs) ** 2).mean()", SIGNED)
MULTICLASS_HINGE = ("gc.losses.multiclass_hinge_loss(logits, classes).mean()", "labels are integers")
ABSOLUTE = ("jnp.abs(predictions - targets).mean()", "")
PERCENTAGE = ("100 * jnp.abs((targets - predictions) / targets).mean()", "")
LOGARITHMIC = ("gc.squared_error(jnp.log1p(predictions), jnp.log1p(targets)).mean()", MEAN)
POISSON = ("(predictions - targets * jnp.log(predictions)).mean()", "")
DICE = ("gc.losses.dice_loss(logits, labels)", "")
TVERSKY = ("gc.losses.dice_loss(logits, labels, alpha=0.5, beta=0.5)", "")
TRIPLET = (
    "gc.losses.triplet_margin_loss(predictions, targets, -targets).mean()",
    "anchors, positives, negatives",
)
GENERALIZED = ("((1 - jnp.sum(labels * jax.nn.softmax(logits), -1) ** 0.5) / 0.5).mean()", "")
CATEGORICAL_FOCAL = (f"{FOCAL}.mean()", "")
CTC = (
    "gc.ctc_loss(frames, jnp.zeros((2, 5)), sequences, jnp.zeros((2, 3))).mean()",
    "with paddings, 1 where padded",
)
FUNCTION = (
    "jax.value_and_grad(lambda p: gc.squared_error(predictions, targets).mean())",
    "a loss is a function",
)

LOSSES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("BinaryCrossentropy", "binary_crossentropy", "BCEWithLogitsLoss", "BCELoss"), BINARY),
    **dict.fromkeys(("binary_cross_entropy", "binary_cross_entropy_with_logits"), BINARY),
    **dict.fromkeys(("BinaryFocalCrossentropy", "binary_focal_crossentropy", "FocalLoss"), FOCAL_BINARY),
    **dict.fromkeys(("CategoricalCrossentropy", "categorical_crossentropy"), CATEGORICAL),
    **dict.fromkeys(("CategoricalFocalCrossentropy", "categorical_focal_crossentropy"), CATEGORICAL_FOCAL),
    **dict.fromkeys(
        ("CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy"), GENERALIZED
    ),
    **dict.fromkeys(("CategoricalHinge", "categorical_hinge", "MultiMarginLoss"), MULTICLASS_HINGE),
    **dict.fromkeys(("CrossEntropyLoss", "cross_entropy", "NLLLoss", "nll_loss"), SPARSE),
    **dict.fromkeys(("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"), SPARSE),
    **dict.fromkeys(("MeanSquaredError", "mean_squared_error", "MSELoss", "mse_loss"), SQUARED),
    **dict.fromkeys(("MeanAbsoluteError", "mean_absolute_error", "L1Loss", "l1_loss"), ABSOLUTE),
    **dict.fromkeys(("MeanAbsolutePercentageError", "mean_absolute_percentage_error"), PERCENTAGE),
    **dict.fromkeys(("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error"), LOGARITHMIC),
    **dict.fromkeys(("Huber", "huber", "HuberLoss", "SmoothL1Loss", "smooth_l1_loss"), HUBER),
    **dict.fromkeys(("LogCosh",), LOG_COSH),
    **dict.fromkeys(("CosineSimilarity", "CosineEmbeddingLoss", "cosine_embedding_loss"), COSINE),
    **dict.fromkeys(("KLDivergence", "KLDivLoss", "kl_div"), DIVERGENCE),
    **dict.fromkeys(("Hinge", "hinge", "HingeEmbeddingLoss", "SoftMarginLoss"), HINGE),
    **dict.fromkeys(("SquaredHinge", "squared_hinge"), SQUARED_HINGE),
    **dict.fromkeys(("Poisson", "poisson", "PoissonNLLLoss", "poisson_nll_loss"), POISSON),
    **dict.fromkeys(("Dice", "dice"), DICE),
    **dict.fromkeys(("Tversky", "tversky"), TVERSKY),
    **dict.fromkeys(("Circle", "circle", "TripletMarginLoss"), TRIPLET),
    **dict.fromkeys(("CTC", "ctc", "CTCLoss"), CTC),
    "Loss": FUNCTION,
}  # fmt: skip
