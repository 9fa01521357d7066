"""Every registered transform's step is at the floor of its traffic, or as far above it as it says and why."""

import functools

import jax
import pytest

import gradchain as gc
from benchmarks.aot.floors import ABOVE, LEFT_OUT, above, is_elementwise, measure, registered
from benchmarks.aot.shapes import few
from gradchain.core.slots import Slot
from gradchain.testing.subjects import subject

NAMES = registered()
SLACK = 0.1  # bytes for each parameter: scalars, and rows of matrices
# In ABOVE though its kernel is for one element: zero_nans, for it says whether a leaf held a NaN.
ELEMENTWISE = [n for n in NAMES if is_elementwise(subject(n).tx) and n != "zero_nans"]


@pytest.mark.parametrize("name", NAMES)
def test_traffic_is_at_its_floor(target, name):
    (due, _), row = above(name, target), measure(target, subject(name).tx)
    assert row.bytes <= row.floor + due + SLACK
    assert not due or row.bytes >= row.floor + 0.5 * due, "it is better than ABOVE says"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_steps_are_one_kernel_for_each_leaf(target, name):
    row = measure(target, subject(name).tx)
    assert row.passes <= 1
    assert row.temp < 0.01


def coded(name):
    """Whether an optimizer keeps moments of its parameters' shapes that a codec may take, and no others."""
    slots = jax.tree.leaves(subject(name).tx.slots({"w": jax.ShapeDtypeStruct((96, 50), "float32")}))
    slots = [s for s in slots if isinstance(s, Slot) and s.shape]
    return bool(slots) and not any(s.exact for s in slots)


def one():
    """One leaf: encoding takes the compilers longer than the rest of a step."""
    return {"matrix": few()["matrix"]}


@functools.cache
def in_log8(name):
    return gc.stored(subject(name).tx, "log8")


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if gc.REGISTRY[n].kind == "optimizer" and coded(n)])
def test_elementwise_state_in_log8_is_one_pass_too(target, name):
    """A number of state is a byte, read and written in the kernel of the step."""
    row, exact = measure(target, in_log8(name), one), measure(target, subject(name).tx)
    assert row.bytes <= row.floor + SLACK
    assert row.floor == pytest.approx(12 + (exact.floor - 12) / 4, abs=SLACK)
    assert row.passes <= 1


def test_what_is_above_its_floor_or_left_out_is_registered():
    assert set(ABOVE) <= set(NAMES)
    assert set(LEFT_OUT) <= set(gc.REGISTRY)
