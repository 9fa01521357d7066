"""What the TPU v5e and H100 compilers make of a step: bytes of HBM for each parameter, kernels, copies.

The figures do not depend on the machine that runs the compiler; Optax's are from the same run. Scalar work
(counters, bias corrections, a last sum) costs Optax up to two kernels on H100 and none on TPU.
"""

import jax
import pytest

from benchmarks.aot.measure import measure, program
from benchmarks.aot.optimizers import EVERY, GRADCHAIN, optax_rows
from benchmarks.aot.shapes import gpt2, matrix, odd, size

LEAVES = 148
SCALAR_KERNELS = 4  # beside those of the leaves
SCALAR_COPIES = 4
NO_TEMP = 0.01  # bytes for each parameter: scalars and their padding
ACCUMULATE = f"accumulate(adamw, {EVERY})"


def ours(target, name, shapes=gpt2):
    return measure(target, GRADCHAIN[name], shapes)


def optax(target, name, shapes=gpt2):
    return measure(target, optax_rows()[name], shapes)


def per_leaf(figures) -> int:
    """Kernels, array instructions outside kernels included, without the allowance for scalars."""
    return figures.kernels + figures.unfused - SCALAR_KERNELS


def test_the_shapes_are_those_of_gpt2():
    assert len(jax.tree.leaves(gpt2())) == LEAVES
    assert size(gpt2()) == 124_439_808


def test_the_measure_reproduces_optax(target):
    """Its AdamW touches each array once, in one kernel for each leaf, and so it is measured."""
    figures = optax(target, "adamw")
    assert figures.bytes == pytest.approx(28, abs=0.1)
    assert figures.kernels == {"tpu": 148, "h100": 150}[target.name]


@pytest.mark.parametrize(("name", "bytes_each"), [("adamw", 28), ("lion", 20)])
def test_elementwise_optimizers_are_one_pass_in_one_kernel(target, name, bytes_each):
    figures = ours(target, name)
    assert figures.bytes == pytest.approx(bytes_each, abs=0.1)
    assert per_leaf(figures) <= LEAVES
    assert figures.copies <= SCALAR_COPIES
    assert figures.temp < NO_TEMP


@pytest.mark.parametrize("shapes", [matrix, odd])
def test_other_shapes_are_one_pass_too(target, shapes):
    figures = ours(target, "adamw", shapes)
    leaves = len(jax.tree.leaves(shapes()))
    assert figures.bytes == pytest.approx(28, abs=0.1)
    assert per_leaf(figures) <= leaves


def test_clipping_reads_the_gradients_once_more(target):
    figures = ours(target, "clip+adamw")
    assert figures.bytes == pytest.approx(32, abs=0.1)
    assert per_leaf(figures) <= 2 * LEAVES
    assert figures.copies <= SCALAR_COPIES
    assert figures.kernels <= optax(target, "clip+adamw").kernels


def test_adafactor_reads_the_gradients_three_times(target):
    figures, other = ours(target, "adafactor"), optax(target, "adafactor")
    assert figures.bytes <= 25
    assert figures.kernels + figures.unfused + figures.copies <= (other.kernels + other.copies) / 2
    passes = program(target, GRADCHAIN["adafactor"], gpt2).passes()
    grads = {k: n for k, n in passes.items() if k.startswith("grads")}
    params = {k: n for k, n in passes.items() if k.startswith("params")}
    assert len(grads) == len(params) == LEAVES
    assert max(grads.values()) == 3
    assert max(params.values()) == 2


def test_accumulation_pays_for_the_inner_step_only_when_it_is_due(target):
    figures, other = ours(target, ACCUMULATE), optax(target, ACCUMULATE)
    assert figures.least == pytest.approx(12, abs=0.1)  # gradient and accumulator read, accumulator written
    assert figures.average(EVERY) <= 16
    assert figures.copies <= SCALAR_COPIES + 2  # the loop's predicate, in and out
    assert other.average(EVERY) > 2 * figures.average(EVERY)


@pytest.mark.parametrize("name", ["clip+adamw", ACCUMULATE])
def test_nothing_of_the_size_of_the_parameters_is_held(target, name):
    """On one leaf of 256 MB: small ones a TPU may keep in its VMEM of 128 MiB, and count as scratch."""
    assert ours(target, name, matrix).temp < NO_TEMP
