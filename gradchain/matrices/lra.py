"""PSGD's preconditioner of low rank: Q = (1 + u v^T) diag(d) on all leaves as one vector, and its fitting."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType

from gradchain.core import place
from gradchain.math import numerics
from gradchain.math.numerics import safe_divide, safe_sqrt

HIGHEST = lax.Precision.HIGHEST
Vector = list[Array]  # an array of each leaf, of r vectors [r, *shape]


def dot(xs: Array, y: Array) -> Array:
    """The products of vectors [r, *shape] with one: [r]; or with others, [r, s]."""
    axes = tuple(range(1, xs.ndim)), tuple(range(y.ndim - xs.ndim + 1, y.ndim))
    home = place.of(xs)  # on explicit axes a sum over devices has to be said
    typed = home is not None and AxisType.Explicit in home.mesh.axis_types
    to = place.at(home.mesh, [()] * (2 + y.ndim - xs.ndim)) if home is not None and typed else None
    return jnp.tensordot(xs, y, axes, precision=HIGHEST, out_sharding=to)


def along(c: Array, xs: Array) -> Array:
    """The sum of c[r] xs[r]."""
    return jnp.tensordot(c.astype(xs.dtype), xs, 1, precision=HIGHEST)


def outer(c: Array, x: Array) -> Array:
    """Vectors c[r] x."""
    return jnp.tensordot(c.astype(x.dtype), x, 0)


def total(parts: Sequence[Array]) -> Array:
    """The sum of numbers of each leaf."""
    wide = numerics.wide_dtype(*(x.dtype for x in parts))
    return functools.reduce(jnp.add, [x.astype(wide) for x in parts])


# Each works on one leaf; what they return beside arrays of its shape are its shares of sums over all leaves.
@jax.jit
def scaled(w: Array, d: Array, h: Array) -> Array:
    """v^T d h"""
    return dot(w, d * h)


@jax.jit
def whitened(u: Array, d: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """a = Q h and u^T a, from c = v^T d h."""
    a = d * h + along(c, u)
    return a, dot(u, a)


@jax.jit
def whitened_twice(w: Array, d: Array, a: Array, e: Array) -> Array:
    """Q^T a, from e = u^T a."""
    return d * (a + along(e, w))


@jax.jit
def grams(u: Array, w: Array, d: Array, noise: Array) -> Array:
    """u^T u, v^T v, v^T u, u^T (noise / d), end to end."""
    return jnp.concatenate([dot(u, u).ravel(), dot(w, w).ravel(), dot(w, u).ravel(), dot(u, noise / d)])


@jax.jit
def reached(u: Array, w: Array, d: Array, noise: Array, a: Array, c: Array) -> tuple[Array, Array, Array]:
    """b = Q^-T noise; v^T a, v^T b, u^T a, u^T b, |a|^2, |b|^2, end to end; the largest a^2 + b^2."""
    b = noise / d + along(c, w)
    squares = [dot(x[None], x) for x in (a, b)]
    return (
        b,
        jnp.concatenate([dot(w, a), dot(w, b), dot(u, a), dot(u, b), *squares]),
        jnp.max(a * a + b * b, initial=0),
    )


@jax.jit
def stepped(u, w, d, a, b, rho, on_u, on_v, reach, rate):
    """(u, v, d) balanced and fitted: u less on_u (a, b), v less on_v (a, b and what reach makes of v)."""
    rho, rate = rho.astype(d.dtype), rate.astype(d.dtype)
    u, w = u / rho, w * rho
    s = 1 - rate * (a * a - b * b)
    more = [x + along(c, w) for x, c in zip((a, b), reach, strict=True)]
    u = (u - (outer(on_u[0], a) - outer(on_u[1], b))) * s[None]
    w = (w - (outer(on_v[0], more[0]) - outer(on_v[1], more[1]))) / s[None]
    return u, w, d * s


def fitted(u: Vector, w: Vector, d: Vector, sizes: Array, a: Vector, noise: Vector, coin: Array, rate: Any):
    """(u, v, d) and sizes after a step towards E[a a^T] = E[b b^T], b = Q^-T noise; a coin says u or v."""
    r = u[0].shape[0]
    uu, ww, wu, un = jnp.split(
        total([grams(*x) for x in zip(u, w, d, noise, strict=True)]), [r * r, 2 * r * r, 3 * r * r]
    )
    uu, ww, wu = (x.reshape(r, r) for x in (uu, ww, wu))
    both = jnp.eye(r, dtype=wu.dtype) + wu
    c = -jnp.linalg.solve(both.T, un)
    found = [reached(*x, c) for x in zip(u, w, d, noise, a, strict=True)]
    b, parts = [x for x, *_ in found], total([x for _, x, _ in found])
    rho = safe_sqrt(safe_divide(safe_sqrt(jnp.trace(uu)), safe_sqrt(jnp.trace(ww)), 1))
    wa, wb, ua, ub, squares = jnp.split(parts, [r, 2 * r, 3 * r, 4 * r])
    wa, wb, ua, ub, (aa, bb) = wa * rho, wb * rho, ua / rho, ub / rho, safe_sqrt(squares)

    def length(x, y, gram):
        return aa * safe_sqrt(x @ gram @ x) + bb * safe_sqrt(y @ gram @ y)

    top = functools.reduce(jnp.maximum, [x.astype(sizes.dtype) for _, _, x in found])
    now = jnp.stack(
        [x.astype(sizes.dtype) for x in (length(wa, wb, ww * rho**2), length(ua, ub, uu / rho**2), top)]
    )
    chosen = jnp.stack([coin, ~coin, jnp.ones_like(coin)])
    sizes = jnp.where(chosen, jnp.maximum(0.9 * sizes + 0.1 * now, now), sizes)
    on_u, on_v, on_d = jnp.where(chosen, safe_divide(rate, sizes), 0)
    of_u, of_v = [on_u * (x @ both) for x in (wa, wb)], [on_v * x for x in (ua, ub)]
    made = [stepped(*x, rho, of_u, of_v, [ua, ub], on_d) for x in zip(u, w, d, a, b, strict=True)]
    return *map(list, zip(*made, strict=True)), sizes
