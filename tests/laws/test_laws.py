"""The laws of gradchain.testing on every registered transform's example, transform by transform.

The quick suite runs a fixed number of cases, however many transforms there are, the slow suite all of them:
every law and every transform is met. Most cases are on the sample, which has every kernel body and every
trait. A case on matrices costs ten of the others, so there are fewer of them. These laws are dear, and run
in fewer cases, on the sample alone:

    derivative_of_two_steps, tangent_of_a_step, derivative_by_hyperparameters
    sharded_like_its_slots, sharded_on_explicit_axes
    scanned_is_eager, vmapped_over_models, vmapped_over_hyperparameters, new_values_compile_nothing
    scalars_and_arrays_without_elements, complex_parameters

In the slow suite alone runs programs_agree_in_other_dtypes.
"""

import functools
import itertools
import re

import pytest

import gradchain as gc
from gradchain import testing
from tests.sampled import spread

NAMES, SAMPLE = sorted(gc.REGISTRY), testing.sample()


@functools.lru_cache(maxsize=2)  # tests come transform by transform, and laws share its programs
def subject(name):
    return testing.subject(name)


MATRICES = {name for name in NAMES if testing.subject(name).declares("matrices")}
# Cases in the quick suite: of dear laws, of cheap ones on the sample, of cheap ones on all other transforms.
CASES = {False: (150, 660, 180), True: (50, 150, 60)}  # on matrices: True


def quick() -> set[tuple]:
    """(name, law) of the quick suite."""
    cheap = [law for law in testing.laws if not law.dear and not law.slow]
    dear = [law for law in testing.laws if law.dear]
    found = set()
    for matrices, most in CASES.items():
        names = [name for name in NAMES if (name in MATRICES) == matrices]
        sample = [name for name in names if name in SAMPLE]
        others = [name for name in names if name not in SAMPLE]
        for rows, laws, cells in zip((sample, sample, others), (dear, cheap, cheap), most, strict=True):
            found |= spread(rows, laws, max(cells, len(rows)))  # none is left out
    return found


def pytest_generate_tests(metafunc):
    """Where the quick suite is asked for, the others are not even made: they are five times as many."""
    if metafunc.function is test_law:
        now, alone = quick(), "not slow" in metafunc.config.getoption("markexpr")
        cases = [
            pytest.param(*case, marks=[] if case in now else pytest.mark.slow, id=f"{case[0]}-{case[1].name}")
            for case in itertools.product(NAMES, testing.laws)
            if case in now or not alone
        ]
        metafunc.parametrize("name, law", cases)


def test_law(name, law):
    if reason := law.excuse(subject(name)):
        pytest.skip(reason)
    law(subject(name))


@pytest.mark.parametrize("law", testing.laws, ids=str)
def test_law_applies_to_some(law):
    assert any(not law.excuse(testing.subject(name)) for name in SAMPLE)
    assert law.says and law.advice


def test_the_quick_suite_meets_every_law_and_every_transform():
    found = quick()
    assert {name for name, _ in found} == {*NAMES} and len(found) < 1500
    assert {law for _, law in found} == {law for law in testing.laws if not law.slow}


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
