"""State and parameters in fewer bits, as the TPU v5e and H100 compilers make it: bytes, kernels, memory."""

import functools

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from benchmarks.aot.measure import measure
from benchmarks.aot.optimizers import GRADCHAIN, ROUNDED, STORED
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


@pytest.mark.parametrize("leaf", ["matrix", "qkv", "embedding"])
@pytest.mark.parametrize(("dtype", "bytes_each"), [(jnp.float32, 14), (jnp.bfloat16, 8)])
def test_log4_is_14_bytes(target, leaf, dtype, bytes_each):
    """Within 1 % for exponents and scalars, in a step that does not measure them.

    A step that does reads gradients and codes once more; XLA for GPU keeps the moments of a small leaf then.
    """
    figures = measure(target, STORED["adamw+log4"], alone(leaf, dtype))
    assert figures.least < 1.01 * bytes_each
    assert figures.bytes - figures.least < (5.1 if target.name == "tpu" else 21.1)
    assert figures.temp < (0.3 if target.name == "tpu" else 8.1)


@pytest.mark.parametrize(("dtype", "bytes_each"), [(jnp.float32, 13), (jnp.bfloat16, 7)])
def test_log4_of_one_moment_is_13_bytes(target, dtype, bytes_each):
    assert measure(target, lion4, alone("qkv", dtype)).least < 1.01 * bytes_each


def lion4():
    """A moment in half a byte."""
    return gc.stored(gc.lion(1e-3), "log4")


@pytest.mark.parametrize("leaf", ["matrix", "odd"])
def test_log8_computes_71_numbers_more_than_float32(target, leaf):
    """For each parameter, decoding and encoding two moments; the hash of the noise is computed once."""
    coded = measure(target, STORED["adamw+log8"], alone(leaf)).operations
    assert coded - measure(target, GRADCHAIN["adamw"], alone(leaf)).operations == pytest.approx(71, abs=0.1)


def test_log8_is_estimated_to_take_what_its_memory_takes(target):
    """In XLA for TPU's cycles, in proportion to those of AdamW in float32, which is bound by its 28 bytes."""
    coded, plain = (
        measure(target, make, alone("matrix")) for make in (STORED["adamw+log8"], GRADCHAIN["adamw"])
    )
    if target.name == "tpu":
        assert coded.cycles / plain.cycles < 1.05 * 16 / 28
    else:
        assert coded.cycles == plain.cycles == 0  # not said there


@pytest.mark.parametrize("codec", ["bfloat16", "bfloat16_stochastic"])
def test_bfloat16_moments_are_20_bytes(target, codec):
    check(measure(target, STORED[f"adamw+{codec}"], all_of(jnp.float32)), target, 20, len(LEAVES))


OTHERS = {  # bytes of a step: p 8, g 4, and two for each moment in log8
    "lion": (lambda: gc.lion(1e-3), 14),
    "momentum": (lambda: gc.sgd(1e-3, momentum=0.9), 14),
    "amsgrad": (lambda: gc.amsgrad(1e-3), 18),
    "clip": (lambda: gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-3)), 20),  # g is read twice
    "skip": (lambda: gc.skip(gc.adamw(1e-3)), 20),
    "accumulate": (lambda: gc.accumulate(gc.adamw(1e-3), 8), 28),  # when a step is due; else 12
}


@functools.cache
def in_log8(name):
    return lambda: gc.stored(OTHERS[name][0](), "log8")


@pytest.mark.parametrize("name", OTHERS)
def test_any_optimizer_is_as_good(target, name):
    figures = measure(target, in_log8(name), alone("qkv"))
    assert figures.bytes == pytest.approx(OTHERS[name][1], abs=TINY)
    assert figures.temp < TINY or target.name == "tpu"  # a TPU keeps g in VMEM between two passes


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
