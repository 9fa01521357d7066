"""Eigenvectors and orthogonal bases of stacks of square matrices; on TPU forms that are quick to compile."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

PANEL = 128  # columns of a block of reflections, and from twice as many on the loop


def eigen(x: Array) -> tuple[Array, Array]:
    """Eigenvalues [..., m], the smallest first, and eigenvectors in columns of symmetric matrices.

    On TPU by Jacobi's rotations: the compiler takes seconds for them, for what `jnp.linalg.eigh` is there
    (a polar decomposition, recursive over sizes) more than half a minute from 512 x 512 on.
    """

    def rotations(x):
        vectors, values = lax.linalg.eigh(
            x, symmetrize_input=False, implementation=lax.linalg.EighImplementation.JACOBI
        )
        return values, vectors

    def default(x):
        return tuple(jnp.linalg.eigh(x, symmetrize_input=False))

    return lax.platform_dependent(x, tpu=rotations, default=default)


def orthogonal(x: Array) -> Array:
    """Q of x = Q R, square: unitary whatever the rank of x is. On TPU large ones by `reflected`."""

    def default(x):
        return jnp.linalg.qr(x)[0]

    if x.shape[-1] < 2 * PANEL:
        return default(x)
    return lax.platform_dependent(x, tpu=reflected, default=default)


def reflected(x: Array, panel: int = PANEL) -> Array:
    """`orthogonal` by Householder's reflections, one loop over blocks of columns of one shape.

    I - V T V^H is the product of a block's reflections: T = (I + D S)^-1 D, D their factors, S the part of
    V^H V above its diagonal. Q is that of `jnp.linalg.qr`, whose program has every block anew, each smaller.
    Source: Schreiber & Van Loan 1989.
    """
    n = x.shape[-1]
    count = -(-n // panel)
    size = count * panel
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(0, size - n)] * 2)
    rows, unit = jnp.arange(size)[:, None], jnp.eye(panel, dtype=x.dtype)
    filled = jnp.eye(size, dtype=x.dtype).at[:n].set(0)
    x = x + filled  # columns that fill up are unit vectors: rows of theirs alone

    def times(a, b):
        return jnp.matmul(a, b, precision="highest")

    def adjoint(a):
        return jnp.swapaxes(a, -1, -2).conj()

    def turn(i, carry):
        q, x = carry
        start = i * panel
        block = lax.dynamic_slice_in_dim(x, start, panel, -1)
        block = jnp.roll(jnp.where(rows < start, 0, block), -start, -2)
        raw, factors = jnp.linalg.qr(block, mode="raw")
        v = jnp.tril(jnp.swapaxes(raw, -1, -2), -1) + jnp.eye(size, panel, dtype=x.dtype)
        v = jnp.roll(v, start, -2)
        s = jnp.triu(times(adjoint(v), v), 1)
        t = lax.linalg.triangular_solve(
            unit + factors[..., :, None] * s,
            factors[..., :, None] * unit,
            left_side=True,
            lower=False,
            unit_diagonal=True,
        )
        x = x - times(times(v, adjoint(t)), times(adjoint(v), x))
        return q - times(times(q, v), times(t, adjoint(v))), x

    q = jnp.broadcast_to(jnp.eye(size, dtype=x.dtype), x.shape)
    return lax.fori_loop(0, count, turn, (q, x))[0][..., :n, :n]
