"""gradchain.testing for somebody else's transform: what it reports, and what it says of one that is wrong."""

import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import testing
from gradchain.testing.law import law

DEAR = {law.name: "dear" for law in testing.laws if law.dear or law.slow}
LOCAL = dict.fromkeys(("factory_is_public", "pickles", "copies"), "a local function")


class ScaleByFirstState(NamedTuple):
    count: jax.Array
    mu: dict


@pytest.fixture
def registry():
    """The registry as it was, after a test that enters its own transforms."""
    before = dict(gc.REGISTRY)
    yield
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


def broken_by(tx, **options) -> dict[str, str]:
    """The laws that a transform breaks, with what is said of each."""
    with pytest.raises(AssertionError) as caught:
        testing.check(tx, **options)
    head = str(caught.value).split("\n")[0]
    said = {part.split("'")[0]: part for part in str(caught.value).split(" breaks the law '")[1:]}
    assert f"breaks {len(said)} of {len(testing.laws)} laws" in head
    return said


def test_a_lawful_transform_passes():
    report = testing.check("scale", exempt=DEAR)
    assert set(report.passed) | set(report.not_applicable) == {law.name for law in testing.laws}
    assert "kinds_are_stable" in report.passed
    lines = str(report).splitlines()
    assert len(lines) == 1 + len(testing.laws) and "laws" in lines[0]
    assert any(line.startswith("pickles ") and line.endswith(" passed") for line in lines)


def test_what_does_not_apply_has_a_reason():
    found = testing.subject("stored")
    reasons = {law.name: law.excuse(found) for law in testing.laws}
    assert reasons["float64_is_computed_in_float64"] == (
        "declares 'codes': it keeps state in codes made from float32"
    )
    assert reasons["schedule_is_followed"] == "no hyperparameter of it is a number"
    assert reasons["pickles"] == ""
    names = [case.__name__ for case in testing.laws_for("stored")]
    assert names == [name for name, reason in reasons.items() if not reason]


def test_a_case_runs_its_law():
    cases = {case.__name__: case for case in testing.laws_for(gc.sgd(0.1), exempt=["copies"])}
    assert "copies" not in cases and repr(cases["pickles"]) == "pickles of sgd"
    cases["pickles"]()


def test_a_kernel_that_divides_by_zero(registry):
    @gc.transform(example=lambda: {"eps": 0.0})
    def scale_by_first(eps: gc.Hyper = 1e-8):
        """u = g / (|m| + eps)"""

        def step(g, s):
            mu = s.mu + g
            return g / (jnp.abs(mu) + eps), ScaleByFirstState(s.count, mu)

        return gc.leafwise(ScaleByFirstState, step, mu=gc.slots.zeros)

    found = broken_by(scale_by_first, exempt=LOCAL | DEAR)
    assert "finite_at_zero_and_large_gradients" in found
    assert "['of0']['dense']['bias'] is not finite" in found["finite_at_zero_and_large_gradients"]
    assert "safe_divide" in found["finite_at_zero_and_large_gradients"]
    assert "pickles" not in found and "factory_is_public" not in found


def test_what_cannot_be_pickled_is_said(registry):
    @gc.transform()
    def scale_here():
        """u = g"""
        return gc.leafwise(None, lambda g: g)

    found = broken_by(scale_here, exempt=DEAR)
    assert {"pickles", "factory_is_public"} <= set(found)
    assert "Define the factory in a module" in found["factory_is_public"]


def test_extra_arguments_are_known_or_said(registry):
    @gc.transform()
    def scale_by_luck():
        """u = luck * g"""
        return gc.leafwise(None, lambda g, *, luck: luck * g)

    found = broken_by(scale_by_luck, exempt=LOCAL | DEAR)
    text = "scale_by_luck needs 'luck' in update"
    assert all(
        text in said and "extras={'luck': lambda params, grads: ...}" in said for said in found.values()
    )
    extras = {"luck": lambda params, grads: jnp.float32(0.5)}
    assert "jitted_is_eager" in testing.check(scale_by_luck, extras=extras, exempt=LOCAL | DEAR).passed


def test_a_factory_without_an_example(registry):
    @gc.transform()
    def scale_by_given(size: gc.Hyper):
        """u = size * g"""
        return gc.leafwise(None, lambda g: size * g)

    words = (
        r"scale_by_given cannot be made .* missing .*'size'.*@transform\(example=lambda: \{'size': \.\.\.\}\)"
    )
    with pytest.raises(TypeError, match=words):
        testing.check(scale_by_given)
    assert testing.subject(scale_by_given(2.0)).hypers == {"size": 2.0}


