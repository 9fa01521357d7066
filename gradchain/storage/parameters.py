"""Parameters in 16 bits: last links of a chain, which see to it that rounding loses no update.

Each emits u = target - p in float32 with the target already rounded, so that p + u, rounded by whoever adds
it, is the target. Float32 and wider parameters pass through.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import words
from gradchain.core.leafwise import leafwise
from gradchain.core.slots import Leaf, Slot, SlotMaker, absent, copy
from gradchain.core.transform import transform
from gradchain.math.rounding import (
    bits_of,
    check_seed,
    drop_bits,
    from_bits,
    random_bits,
    round_to,
    small_float,
    step_key,
)

PyTree = Any
LAST = frozenset({"last"})
NARROW = jnp.bfloat16, jnp.float16
LOW = 16  # bits of a float32 that bfloat16 has not


def is_narrow(p: Leaf, who: str, *allowed) -> bool:
    """Whether a parameter has less than 32 bits; an error where it is none of the `allowed` dtypes."""
    if jnp.finfo(p.dtype).bits >= 32:
        return False
    if p.dtype not in allowed:
        names = " or ".join(jnp.dtype(x).name for x in allowed)
        which = f"the parameter {p.path!r}" if p.path else "a parameter"
        hint = "; master_weights() and kahan() take it" if p.dtype == jnp.float16 else ""
        raise ValueError(f"{who}: {which} is {p.dtype}; expected {names}, or float32 and wider{hint}")
    return True


def of_narrow(make: SlotMaker, who: str, *allowed) -> SlotMaker:
    """A slot that only parameters of less than 32 bits have; no codec rounds it unless it is named."""
    return lambda p: dataclasses.replace(make(p), exact=True) if is_narrow(p, who, *allowed) else absent(p)


def like_parameter(p: Leaf, dtype=None) -> Slot:
    """An array of the parameter's shape, in its dtype unless another is given."""
    return Slot(p.shape, jnp.dtype(dtype or p.dtype), tuple(range(len(p.shape))), leaf=p)


def single(x: Array) -> Array:
    """x in float32; parameters of 16 bits fit, whatever the gradients are."""
    return x.astype(jnp.float32)


def saturated(x: Array, dtype) -> Array:
    """x, with what is finite within the dtype's range: no sum brings a parameter back from infinity."""
    top = float(jnp.finfo(dtype).max)
    return jnp.where(jnp.isfinite(x), jnp.clip(x, -top, top), x)


def towards(p: Array, target: Array) -> Array:
    """u with p + u = target once it is rounded; -0.0 leaves every p as it is, zeros and infinities too.

    Where p is more than 2^16 times larger, the sum may miss the target, by less than float32 resolves at p.
    """
    return jnp.where(target == p, jnp.float32(-0.0), target - p)


def landed(p: Array, u: Array, dtype) -> Array:
    """What p + u is once it is cast to the dtype, in float32.

    Of bfloat16 the very bits are read that are written: XLA for GPU would drop a cast there and back, and
    XLA for TPU would compute the step twice, once for the parameters and once for what is left.
    """
    if dtype != jnp.bfloat16:
        return round_to(p + u, dtype)
    return from_bits(lax.bitcast_convert_type((p + u).astype(dtype), jnp.int16).astype(jnp.int32) << LOW)


def noise(seed: int, s, salt: Array, x: Array) -> Array:
    """The random bits of this step and leaf."""
    return random_bits(step_key(seed, s.count), x.shape, salt)


class RoundStochasticallyState(NamedTuple):
    count: Array  # [] int32, steps taken


@transform(traits=LAST, paper="arXiv:2010.06192")
def round_stochastically(seed: int = 0):
    """Round the new parameters up or down at random, so that their mean is what float32 would hold.

    P(up) = (p + u - low) / (high - low) between the neighbours low and high. No state but a counter.
    The last link of a chain. Updates far below the parameter's spacing are kept on average, weight decay
    too. The noise is a function of (seed, step, path, element): replicas and shardings agree.
    """
    check_seed("round_stochastically", seed)

    def step(g, s, p, *, leaf, salt):
        if not is_narrow(leaf, "round_stochastically", *NARROW):
            return g, s
        p, x = single(p), saturated(single(p + g), leaf.dtype)
        return towards(p, round_to(x, leaf.dtype, noise(seed, s, salt, x))), s

    return leafwise(RoundStochasticallyState, step)


class KahanState(NamedTuple):
    count: Array  # [] int32, steps taken
    compensation: PyTree  # like params and in their dtype, what rounding still owes to p


