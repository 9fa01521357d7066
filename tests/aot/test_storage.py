"""State and parameters in fewer bits, as the TPU v5e and H100 compilers make it: bytes, kernels, memory."""

import functools

import jax
import jax.numpy as jnp
import pytest

from benchmarks.aot.measure import measure
from benchmarks.aot.optimizers import ROUNDED, STORED
from benchmarks.aot.shapes import STORED as LEAVES
from benchmarks.aot.shapes import abstract, storage

SCALARS = {"tpu": 0, "h100": 6}  # kernels of counters, bias corrections and the noise's key
TINY = 0.03  # bytes a parameter: the scalars of a leaf of 33,000 numbers


@functools.cache
def alone(name, dtype=jnp.float32):
    """One of the leaves by itself, the same function for the same leaf, as `measure` remembers."""
    return lambda: {"kernel": abstract(*LEAVES[name], dtype=dtype)}


@functools.cache
def all_of(dtype):
    return lambda: storage(dtype)


def check(figures, target, bytes_each, kernels, slack=TINY):
    assert figures.bytes == pytest.approx(bytes_each, abs=slack)
    assert figures.kernels + figures.unfused <= kernels + SCALARS[target.name]
    assert figures.temp < TINY


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize(("dtype", "bytes_each"), [(jnp.float32, 16), (jnp.bfloat16, 10)])
def test_log8_is_one_pass_in_one_kernel(target, leaf, dtype, bytes_each):
    check(measure(target, STORED["adamw+log8"], alone(leaf, dtype)), target, bytes_each, 1)


@pytest.mark.parametrize("codec", ["bfloat16", "bfloat16_stochastic"])
def test_bfloat16_moments_are_20_bytes(target, codec):
    check(measure(target, STORED[f"adamw+{codec}"], all_of(jnp.float32)), target, 20, len(LEAVES))


FLOORS = {"round_stochastically": 22, "kahan": 26, "split_weights": 26, "master_weights": 30}


@pytest.mark.parametrize("last", FLOORS)
def test_parameters_in_bfloat16_are_within_5_percent_of_the_floor(target, last):
    """p 2 + 2, g 2, m and v 16, and what the link keeps, read and written once."""
    for name, saved in [(f"adamw+{last}", 0), (f"adamw+{last}+log8", 12)]:
        figures = measure(target, ROUNDED[name], all_of(jnp.bfloat16))
        floor = FLOORS[last] - saved
        assert figures.floor == pytest.approx(floor, abs=TINY)
        check(figures, target, floor, len(LEAVES), slack=0.05 * floor)


def test_state_is_two_bytes(target):
    tx, params = STORED["adamw+log8"](), storage()
    kept = jax.eval_shape(tx.init, params)
    size = sum(x.size for x in jax.tree.leaves(params))
    assert sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(kept)) / size == pytest.approx(2, abs=1e-5)
    donated = measure(target, STORED["adamw+log8"], all_of(jnp.float32))
    assert donated.temp < 1e-3
