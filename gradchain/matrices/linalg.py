"""Linear algebra on stacks of matrices [..., m, n], in the array's dtype: Newton-Schulz, inverse roots."""

from __future__ import annotations

import functools
import importlib
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.math.numerics import norm, safe_divide, safe_sqrt
from gradchain.matrices.decomposed import eigen, orthogonal
from gradchain.matrices.tiles import Triple, blocks, whole, worth

Kernel = Literal["xla", "pallas"]
Preconditioning = Literal["frobenius", "spectral", "schatten", "aol"]

QUINTIC: Triple = (3.4445, -4.775, 2.0315)  # Jordan 2024: steep at 0, ends between 0.7 and 1.2


def transposed(x: Array) -> Array:
    """The matrices with rows and columns exchanged."""
    return jnp.swapaxes(x, -1, -2)


def adjoint(x: Array) -> Array:
    """The matrices transposed and conjugated."""
    return transposed(x).conj()


def _eye(x: Array) -> Array:
    """The unit matrix of as many rows as x has: [1, ..., m, m], of its rank."""
    return lax.expand_dims(jnp.eye(x.shape[-2], dtype=x.dtype), range(x.ndim - 2))


def _scaled_norm(x: Array) -> tuple[Array, Array]:
    """A power of two for each matrix, 1 for most, and the norm of the matrix times it, both in one pass.

    Below 2^48 the power is 1; above it keeps the norm finite, and far above any eps.
    """
    plain, low = (norm(y, (-2, -1), keepdims=True) for y in (x, x * 2.0**-80))
    large = lax.stop_gradient(~(plain < 2.0**48))  # true for NaN, too
    return jnp.where(large, 2.0**-80, jnp.ones_like(plain)), jnp.where(large, low, plain)


def _size(gram: Array, kind: Preconditioning) -> Array:
    """A bound of the singular values, from the Gram matrix: [..., 1, 1], or by "aol" [..., m, 1]."""
    match kind:
        case "spectral":
            return safe_sqrt(largest_eigenvalue(gram)[..., None, None])
        case "schatten":
            return safe_sqrt(norm(gram, (-2, -1), keepdims=True))
        case "aol":
            return safe_sqrt(jnp.sum(jnp.abs(gram), -1, keepdims=True))
    raise ValueError(f"preconditioning={kind!r}; expected 'frobenius', 'spectral', 'schatten' or 'aol'")


def _rounded(x: Array) -> Array:
    """bfloat16 as float32, rounded: XLA for CPU has not all products of bfloat16."""
    return lax.reduce_precision(x.astype(jnp.float32), 8, 7)


class _How(NamedTuple):
    """The arguments of `newton_schulz` that are known when it is traced."""

    coefficients: tuple[Triple, ...]
    precision: Any
    preconditioning: Preconditioning
    floor: bool
    ns_dtype: Any


@functools.partial(
    jax.jit,
    static_argnames=("coefficients", "precision", "preconditioning", "floor", "ns_dtype", "ns_kernel"),
)
def newton_schulz(
    x: Array,
    coefficients: tuple[Triple, ...] = (QUINTIC,) * 5,
    eps: Any = 1e-8,
    precision: Any = None,
    preconditioning: Preconditioning = "frobenius",
    floor: bool = False,
    ns_dtype: Any = None,
    ns_kernel: Kernel = "xla",
) -> Array:
    """U V^T of x = U S V^T, nearly.

    y = x / (|x| + eps);  y = (a + b y y^T + c (y y^T)^2) y for each (a, b, c)
    A block of steps (`blocks`) works on r = y y^T of the short side, and ends with y = q y of its product q.
    `precision` is that of the products, as in jax.lax.dot; None is the platform's (bfloat16 factors on TPU,
    TF32 on H100, float32 on CPU), with sums in float32. `ns_dtype`, bfloat16 or float16, is what factors are
    rounded to and kept in, sums in float32; complex ones are not. Rows and columns of zeros change nothing.
    floor: y = x / max(|x|, sqrt(eps)). ns_kernel: "pallas" computes half of each symmetric product, on TPU
    with factors of bfloat16; elsewhere, and where r does not fit or is small, it is "xla".
    Source: Jordan 2024, Muon; "aol": arXiv:2512.04632; "schatten": arXiv:2506.10935.
    """
    if x.shape[-2] > x.shape[-1]:
        turned = newton_schulz(
            transposed(x), coefficients, eps, precision, preconditioning, floor, ns_dtype, ns_kernel
        )
        return transposed(turned)
    how = _How(coefficients, precision, preconditioning, floor, ns_dtype)
    if ns_kernel == "pallas" and _halvable(x, how):
        return _halved_on_tpu(x, eps, how)
    return _iterated(x, eps, how)


