"""Every factory refuses wrong input in words: what it declares, and what follows from its signature."""

import ast
import inspect
import itertools
import math
import pickle
import pydoc
import re
import textwrap
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import testing
from gradchain.core import transform
from gradchain.core.hyper import Tunable
from gradchain.core.kinds import DTYPE, NO, PLAIN
from gradchain.testing.problems import array, problem

every = pytest.mark.parametrize("name", sorted(gc.REGISTRY))
TRUTH, THREE = jnp.ones((), bool), jnp.ones(3)
# All arguments of a factory in one test: there are thousands of them.
ranged = pytest.mark.parametrize("name", [n for n in sorted(gc.REGISTRY) if gc.REGISTRY[n].ranges])
kinded = pytest.mark.parametrize("name", [n for n in sorted(gc.REGISTRY) if gc.REGISTRY[n].kinds])


def make(name: str, **changes) -> gc.Transform:
    """The registered transform with the arguments that its factory declares as an example."""
    factory = gc.REGISTRY[name]
    return transform.make(factory, (), {**factory.example(), **changes})


def message(error) -> str:
    return "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])


def refused(name: str, changes: dict[str, Any], error, *words: str) -> None:
    """Assert that a factory refuses its example with these arguments, in these words."""
    try:
        made = make(name, **changes)
    except error:
        e = pytest.ExceptionInfo.from_current()
    else:
        pytest.fail(f"{name} takes {changes}: {made!r}"[:1000])
    missing = [w for w in (name, *words) if w not in message(e)]
    assert not missing, f"{missing} not in {message(e)!r}"
    assert len(str(e.value)) < 1000


@every
def test_what_a_factory_declares(name):
    for changes, error, words in gc.REGISTRY[name].errors():
        refused(name, dict(changes), error, *words)


def test_some_factories_declare_errors():
    assert {n for n, f in gc.REGISTRY.items() if f.errors()} >= {"muon", "scale_by_muon", "lars", "partition"}


@ranged
def test_hyperparameters_out_of_range(name):
    """The error names factory, argument and value: NaN, and what lies outside of its range by one step."""
    for argument, allowed in gc.REGISTRY[name].ranges.items():
        bad = [math.nan, gc.tunable(math.nan)]
        bad += [allowed.low - 1, gc.tunable(allowed.low - 1)] if allowed.low > -math.inf else []
        bad += [allowed.high + 0.5, 10 * allowed.high] if allowed.high < math.inf else []
        bad += [allowed.low + 0.5] if allowed.integer else []
        for value in bad:
            number = value.value if isinstance(value, Tunable) else value
            refused(name, {argument: value}, ValueError, f"{argument} is {number!r}", "expected")


@ranged
def test_hyperparameters_of_another_kind(name):
    no_numbers = ("0.1", True, [0.1], {"a": 1}, gc.identity(), TRUTH, object())
    for argument, allowed in gc.REGISTRY[name].ranges.items():
        for value in no_numbers:
            refused(name, {argument: value}, TypeError, f"{argument} is ", "expected a")
        refused(name, {argument: THREE}, ValueError, argument, "shape (3,)", "expected a scalar")
        if not allowed.optional:
            refused(name, {argument: None}, TypeError, f"{argument} is None", "leave it out")


@ranged
def test_schedules_that_give_no_number(name):
    """The link that calls the schedule is named, with its own name for the argument."""
    bad = {
        "returned None": lambda step: None,
        "returned 'x'": lambda step: "x",
        "float32[3]": lambda step: THREE,
        "lambda step: ...": lambda: 0.1,
        "has not been called": gc.constant_schedule,
    }
    for argument, (words, schedule) in itertools.product(gc.REGISTRY[name].ranges, bad.items()):
        try:
            make(name, **{argument: schedule})
        except (TypeError, ValueError) as error:
            assert words in str(error) and ": the schedule <" in str(error), str(error)
        else:  # an optimizer that does not use the argument in its example
            assert gc.REGISTRY[name].kind == "optimizer", f"{name} takes {words} for {argument}"


@kinded
def test_other_arguments_of_another_kind(name):
    for argument, kind in gc.REGISTRY[name].kinds.items():
        for value in ("false", 0.5, b"x", object(), 1j, {1, 2}):
            if kind.read(value) is not value:
                words = (f"{argument} is ", f"expected {kind.name}"[:30])
                refused(name, {argument: value}, (TypeError, ValueError), *words)
        if kind in (PLAIN[bool], PLAIN[int], PLAIN[float], DTYPE):
            refused(name, {argument: "x" * 10**5}, TypeError, f"{argument} is 'xxx", "...")


@every
def test_unknown_arguments(name):
    if not gc.REGISTRY[name].variadic:
        refused(name, {"nonsense": 1}, TypeError, "no argument 'nonsense'")
        refused(name, {"\x1b" * 10**5: 1}, TypeError, "no argument", "...")


@every
def test_arguments_that_are_missing(name):
    factory = gc.REGISTRY[name]
    needed = [k for k, p in factory.signature.parameters.items() if p.default is p.empty]
    if needed and not factory.variadic:
        with pytest.raises(
            TypeError, match=rf"^{name}\(\): missing a required argument: '{needed[0]}'; signature"
        ):
            getattr(gc, name)()


