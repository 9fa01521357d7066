"""The laws of gradchain.testing on every registered transform's example, transform by transform.

The quick suite runs a fixed number of cases, however many transforms there are, the slow suite all of them.
Three quarters of them are on the sample, which has every kernel body and every trait. These laws are dear,
and run in fewer cases, on the sample alone:

    derivative_of_two_steps, tangent_of_a_step, derivative_by_hyperparameters
    sharded_like_its_slots, sharded_on_explicit_axes
    scanned_is_eager, vmapped_over_models, vmapped_over_hyperparameters, new_values_compile_nothing
    scalars_and_arrays_without_elements, complex_parameters

In the slow suite alone runs programs_agree_in_other_dtypes.
"""

import functools
import re

import pytest

import gradchain as gc
from gradchain import testing
from tests.sampled import spread

NAMES, SAMPLE = sorted(gc.REGISTRY), testing.sample()


@functools.lru_cache(maxsize=2)  # tests come transform by transform, and laws share its programs
def subject(name):
    return testing.subject(name)


CHEAP, DEAR = 1300, 300  # cases in the quick suite


def cases():
    cheap = [law for law in testing.laws if not law.dear and not law.slow]
    dear = [law for law in testing.laws if law.dear]
    others = [name for name in NAMES if name not in SAMPLE]
    quick = (
        spread(SAMPLE, dear, DEAR) | spread(SAMPLE, cheap, CHEAP * 3 // 4) | spread(others, cheap, CHEAP // 4)
    )
    for name in NAMES:
        for law in testing.laws:
            marks = [] if (name, law) in quick else [pytest.mark.slow]
            yield pytest.param(name, law, marks=marks, id=f"{name}-{law.name}")


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