def _halvable(x: Array, how: _How) -> bool:
    """Whether the kernels for half of each product take such matrices: their factors are bfloat16."""
    if x.dtype not in (jnp.float32, jnp.bfloat16) or not x.size:
        return False
    given = jax.config.jax_default_matmul_precision if how.precision is None else how.precision  # type: ignore
    plain = str(given).lower().removeprefix("precision.") in ("none", "default", "bfloat16")
    short = jnp.dtype(jnp.bfloat16)
    if not (plain if how.ns_dtype is None else how.ns_dtype == short):
        return False
    m, n = x.shape[-2:]
    return worth(m, n, short, x.dtype, blocks(how.coefficients, m, n))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _halved_on_tpu(x: Array, eps: Any, how: _How) -> Array:
    halves = _kernels()
    return lax.platform_dependent(
        x,
        eps,
        tpu=lambda x, eps: _iterated(x, eps, how, halves),
        default=lambda x, eps: _iterated(x, eps, how),
    )


@_halved_on_tpu.defjvp
def _(how, primals, tangents):
    _, tangent = jax.jvp(lambda x, eps: _iterated(x, eps, how), primals, tangents)
    return _halved_on_tpu(*primals, how), tangent


def _kernels() -> Any:
    try:
        return importlib.import_module("gradchain.matrices.halves")
    except ImportError as error:
        raise ImportError(
            f"ns_kernel='pallas' needs Pallas, an experimental part of JAX, and JAX {jax.__version__} has "
            f"not what is needed here ({error}): take ns_kernel='xla'"
        ) from error


def _iterated(x: Array, eps: Any, how: _How, halves: Any = None) -> Array:
    """Newton-Schulz of matrices with the short side first; by the kernels of `halves`, if given."""
    coefficients, precision, preconditioning, floor, ns_dtype = how
    kept = x.dtype
    short = None if jnp.iscomplexobj(x) else ns_dtype if halves is None else halves.SHORT
    wide, short = (kept, kept) if short is None else (jnp.float32, jnp.dtype(short))

    def times(x, y, out=wide, axes="...ik,...kj->...ij"):
        def product(x, y):
            return jnp.einsum(axes, x, y, precision=precision, preferred_element_type=out)

        x, y = x.astype(short), y.astype(short)
        if short == jnp.bfloat16:
            return lax.platform_dependent(
                x, y, cpu=lambda x, y: product(*map(_rounded, (x, y))), default=product
            )
        return product(x, y)

    power, size = _scaled_norm(x)

    def over(size):
        small = jnp.asarray(eps, size.dtype)
        return safe_divide(1, jnp.maximum(size, jnp.sqrt(small) * power) if floor else size + small * power)

    plain = preconditioning == "frobenius"
    inverse = over(size) if plain else safe_divide(1, size)
    m, n = x.shape[-2:]
    chain = blocks(coefficients, m, n)
    if halves is not None and plain and whole(m, n, short, kept):
        scales = jnp.concatenate([power, inverse], -1).reshape(-1, 2)
        return halves.iterate(x.reshape(-1, m, n), scales, chain, short).reshape(x.shape)
    x = (x * power * inverse).astype(short)
    # Read more than once from here on: x shall be in memory then, not made again of what it comes from.
    x, eye, scale = lax.optimization_barrier(x), _eye(x).astype(wide), None
    for k, steps in enumerate(chain):
        q: Any = None
        if halves is not None and (plain or k):
            q = halves.factor(x.reshape(-1, m, n), steps).reshape(*x.shape[:-1], m)
        else:
            r = times(x, x.conj(), axes="...ik,...jk->...ij")
            if not plain and not k:  # of the Gram matrix: x itself is not divided, r and q are smaller
                scale = (size * over(size * _size(r, preconditioning))).astype(wide)
                r = r * scale * transposed(scale)
            for i, (a, b, c) in enumerate(steps):
                p = a * eye + (b * r + c * times(r, r))
                q = p if q is None else times(p, q)
                if i + 1 < len(steps):
                    r = times(p, times(p, r, short))
        q = q if scale is None or k else q * transposed(scale)
        x = times(q, x, wide if k + 1 == len(chain) else short)
    return x.astype(kept)