@every
def test_methods_of_a_factory(name):
    for method in ("init", "update", "step", "slots", "replace"):
        with pytest.raises(
            TypeError, match=rf"^{name} is a function .*call it first, {name}\(.*\)\.{method}\("
        ):
            getattr(getattr(gc, name), method)(1, 2)


@every
def test_a_factory_is_still_a_function(name):
    """What names it, documents it, types it and pickles it sees a plain function."""
    factory = getattr(gc, name)
    assert inspect.isfunction(factory) and factory.__name__ == factory.__qualname__ == name
    assert inspect.signature(factory) == inspect.signature(gc.REGISTRY[name].fn)
    assert pickle.loads(pickle.dumps(factory)) is factory
    assert factory.__doc__ and factory.__doc__.splitlines()[0] in pydoc.plain(pydoc.render_doc(factory))


WHOLE = [
    (n, k)
    for n, factory in sorted(gc.REGISTRY.items())
    for k, kind in factory.kinds.items()
    if kind.read(2**31) is not NO
]


@pytest.mark.slow
@pytest.mark.parametrize("name, argument", WHOLE)
def test_numbers_that_an_int32_cannot_hold(name, argument):
    """A factory refuses them by its name, or a step can be traced: seeds, thresholds, limits."""
    for value in (2**31, 2**63, 10**400):
        try:
            tx = make(name, **{argument: value})
            subject, (params, (grads,)) = testing.subject(tx), problem(shapes=SHAPES, steps=1)
            more = subject.extra(tx, params, grads)
            step = lambda g, p, tx=tx, more=more: tx.update(g, tx.init(p), p, **more)  # noqa: E731
            jax.eval_shape(step, subject.gradients(grads), params)
        except (ValueError, UserWarning) as error:
            assert names_a_link(SimpleNamespace(value=error)), error


# The wrong tree --------------------------------------------------------------------------------------------

SHAPES = {"a": array(4, 3), "b": array(3)}


def links(tx: gc.Transform) -> set[str]:
    """The names of a transform and of all that is inside of it."""
    return {tx.name}.union(*(links(inside.tx) for inside in tx.body.inside()))


def names_a_link(error) -> bool:
    """Whether the message begins with the name of something registered."""
    return re.match(r"\w*", str(error.value))[0] in gc.REGISTRY


@every
def test_state_of_another_optimizer(name):
    tx, (params, (grads,)) = make(name), problem(shapes=SHAPES, steps=1)
    more = testing.subject(tx).extra(tx, params, grads)
    for state in ({"nothing": ()}, None, params, [tx.init(params)]):
        if not tx.body.keys:  # it keeps none, and gives back whatever stands for that
            assert tx.update(grads, state, params, **more)[1] is state
            continue
        with pytest.raises(ValueError) as e:
            tx.update(grads, state, params, **more)
        assert tx.name in message(e) and "tx.init(params)" in message(e)


@every
def test_gradients_of_another_structure(name):
    """Whatever keeps something for each leaf, or compares gradients with parameters, says what is missing."""
    tx, (params, (grads,)) = make(name), problem(shapes=SHAPES, steps=1)
    state, more = tx.init(params), testing.subject(tx).extra(tx, params, grads)
    with pytest.raises(ValueError) as e:
        tx.step({"a": grads["a"]}, state, params, **more)
    assert "'b'" in message(e) and names_a_link(e), message(e)


@every
def test_parameters_that_are_missing(name):
    tx, (params, (grads,)) = make(name), problem(shapes=SHAPES, steps=1)
    subject = testing.subject(tx)
    more = subject.extra(tx, params, grads)
    try:
        jax.eval_shape(lambda g, s: tx.update(g, s, **more), subject.gradients(grads), tx.init(params))
    except ValueError as error:
        assert "needs the parameters" in str(error) and any(n in str(error) for n in links(tx)), error


@every
def test_parameters_that_are_no_arrays(name):
    tx = make(name)
    if not any(tx.body.acts({"a": jnp.ones((4, 3)), "b": jnp.ones(3)})):
        pytest.skip("acts on no leaf by itself")
    for leaf in ("text", object()):
        with pytest.raises(TypeError) as e:
            tx.init({"a": jnp.ones((4, 3)), "b": leaf})
        assert name in message(e) and "'b'" in message(e)


# Nothing is ignored ----------------------------------------------------------------------------------------


@every
def test_every_argument_is_used(name):
    """No argument stands in a signature without being read in the body, or left out on purpose by `del`."""
    fn = gc.REGISTRY[name].fn
    tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    (function,) = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    read = {
        n.id
        for part in function.body
        for n in ast.walk(part)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    read |= {
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)
    }  # on purpose
    unused = set(gc.REGISTRY[name].signature.parameters) - read
    assert not unused, f"{name} ignores {sorted(unused)}"


@every
def test_renamed_arguments(name):
    """Another library's name of an argument is understood, and given twice it is an error."""
    factory = gc.REGISTRY[name]
    for theirs, ours in factory.renamed.items():
        assert ours in factory.signature.parameters and theirs not in factory.signature.parameters
        value = make(name).args[ours]
        args = {k: v for k, v in factory.example().items() if k != ours}
        assert getattr(gc, name)(**args, **{theirs: value}) == make(name)
        with pytest.raises(TypeError, match=f"^{name}.*are one argument: give {ours}"):
            getattr(gc, name)(**args, **{theirs: value, ours: value})
