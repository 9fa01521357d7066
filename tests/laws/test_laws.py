"""The laws of gradchain.testing on every registered transform's example, transform by transform.

What is dear runs on a sample, which has every kernel body and every trait; the slow suite runs it on all:

    derivative_of_two_steps, tangent_of_a_step, derivative_by_hyperparameters
    sharded_like_its_slots, sharded_on_explicit_axes
    scanned_is_eager, vmapped_over_models, vmapped_over_hyperparameters, new_values_compile_nothing
    scalars_and_arrays_without_elements, complex_parameters

In the slow suite alone runs programs_agree_in_other_dtypes. All other laws run on the sample, and a quarter
of them, others for each, on the transforms beside it, whose bodies and traits it has. The slow suite runs
all on all.
"""

import functools
import re

import pytest

import gradchain as gc
from gradchain import testing

NAMES, SAMPLE = sorted(gc.REGISTRY), testing.sample()


@functools.lru_cache(maxsize=2)  # tests come transform by transform, and laws share its programs
def subject(name):
    return testing.subject(name)


def cases():
    for i, name in enumerate(NAMES):
        for k, law in enumerate(testing.laws):
            slow = law.slow or (name not in SAMPLE and (law.dear or (i + k) % 4 > 0))
            yield pytest.param(name, law, marks=[pytest.mark.slow] * slow, id=f"{name}-{law.name}")


@pytest.mark.parametrize("name, law", list(cases()))
def test_law(name, law):
    if reason := law.excuse(subject(name)):
        pytest.skip(reason)
    law(subject(name))


@pytest.mark.parametrize("law", testing.laws, ids=str)
def test_law_applies_to_some(law):
    assert any(not law.excuse(testing.subject(name)) for name in SAMPLE)
    assert law.says and law.advice


def test_what_is_sampled_is_said():
    said = set(re.findall(r"\w+_\w+", __doc__)) & {law.name for law in testing.laws}
    assert said == {law.name for law in testing.laws if law.dear or law.slow}


@pytest.mark.parametrize("name", NAMES)
def test_factory_is_a_public_name(name):
    assert getattr(gc, name).factory is gc.REGISTRY[name]


@pytest.mark.parametrize("name", NAMES)
def test_example_can_be_nudged(name):
    """Where a value is changed, it is another, or laws of hyperparameters would say nothing."""
    found = testing.subject(name)
    assert set(found.nudged) == set(found.hypers) <= set(gc.REGISTRY[name].ranges)
    assert all(found.nudged[k] != v for k, v in found.hypers.items())
