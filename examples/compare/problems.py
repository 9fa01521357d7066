"""What optimizers are compared on: digits, a small language model, an ill-conditioned regression."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from lm import data
from lm.model import ModelConfig, Transformer
from lm.training import loss_fn


@dataclasses.dataclass(frozen=True)
class Problem:
    """Functions that JAX can trace; a seed chooses the first parameters and the order of the data."""

    name: str
    title: str
    unit: str  # of what `judge` gives
    steps: int
    points: int  # how often a run is judged
    init: Callable[[Array], Any]  # key -> parameters
    batch: Callable[[Array], Any]  # key -> the data of one step
    loss: Callable[[Any, Any], Array]  # (parameters, batch) -> what is differentiated
    judge: Callable[[Any], Array]  # parameters -> what is compared, smaller is better


def digits() -> Problem:
    """scikit-learn's 1,797 handwritten digits, a perceptron 64-128-128-10, 30 steps of 256."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = jnp.asarray(images / 16.0, jnp.float32), jnp.asarray(labels)
    sizes = (64, 128, 128, 10)

    def init(key):
        keys = jax.random.split(key, len(sizes) - 1)
        shapes = zip(keys, sizes[:-1], sizes[1:], strict=True)
        return {
            f"layer_{i}": {"kernel": jax.random.normal(k, (m, n)) * (2 / m) ** 0.5, "bias": jnp.zeros(n)}
            for i, (k, m, n) in enumerate(shapes)
        }

    def loss(params, batch):
        h, right = batch
        for i in range(len(sizes) - 1):
            h = h @ params[f"layer_{i}"]["kernel"] + params[f"layer_{i}"]["bias"]
            h = jax.nn.relu(h) if i < len(sizes) - 2 else h
        chosen = jnp.take_along_axis(h, right[:, None], -1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(h, -1) - chosen)

    def batch(key):
        at = jax.random.choice(key, len(y), (256,), replace=False)
        return x[at], y[at]

    title = "digits, perceptron 64-128-128-10, 30 steps of 256"
    return Problem(
        "digits", title, "training loss, nats", 30, 30, init, batch, loss, lambda p: loss(p, (x, y))
    )


def regression() -> Problem:
    """|A (W - V) B|^2 with A and B of condition 30: what preconditioning on both sides undoes."""
    n, condition = 24, 30.0

    def side(seed):
        rng = np.random.default_rng(seed)
        u, v = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
        return jnp.asarray(u * np.geomspace(1, 1 / condition, n) @ v, jnp.float32)

    a, b = side(1), side(2)

    def loss(params, target):
        return jnp.sum((a @ (params["w"] - target) @ b) ** 2)

    target = jnp.asarray(np.random.default_rng(3).normal(size=(n, n)), jnp.float32)
    at_zero = loss({"w": jnp.zeros((n, n))}, target)
    return Problem(
        "regression",
        f"squared norm of A (W - V) B, {n} x {n}, condition {condition:g}, 200 steps",
        "loss / loss at W = 0",
        200,
        40,
        lambda key: {"w": 0.1 * jax.random.normal(key, (n, n))},
        lambda key: target,
        loss,
        lambda params: loss(params, target) / at_zero,
    )


def transformer(sizes: ModelConfig) -> tuple[Callable[[Array], Any], Callable[[Any, Array], Array]]:
    """The byte-level transformer as functions: key -> parameters, and (parameters, bytes) -> logits."""
    graph, params, rest = nnx.split(Transformer(sizes, nnx.Rngs(0)), nnx.Param, ...)

    def init(key):
        """Other first parameters of the same spread."""
        leaves, treedef = jax.tree.flatten(nnx.to_pure_dict(params))
        keys = jax.random.split(key, len(leaves))
        drawn = [
            x if x.ndim < 2 else jax.random.normal(k, x.shape) * jnp.std(x)
            for k, x in zip(keys, leaves, strict=True)
        ]
        return treedef.unflatten(drawn)

    def logits(pure, tokens):
        state = jax.tree.map(lambda x: x, params)
        nnx.replace_by_pure_dict(state, pure)
        return nnx.merge(graph, state, rest)(tokens)

    return init, logits


SIZES = ModelConfig(layers=2, width=64, heads=2)


def language(text: str | None = None, steps: int = 400, sizes: ModelConfig = SIZES) -> Problem:
    """The byte-level transformer of train_lm.py, small, on Python's standard library."""
    corpus = data.load(text)
    length, batch_size = 64, 8
    corpus.check(batch_size, length)
    init, logits = transformer(sizes)
    train = jnp.asarray(corpus.train[: 2**22])
    held = jnp.asarray(np.concatenate(corpus.held_out(64, length, 64)))  # [64, length + 1]

    def batch(key):
        starts = jax.random.randint(key, (batch_size, 1), 0, len(train) - length)
        return train[starts + jnp.arange(length + 1)].astype(jnp.int32)

    def loss(params, windows):
        return loss_fn(functools.partial(logits, params), windows)

    size = f"{sizes.layers} layers of {sizes.width}"
    title = f"byte-level transformer, {size}, {steps} steps of {batch_size} x {length} bytes"
    judge = functools.partial(lambda windows, p: loss(p, windows), held)
    return Problem("language", title, "validation loss, nats a byte", steps, 20, init, batch, loss, judge)


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "digits": digits,
    "regression": regression,
    "language": language,
}