@pytest.mark.parametrize(
    "tx, options, error, words",
    [
        ("scale_by_nothing", {}, ValueError, "no transform of the name 'scale_by_nothing' is registered"),
        (lambda g: g, {}, TypeError, r"testing takes a transform.*found <function.*gc\.foreign"),
        (gc.sgd, {"exempt": ["pickle"]}, ValueError, "no law 'pickle'; did you mean pickles"),
        (gc.sgd, {"traits": ["sparse"]}, ValueError, r"sgd declares \['sparse'\], which no law knows"),
    ],
)
def test_what_cannot_be_checked(tx, options, error, words):
    with pytest.raises(error, match=words):
        testing.check(tx, **options)


def test_traits_of_what_it_is_made_of_count():
    found = testing.subject(gc.chain(gc.sgd(0.1), gc.round_stochastically()))
    assert found.declares("last") and not testing.subject(gc.sgd(0.1)).declares("last")
    assert set().union(*(f.traits for f in gc.REGISTRY.values())) <= set(testing.TRAITS)


def test_flax_need_not_be_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax", None)
    monkeypatch.setitem(sys.modules, "flax.core", None)
    cases = {case.__name__: case for case in testing.laws_for("scale")}
    cases["containers_do_not_matter"]()


def test_given_parameters_are_trained():
    params = {"only": jnp.ones((5, 2))}
    found = testing.subject(gc.sgd(0.1), params=params)
    assert jax.tree.map(lambda x: x.shape, found.problem()[0]) == {"only": (5, 2)}


def test_another_error_is_quoted():
    @law(advice="Do it.")
    def is_impossible(subject):
        """It is possible."""
        raise ZeroDivisionError("by nothing")

    words = (
        r"sgd\(learning_rate=0.1\) breaks the law 'is_impossible': It is possible. Found: ZeroDivisionError"
    )
    with pytest.raises(AssertionError, match=words):
        is_impossible(testing.subject(gc.sgd(0.1)))


# The sample -----------------------------------------------------------------------------------------------


def test_sample_covers_the_catalogue():
    from gradchain.testing.sampling import covers

    of = {name: covers(testing.subject(name).tx) for name in gc.REGISTRY}
    sample = testing.sample()
    assert frozenset().union(*(of[name] for name in sample)) == frozenset().union(*of.values())
    assert len(sample) < len(gc.REGISTRY) and sample == testing.sample()


def test_sample_has_what_covers_most():
    assert testing.sample(["adam", "scale_by_adam", "scale_by_learning_rate"]) == ("adam",)
    assert testing.sample(["scale_by_adam", "trace"]) == ("scale_by_adam", "trace")


# Sensitivity ----------------------------------------------------------------------------------------------


def trajectory(tx):
    grads = jnp.asarray([[1.0, -2.0], [0.5, 3.0], [1e-3, 1.0]])

    def step(carry, g):
        updates, state = tx.update(g, carry[1], carry[0])
        params = carry[0] + updates
        return (params, state), {"p": params}

    params = jnp.ones(2)
    return jax.lax.scan(step, (params, tx.init(params)), grads)[1]


def test_every_number_moves_it(x64):
    moved = testing.sensitive(gc.adam(0.1, b1=0.9, b2=0.99, eps=0.1), trajectory, 1e-7)
    assert {"adam/learning_rate", "adam/b1", "adam/b2", "adam/eps"} <= set(moved)
    assert all(by > 100 for by in moved.values())


def test_a_number_that_cannot_matter_is_named(x64):
    tx = gc.adam(0.1, eps=1e-30)
    words = r"adam/eps = 1e-30 at 9\S+ moves the trajectory by \S+ tolerances; expected more than 100"
    with pytest.raises(AssertionError, match=words):
        testing.sensitive(tx, trajectory, 1e-7)
    testing.sensitive(tx, trajectory, 1e-7, insensitive=["eps"])
    with pytest.raises(AssertionError, match="adam/b1 is said to be insensitive"):
        testing.sensitive(tx, trajectory, 1e-7, insensitive=["eps", "b1"])
    with pytest.raises(ValueError, match="'epsilon'"):
        testing.sensitive(tx, trajectory, 1e-7, insensitive=["epsilon"])