def largest_eigenvalue(x: Array, steps: int = 30) -> Array:
    """Of symmetric matrices without negative eigenvalues: [...], from below, by power iteration."""
    start = jax.random.normal(jax.random.key(0), (*x.shape[:-1], 1), x.dtype)

    def step(_, v):
        v = x @ v
        return safe_divide(1, norm(v, (-2, -1), keepdims=True)) * v

    v = lax.fori_loop(0, steps, step, start)
    return norm(x @ v, (-2, -1))


def inverse_root(x: Array, p: int, eps: Any = 1e-6, method: Literal["eigh", "newton"] = "eigh") -> Array:
    """(x + eps * l)^(-1/p) of symmetric matrices without negative eigenvalues, l the largest of each.

    "newton" needs products alone: m = t^p m, y = y t, t = ((p + 1) - m) / p, from m = z x, y = z^(1/p), where
    z = (p + 1) / (2 l); it ends when m is 1 or comes no nearer. Of 0 the root is 0.
    Source: arXiv:2002.09018; Guo & Higham 2006.
    """
    if method == "eigh":
        values, vectors = eigen((x + adjoint(x)) / 2)
        ridge = eps * values[..., -1:]
        roots = safe_divide(1, jnp.maximum(values + ridge, ridge)) ** (1 / p)
        return jnp.matmul(vectors * roots[..., None, :], transposed(vectors), precision=lax.Precision.HIGHEST)
    if method != "newton":
        raise ValueError(f"method={method!r}; expected 'eigh' or 'newton'")
    return newton_root(x, p, largest_eigenvalue(x), eps)[0]


def newton_root(
    x: Array,
    p: int,
    largest: Array,
    eps: Any,
    steps: int = 100,
    tolerance: Any = None,
    precision: Any = lax.Precision.HIGHEST,
) -> tuple[Array, Array]:
    """`inverse_root` by Newton's method, from the largest eigenvalues [...], and the last max |m - 1|."""
    times = functools.partial(jnp.matmul, precision=precision)
    eye, largest = _eye(x), largest[..., None, None]
    z = safe_divide((1 + p) / 2, largest * (1 + eps))
    tolerance = 4 * jnp.finfo(x.dtype).eps if tolerance is None else tolerance

    def off(m):
        return jnp.max(jnp.abs(m - eye))

    def going(carry):
        i, m, _, before = carry
        now = off(m)
        return (i < steps) & (now > tolerance) & ((now < before) | (i < 2))

    def step(carry):
        i, m, y, _ = carry
        t = ((p + 1) * eye - m) / p
        power = functools.reduce(times, [t] * p)
        return i + 1, times(power, m), times(y, t), off(m)

    start = (0, z * (x + eps * largest * eye), z ** (1 / p) * eye, jnp.asarray(jnp.inf, x.dtype))
    _, m, y, _ = lax.while_loop(going, step, start)
    return y, off(m)


def eigenbasis(x: Array) -> Array:
    """The eigenvectors of symmetric matrices without negative eigenvalues, in columns, the largest first.

    A row and column of zeros (what fills a block up, say) is an eigenvector of its own, and a last one.
    """
    empty = jnp.diagonal(x, axis1=-2, axis2=-1).real == 0
    apart = jnp.where(empty[..., None, :], -_eye(x), 0)
    return eigen(x + apart)[1][..., ::-1]


def rotated(x: Array, basis: Array) -> tuple[Array, Array]:
    """`iterated` from vectors in the order of v^H x v, the largest first, and that order [..., m]."""
    product = jnp.matmul(x, basis, precision="highest")
    order = jnp.argsort(jnp.sum((basis.conj() * product).real, -2), axis=-1, descending=True, stable=True)
    return orthogonal(jnp.take_along_axis(product, order[..., None, :], -1)), order


def iterated(x: Array, basis: Array) -> Array:
    """One step of orthogonal iteration to the eigenvectors of x: Q of x basis = Q R. arXiv:2409.11321."""
    return orthogonal(jnp.matmul(x, basis, precision="highest"))
