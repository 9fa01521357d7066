"""Arithmetic shared by kernels: safe at zero, exact for small steps, for real and complex arrays."""

import functools
import math
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def abs2(x: Array) -> Array:
    """|x|^2, real, without the square root that `abs` of a complex number would take."""
    return plus(lax.square(x.real), lax.square(x.imag)) if jnp.iscomplexobj(x) else lax.square(x)


def _bare(operation, promoting, x, y) -> Array:
    """One equation where nothing is to be promoted, by `promoting` where something is.

    jnp traces a function of its own for each operation and shape, more than half of what a kernel costs.
    """
    if isinstance(x, jax.Array) and isinstance(y, jax.Array):
        if x.dtype == y.dtype and (x.shape == y.shape or x.shape == () or y.shape == ()):
            return operation(x, y)
    elif isinstance(x, jax.Array) and isinstance(y, int | float) and x.dtype.kind == "f":
        return operation(x, x.dtype.type(y))
    elif isinstance(y, jax.Array) and isinstance(x, int | float) and y.dtype.kind == "f":
        return operation(y.dtype.type(x), y)
    return promoting(x, y)


plus = functools.partial(_bare, lax.add, operator.add)  # x + y
times = functools.partial(_bare, lax.mul, operator.mul)  # x * y
over = functools.partial(_bare, lax.div, operator.truediv)  # x / y


BOUND = 2.0**50  # of a size, so that sums of its square over 2^27 numbers are finite in float32


@jax.jit
def bounded(x: Array) -> Array:
    """x, no larger than `BOUND` where it is finite: for rules in which infinite squares would meet."""
    if float(jnp.finfo(x.dtype).max) < BOUND:
        return x
    if not jnp.iscomplexobj(x):  # no division: XLA for GPU would compute it once and write it
        return lax.platform_dependent(x, cuda=_bounded_on_gpu, default=_bounded_plainly)
    size = lax.stop_gradient(jnp.abs(x))
    return jnp.where((size > BOUND) & (size < jnp.inf), x * safe_divide(BOUND, size), x)


def _bounded_plainly(x: Array) -> Array:
    return jnp.where(jnp.abs(x) < jnp.inf, jnp.clip(x, -BOUND, BOUND), x)


def _bounded_on_gpu(x: Array) -> Array:
    """The same bits, by a bound that is made of x and no constant.

    XLA for GPU reads no constant within a sum over rows, as if it were an array; it would write the bounded x
    for such a sum and the step instead of computing it twice: 1 to 5 bytes a parameter.
    """
    finite = lax.is_finite(x)
    one = finite.astype(jnp.int32)  # where x is finite
    two = lax.shift_left(one, one)
    eight = lax.shift_left(two, two)
    more = lax.shift_left(eight, eight)  # 2^11
    bound = lax.square((more * more * eight).astype(x.dtype))  # 2^50
    return lax.select(finite, lax.clamp(-bound, x, bound), x)


def ema(average: Array, x: Array, decay) -> Array:
    """Exponential moving average: decay * average + (1 - decay) * x."""
    return plus(times(decay, average), times(1 - decay, x))


def real(t: Array) -> Array:
    """A count as a number of the default float type."""
    return t.astype(jnp.result_type(float))


def bias(decay, t: Array) -> Array:
    """1 - decay^t by expm1, exact where decay is near 1 (`1 - decay**t` is off by 1.7e-4 at 0.9999)."""
    return -_minus_bias(decay, t)


def _minus_bias(decay, t: Array) -> Array:
    t = real(t)
    if isinstance(decay, int | float):  # rounded to float32, 0.9999 itself would be off by as much
        return lax.expm1(times(t, math.log(decay) if decay > 0 else -math.inf))
    decay = jnp.asarray(decay, t.dtype)
    positive = jnp.where(decay > 0, decay, 1)  # log of a decay of 0 would spoil its derivative
    return jnp.where(decay > 0, jnp.expm1(t * jnp.log(positive)), -1)


def debias(average: Array, decay, t: Array) -> Array:
    """average / (1 - decay^t): undo the pull to zero of an average that started there, t >= 1 steps ago.

    One reciprocal of a scalar and a multiplication: a division per element costs more on CPUs.
    """
    return times(average, over(-1, _minus_bias(decay, t)).astype(real_dtype(average)))


def debias_ahead(average: Array, x: Array, decay, t: Array) -> Array:
    """What debias(average, t + 1) would be if x came again, t >= 1: the mean of Nesterov's momentum."""
    return decay * debias(average, decay, t + 1) + (1 - decay) * debias(x, decay, t)


def _choose(condition: Array, x, y: Array) -> Array:
    """jnp.where for a number and an array: two equations, where jnp.where traces a function of its own."""
    return lax.select(condition, lax.full_like(y, x), y)


_equal = functools.partial(_bare, lax.eq, operator.eq)


def safe_sqrt(x: Array) -> Array:
    """sqrt(x) with derivatives of 0, not infinity, at x = 0; NaN stays NaN.

    Two selections and no rule of its own: second derivatives through a scan take a custom_jvp's inside.
    """
    zero = _equal(x, 0)
    return _choose(zero, 0, lax.sqrt(_choose(zero, 1, x)))