@transform(traits=LAST | {"narrow_state"}, paper="arXiv:2010.06192")
def kahan(seed: int = 0):
    """Keep what rounding left over, in the parameter's dtype, and add it to the next update.

    y = u + c;  p' = round(p + y);  c = y - (p' - p), rounded stochastically
    The last link of a chain. Rounded to nearest, c would lose updates below 2^-18 p, and bend those a little
    above. A c that is too large for p is forgotten: p was set from outside.
    """
    check_seed("kahan", seed)

    def step(g, s, p, *, leaf, salt):
        if not is_narrow(leaf, "kahan", *NARROW):
            return g, s
        info, p, c = jnp.finfo(leaf.dtype), single(p), single(s.compensation)
        owed = jnp.abs(c) <= float(info.eps) * jnp.maximum(jnp.abs(p), float(info.tiny))
        y = single(g + jnp.where(owed, c, 0))
        x = saturated(p + y, leaf.dtype)
        u = towards(p, round_to(x, leaf.dtype))
        left = y - (landed(p, u, leaf.dtype) - p)
        left = jnp.where(jnp.abs(x) < float(info.max), left, 0)  # at the end of the range nothing is owed
        return u, s._replace(compensation=round_to(left, leaf.dtype, noise(seed, s, salt, x)))

    return leafwise(KahanState, step, ages=False, compensation=of_narrow(like_parameter, "kahan", *NARROW))


class MasterWeightsState(NamedTuple):
    master: PyTree  # like params in float32, what the parameters are rounded from


@transform(traits=LAST, paper="arXiv:1710.03740")
def master_weights():
    """Keep a float32 copy of the parameters in the state, and round the parameters from it.

    m = m + u;  p' = round(m)
    The last link of a chain. A parameter that is not what its copy rounds to was set from outside: the copy
    starts again from it. `split_weights` keeps the same numbers in half of the memory.
    """

    def step(g, s, p, *, leaf):
        if not is_narrow(leaf, "master_weights", *NARROW):
            return g, s
        p, m = single(p), single(s.master)
        m = jnp.where(round_to(m, leaf.dtype) == p, m, p)
        x = saturated(single(m + g), leaf.dtype)
        return towards(p, round_to(x, leaf.dtype)), s._replace(master=x)

    return leafwise(MasterWeightsState, step, master=of_narrow(copy, "master_weights", *NARROW))


def nearest(x: Array) -> Array:
    """The nearest bfloat16 to float32 values, halves away from zero, so that what is left has 16 bits."""
    return jnp.where(jnp.isfinite(x), from_bits((bits_of(x) + (1 << LOW - 1)) & -(1 << LOW)), x)


def remainder(x: Array, p: Array) -> Array:
    """What p lacks of x in steps of float32, from -2^15 to 2^15 - 1; 0, and x is lost, where p is too far."""
    left = bits_of(x) - bits_of(p)
    fits = (left >= -(1 << LOW - 1)) & (left < 1 << LOW - 1)
    return jnp.where(fits & jnp.isfinite(x), left, 0)


def restore(p: Array, left: Array) -> Array:
    """x from bfloat16 values and their remainder; p itself where that makes no number, as beyond infinity."""
    x = from_bits(bits_of(p) + left)
    return jnp.where(jnp.isfinite(p) & jnp.isfinite(x), x, p)


class SplitWeightsState(NamedTuple):
    count: Array  # [] int32, steps taken
    remainder: PyTree  # like params, int16 or int8: the low bits of what the parameters are rounded from


@transform(traits=LAST | {"no_float16"}, paper="arXiv:2005.04680")
def split_weights(bits: int = 16, seed: int = 0):
    """Keep the low half of float32 parameters in the state, next to bfloat16 parameters: nothing is lost.

    X = (p << 16) + r as the bits of a float32;  X = X + u;  p = (X + 0x8000) >> 16;  r = X - (p << 16)
    bits=16: r is int16, and the steps are those of float32 parameters bit for bit. bits=8: r is int8,
    rounded stochastically, so that small updates are kept on average. The last link of a chain.
    A parameter set from outside keeps its remainder, less than half of its spacing. Where p + u cannot be p
    (see `towards`), the remainder is made against the sum as it is.
    """
    if bits not in (8, 16) or isinstance(bits, bool):
        raise ValueError(
            f"split_weights: bits is {words.show(bits)}; expected 16, or 8 with stochastic rounding"
        )
    check_seed("split_weights", seed)
    dtype, unused = {16: jnp.int16, 8: jnp.int8}[bits], LOW - bits

    def step(g, s, p, *, leaf, salt):
        if not is_narrow(leaf, "split_weights", jnp.bfloat16):
            return g, s
        p = single(p)
        x = saturated(single(restore(p, s.remainder.astype(jnp.int32) << unused) + g), leaf.dtype)
        if unused:
            x = drop_bits(x, unused, noise(seed, s, salt, x))
        u = towards(p, nearest(x))
        left = remainder(x, landed(p, u, leaf.dtype))
        return u, s._replace(remainder=small_float(left >> unused).astype(dtype))

    low = of_narrow(lambda p: like_parameter(p, dtype), "split_weights", jnp.bfloat16)
    return leafwise(SplitWeightsState, step, ages=False, remainder=low)
