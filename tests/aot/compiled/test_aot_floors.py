"""Registered transforms' steps are at the floor of their traffic, or as far above it as they say and why.

`make test-aot` compiles a sample of them, whose size does not grow with the catalogue; the others are slow:
`make test-aot ARGS="-m aot"` compiles all.
"""

import collections

import jax
import pytest

import gradchain as gc
from benchmarks.aot.floors import (
    ABOVE,
    ABOVE_IN_LOG8,
    LEFT_OUT,
    above,
    coded,
    measure,
    measure_log8,
    one,
    one_kernel,
    registered,
)
from benchmarks.aot.measure import floor
from gradchain.testing.subjects import links, subject
from tests.sampled import covering, slow_but

NAMES = registered()
SLACK = 0.1  # bytes for each parameter: scalars, and rows of matrices
MOST, MOST_IN_LOG8 = 60, 15


def structure(name):
    """What may make a step another program: family, traits, its links' classes, arrays of state."""
    found = subject(name)
    shapes = [
        s.shape for s in jax.tree.leaves(found.tx.slots({"w": jax.ShapeDtypeStruct((96, 50), "float32")}))
    ]
    arrays = tuple(sorted(collections.Counter(min(len(shape), 3) for shape in shapes if shape).items()))
    bodies = {type(link.body) for link in links(found.tx)}
    return {
        ("family", gc.REGISTRY[name].family),
        ("arrays", arrays),
        one_kernel(name),
        *found.traits,
        *bodies,
    }


SAMPLE = covering({name: structure(name) for name in NAMES}, MOST)
CODED = [name for name in NAMES if coded(name)]
SAMPLE_IN_LOG8 = covering({name: structure(name) for name in CODED}, MOST_IN_LOG8)


@pytest.mark.parametrize("name", slow_but(NAMES, SAMPLE))
def test_traffic_is_at_its_floor(target, name):
    (due, _), row = above(name, target), measure(target, subject(name).tx)
    assert row.bytes <= row.floor + due + SLACK
    assert not due or row.bytes >= row.floor + 0.5 * due, "it is better than ABOVE says"
    if one_kernel(name):
        assert row.passes <= 1
        assert row.temp < 0.01


@pytest.mark.parametrize("name", slow_but(CODED, SAMPLE_IN_LOG8))
def test_elementwise_state_in_log8_is_one_pass_too(target, name):
    """A number of state is a byte, read and written in the kernel of the step."""
    (due, _), row = above(name, target, log8=True), measure_log8(target, name)
    assert row.bytes <= row.floor + due + SLACK
    exact = floor(one(), jax.eval_shape(subject(name).tx.init, one()))
    assert row.floor == pytest.approx(12 + (exact - 12) / 4, abs=SLACK)
    assert due or row.passes <= 1


def test_the_samples_are_no_larger_than_they_may_be():
    assert len(SAMPLE) <= MOST and len(SAMPLE_IN_LOG8) <= MOST_IN_LOG8
    assert {gc.REGISTRY[name].family for name in SAMPLE} == {gc.REGISTRY[name].family for name in NAMES}


def test_what_is_above_its_floor_or_left_out_is_registered():
    assert set(ABOVE) <= set(NAMES)
    assert set(ABOVE_IN_LOG8) <= set(CODED)
    assert set(LEFT_OUT) <= set(gc.REGISTRY)