def safe_power(x: Array, exponent) -> Array:
    """x ** exponent for x >= 0, with derivatives of 0 at x = 0, where it is 0 itself."""
    zero = x == 0
    return jnp.where(zero, 0, _choose(zero, 1, x) ** exponent)


def safe_divide(x, y: Array, otherwise=0) -> Array:
    """x / y, and `otherwise` where y is 0; the derivative there is 0 as well."""
    y = jnp.asarray(y)
    zero = _equal(y, 0)
    quotient = over(x, _choose(zero, 1, y))
    if quotient.shape != zero.shape:
        return jnp.where(zero, otherwise, quotient)
    return _choose(zero, otherwise, quotient)


def over_root(m: Array | float, v: Array, eps, eps_root=0.0) -> Array:
    """m / (sqrt(v + eps_root) + eps) for v >= 0, and 0 for 0 / 0; derivatives at v = 0 are finite.

    Constants that keep the root or the sum from 0 spare the checks, constants of 0 the additions. Beside an
    eps that is large enough the root of 0 may be that of the least number, of which the sum has no bit.
    """
    inside = v if _constant(eps_root) == 0 else plus(v, eps_root)
    limits = jnp.finfo(inside.dtype)
    if _constant(eps_root) > TINY:
        root = lax.sqrt(inside)
    elif _constant(eps) >= float(limits.tiny) ** 0.5 * 2.0 ** (limits.nmant + 2):
        root = lax.sqrt(lax.max(inside, limits.tiny.astype(inside.dtype)))
    else:
        root = safe_sqrt(inside)
    below = root if _constant(eps) == 0 else plus(root, eps)
    safe = _constant(eps) > TINY or _constant(eps_root) > TINY
    return over(m, below) if safe else safe_divide(m, below)


TINY = 1e-37  # float32 can add it


def _constant(x) -> float:
    """The value of a Python number; NaN, which compares with nothing, for an array or a tracer."""
    return float(x) if isinstance(x, int | float) else math.nan


def in_kernel(x: Array, always: Array, old: Array) -> Array:
    """x, for `always` holds wherever x is not NaN, which the compilers do not know: else it would be `old`.

    A gradient that is kept would be copied by a pass of its own; so the kernel of the step writes it, and in
    the place of `old`, as it depends on it. XLA for TPU makes two kernels where two results are computed
    from a third (AdaDelta: 48 bytes a parameter, not 28), but one where the last depends on both others.
    """
    return lax.select(always, x, old.astype(x.dtype))


def norm(x: Array, axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Euclidean norm over `axes` (all by default), differentiable at zero."""
    return safe_sqrt(jnp.sum(abs2(x), axis=axes, keepdims=keepdims))


def rms(x: Array, axes: tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Root mean square over `axes` (all by default), differentiable at zero."""
    return safe_sqrt(jnp.mean(abs2(x), axis=axes, keepdims=keepdims))


def soft_threshold(x: Array, threshold) -> Array:
    """The proximal operator of threshold * |x|: shrink towards zero, exactly zero inside."""
    size = jnp.abs(x)
    return jnp.where(size > threshold, x * (1 - safe_divide(threshold, jnp.maximum(size, threshold))), 0)


def increment(count: Array) -> Array:
    """count + 1, staying at the largest number instead of wrapping to a negative step."""
    limits = (jnp.iinfo if jnp.issubdtype(count.dtype, jnp.integer) else jnp.finfo)(count.dtype)
    top = np.asarray(limits.max, count.dtype)  # a number of Python would be an int32
    return jnp.where(count < top, count + 1, top)


def agreement(x: Array, y: Array) -> Array:
    """Above 0 where two numbers have one sign (complex ones: less than 90 degrees between them), else not.

    By their signs, for a product of two small numbers would be 0.
    """
    return (jnp.sign(x).conj() * jnp.sign(y)).real


def normal(seed: int, t: Array, salt: Array, like: Array) -> Array:
    """Standard normal noise from (seed, step, leaf, element) alone: no matter the device, mesh or jit.

    The seed may have any number of bits.
    """
    first, *more = (np.uint32(seed >> at & 0xFFFFFFFF) for at in range(0, max(seed.bit_length(), 1), 32))
    key = jax.random.key(first)
    for word in (*more, t, salt):
        key = jax.random.fold_in(key, word)
    return jax.random.normal(key, like.shape, like.dtype)


def real_dtype(x: Array):
    """The dtype of a real array that goes with `x`: complex64 -> float32."""
    return jnp.finfo(x.dtype).dtype


def nbytes(shape: tuple[int, ...], dtype) -> int:
    """Bytes of an array on a device; two numbers of 4 bits are a byte."""
    dtype = jnp.dtype(dtype)
    bits = jnp.iinfo(dtype).bits if jnp.issubdtype(dtype, jnp.integer) else 8 * dtype.itemsize
    return -(-math.prod(shape) * bits // 8)


def compute_dtype(*arrays: Array):
    """What a kernel computes in: float32 at least, float64 or complex where an array is."""
    return wide_dtype(*(x.dtype for x in arrays))


def wide_dtype(*dtypes):
    """The dtype that holds values of all these and of float32, also where JAX is set to promote nothing."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(jnp.float32, *dtypes)
