"""Programs written for Optax run on gradchain.optax with the same numbers, and most of them on gradchain."""

import functools

import jax
import numpy as np
import pytest
from expected import DEPARTURES, PLAIN, SLOW
from running import changed, module, programs

PROGRAMS = programs()
pytestmark = pytest.mark.filterwarnings("ignore")  # libraries warn of each other


def cases(reasons):
    """Each program, those that are known to fail with the reason."""
    made = []
    for program in PROGRAMS:
        marks = [pytest.mark.slow] if program.name in SLOW else []
        if program.name in reasons:
            marks.append(pytest.mark.xfail(strict=True, reason=reasons[program.name]))
        made.append(pytest.param(program, id=f"{program.file}-{program.name}", marks=marks))
    return made


@functools.cache
def expected(program):
    """What a program returns with Optax itself."""
    return program.run("optax")


@pytest.mark.parametrize("program", cases(DEPARTURES))
def test_numbers_are_optaxs(program):
    found, theirs = program.run("gradchain.optax"), expected(program)
    found, theirs = (dict(jax.tree_util.tree_leaves_with_path(x)) for x in (found, theirs))
    assert list(found) == list(theirs)
    for path, number in found.items():
        np.testing.assert_allclose(
            number, theirs[path], rtol=1e-4, atol=1e-6, err_msg=jax.tree_util.keystr(path)
        )


@pytest.mark.slow  # the quick suite has the same transforms under gradchain.optax
@pytest.mark.parametrize("program", cases(PLAIN))
def test_runs_on_gradchain_itself(program):
    assert jax.tree.leaves(program.run("gradchain"))


def test_one_import_is_changed():
    source = "import optax\nfrom optax import adam\nfrom optax.losses import l2_loss\nx = optax.sgd\n"
    assert changed(source, "gradchain.optax") == (
        "import gradchain.optax as optax\nfrom gradchain.optax import adam\n"
        "from gradchain.optax.losses import l2_loss\nx = optax.sgd\n"
    )
    for file in {program.file for program in PROGRAMS if set(program.needs) <= {"jax", "optax"}}:
        assert module(file, "gradchain").__dict__.get("optax", jax) is not module(file, "optax").__dict__.get(
            "optax"
        )


def test_names_of_programs_are_theirs_alone():
    names = [program.name for program in PROGRAMS]
    assert len(names) == len(set(names)) >= 90
    assert {*DEPARTURES, *PLAIN, *SLOW} <= set(names)
