"""Trees of parameters to measure on: shapes alone, no arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gradchain import numerics

PyTree = Any


def abstract(*shape: int, dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    """One parameter, float32 unless said otherwise."""
    return jax.ShapeDtypeStruct(shape, dtype)


def size(tree: PyTree) -> int:
    """The number of parameters."""
    return sum(math.prod(x.shape) for x in jax.tree.leaves(tree))


def nbytes(tree: PyTree) -> int:
    """Bytes of all leaves."""
    return sum(numerics.nbytes(x.shape, x.dtype) for x in jax.tree.leaves(tree))


def gpt2(d: int = 768, layers: int = 12, vocabulary: int = 50257, context: int = 1024) -> PyTree:
    """GPT-2 124M with tied embeddings: 148 leaves, 124,439,808 parameters; kernels are (in, out)."""

    def dense(n_in: int, n_out: int):
        return {"kernel": abstract(n_in, n_out), "bias": abstract(n_out)}

    def norm():
        return {"scale": abstract(d), "bias": abstract(d)}

    def layer():
        return {
            "norm_1": norm(),
            "attention": {"qkv": dense(d, 3 * d), "out": dense(d, d)},
            "norm_2": norm(),
            "mlp": {"up": dense(d, 4 * d), "down": dense(4 * d, d)},
        }

    return {
        "tokens": {"embedding": abstract(vocabulary, d)},
        "positions": {"embedding": abstract(context, d)},
        "layers": {f"layer_{i:02}": layer() for i in range(layers)},
        "norm": norm(),
    }


def gpt2_xl() -> PyTree:
    """GPT-2 1.5B: 580 leaves, 1,557,611,200 parameters."""
    return gpt2(1600, 48)


def equal(n: int, side: int = 256) -> PyTree:
    """n square matrices of one shape."""
    return {f"leaf_{i:04}": abstract(side, side) for i in range(n)}


def distinct(n: int) -> PyTree:
    """n matrices no two of which have the same shape: nothing to gain from one kernel for each shape."""
    return {f"leaf_{i:04}": abstract(64, 64 + i) for i in range(n)}


def matrix() -> PyTree:
    """One matrix of 64M parameters."""
    return {"kernel": abstract(8192, 8192)}


def matrices() -> PyTree:
    """The matrices of a transformer's layers alone, for optimizers that orthogonalise or precondition."""
    shapes = {"up": (768, 3072), "square": (768, 768)}
    return {f"{name}_{i}": abstract(*shape) for name, shape in shapes.items() for i in range(8)}


def sides() -> PyTree:
    """Matrices for optimizers that keep factors of sides: compilers take minutes for those of large ones."""
    shapes = {"up": (512, 2048), "square": (512, 512)}
    return {f"{name}_{i}": abstract(*shape) for name, shape in shapes.items() for i in range(2)}


def odd() -> PyTree:
    """Shapes that fill no tile: scalars, primes, thin and flat, stacked."""
    shapes = [(), (1,), (7,), (1, 1000), (1000, 1), (129, 257), (3, 3, 64, 127), (50257, 3), (5, 130, 131)]
    return {"x".join(map(str, shape)) or "scalar": abstract(*shape) for shape in shapes}


def few() -> PyTree:
    """Three leaves that fill no tile and are cheap to compile for: a matrix, a stack and a vector."""
    return {"matrix": abstract(513, 600), "stack": abstract(3, 3, 129, 257), "vector": abstract(250021)}


STORED = {"matrix": (8192, 8192), "qkv": (768, 2304), "embedding": (50257, 768), "odd": (1000, 33)}


def storage(dtype: Any = jnp.float32) -> PyTree:
    """Matrices to keep the state of in fewer bits."""
    return {name: {"kernel": abstract(*shape, dtype=dtype)} for name, shape in STORED.items()}


SHAPES: dict[str, Callable[[], PyTree]] = {
    "gpt2": gpt2,
    "gpt2-xl": gpt2_xl,
    "matrix": matrix,
    "matrices": matrices,
    "sides": sides,
    "odd": odd,
    "storage": storage,
    "storage-bf16": lambda: storage(jnp.bfloat16),
    "equal-30": lambda: equal(30),
    "equal-300": lambda: equal(300),
    "equal-1000": lambda: equal(1000),
    "distinct-300": lambda: distinct(300),
}
