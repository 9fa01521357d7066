"""Errors for authors of algorithms: each names the factory, what came back and what to write."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import Hyper, slots
from gradchain.core.transform import example

PARAMS = {"w": jnp.ones((2, 3))}


class MeanState(NamedTuple):
    count: jax.Array
    mu: Any


@pytest.fixture(autouse=True)
def registry():
    """What a test registers is gone after it."""
    before = dict(gc.REGISTRY)
    yield
    gc.REGISTRY.clear()
    gc.REGISTRY.update(before)


def says(error, *words):
    text = "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])
    missing = [w for w in words if w not in text]
    assert not missing, f"{missing} not in {text!r}"


def link(step: Callable, State=MeanState, **fields) -> gc.Transform:
    """A transform called `mine` of this kernel."""

    def mine():
        return gc.leafwise(State, step, **(fields or ({} if State is None else {"mu": slots.zeros})))

    return gc.transform()(mine)()


def updated(tx: gc.Transform, grads=PARAMS) -> Any:
    return tx.update(grads, tx.init(PARAMS), PARAMS)


# What a kernel returns -------------------------------------------------------------------------------------

RETURNED = {
    "update alone": (lambda g, s: g, ["and no state", "expected (u, s)", "MeanState"]),
    "state alone": (lambda g, s: s, ["returned its state alone", "expected (u, s)"]),
    "exchanged": (lambda g, s: (s, g), ["exchanged", "expected (u, s)"]),
    "three": (lambda g, s: (g, s, s), ["returned 3 values", "expected (u, s)"]),
    "None": (lambda g, s: None, ["returned None", "expected (u, s)"]),
    "no state": (lambda g, s: (g, None), ["None", "expected (u, s)"]),
    "a dict": (lambda g, s: (g, {"mu": g}), ["expected (u, s)"]),
    "shape of u": (lambda g, s: (jnp.sum(g), s), ["of shape []", "[2, 3]", "gradient's shape"]),
    "no array": (lambda g, s: ((g, g), s), ["expected (u, s) with u, an array"]),
    "bool": (lambda g, s: (g > 0, s), ["an update of bool", "jnp.where"]),
    "complex": (lambda g, s: (g * 1j, s), ["an update of complex64", "x.real"]),
    "field": (lambda g, s: (g, s._replace(mu=g[0])), ["mu of shape [3]", "its slot has [2, 3]"]),
    "number": (lambda g, s: (g, s._replace(mu=0.0)), ["mu of shape []", "its slot has [2, 3]"]),
    "None for mu": (lambda g, s: (g, s._replace(mu=None)), ["None for mu", "expected an array"]),
    "complex mu": (lambda g, s: (g, s._replace(mu=g * 1j)), ["mu of complex64", "cannot hold it"]),
}  # fmt: skip


@pytest.mark.parametrize("name", RETURNED)
def test_what_a_kernel_returns(name):
    step, words = RETURNED[name]
    with pytest.raises(ValueError) as e:
        updated(link(step))
    says(e, "mine: the kernel returned", "for the leaf 'w'", *words)
    assert "the state belongs to other parameters" not in str(e.value)


@pytest.mark.parametrize(
    "step, words",
    [
        (lambda g: (g, None), ["expected u, an array"]),
        (lambda g: None, ["returned None", "expected u, an array"]),
        (lambda g: g[0], ["of shape [3]", "[2, 3]"]),
    ],
)
def test_what_a_kernel_without_state_returns(step, words):
    with pytest.raises(ValueError) as e:
        updated(link(step, None))
    says(e, "mine: the kernel returned", "for the leaf 'w'", *words)


def test_integers_for_a_counter_and_numbers_for_a_mean_are_kept():
    """What a field can hold is no error."""
    tx = link(lambda g, s: (jnp.sign(g).astype(int), s._replace(mu=jnp.ones(g.shape, bool))))
    u, state = updated(tx)
    assert u["w"].dtype == jnp.float32 and state["mine"].mu["w"].dtype == jnp.float32


def test_what_a_treewise_function_returns():
    def mine():
        return gc.treewise(MeanState, lambda updates, s, params: updates, mu=slots.zeros)

    with pytest.raises(ValueError) as e:
        updated(gc.transform()(mine)())
    says(e, "mine: the kernel returned", "expected (updates, s)")


# Slots and arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"mu": 0}, ["mine: the slot of 'mu' is 0", "not called", "mu=slots.zeros"]),
        ({"mu": slots.scalar()}, ["mine: the slot of 'mu' is Slot(", "not called", "mu=slots.zeros"]),
        ({"nu": slots.zeros}, ["mine: a slot is given for 'nu'", "MeanState", "count, mu"]),
        (
            {"count": slots.shared(slots.counter)},
            ["mine: MeanState has no slot for its field 'mu'", "mu=slots"],
        ),
    ],
)
def test_slots_that_are_none(fields, words):
    with pytest.raises(TypeError) as e:
        link(lambda g, s: (g, s), **fields)
    says(e, *words)


def test_slot_that_makes_an_array():
    tx = link(lambda g, s: (g, s), mu=lambda p: jnp.zeros(p.shape))
    with pytest.raises(TypeError) as e:
        tx.init(PARAMS)
    says(e, "mine: the slot of 'mu' made", "float32[2, 3]", "expected a Slot")


@pytest.mark.parametrize(
    "step, State, words",
    [
        (lambda: 0, None, ["the kernel is <lambda>()", "step(g) or step(g, p)"]),
        (lambda g, s, p, x: 0, None, ["(g, s, p, x)", "step(g) or step(g, p)"]),
        (lambda g: g, MeanState, ["the kernel is <lambda>(g)", "step(g, s) or step(g, s, p)", "MeanState"]),
        (partial(lambda g, s: (g, s)), MeanState, ["expected a plain function"]),
        (jax.jit(lambda g, s: (g, s)), MeanState, ["expected a plain function", "jitted for you"]),
        (3, MeanState, ["is 3; expected a function"]),
        (lambda g, s: (g, s), dict, ["the state is <class dict>", "NamedTuple"]),
        (lambda g, s: (g, s), MeanState(0, 0), ["the state is MeanState(", "NamedTuple class"]),
    ],
)
def test_kernels_that_are_none(step, State, words):
    with pytest.raises(TypeError) as e:
        link(step, State, mu=slots.zeros) if State is not None else link(step, State)
    says(e, "mine: ", *words)


# Hyperparameters -------------------------------------------------------------------------------------------


def loose(rate=0.1):
    return gc.leafwise(None, lambda g: g * rate)


def test_tunable_without_an_annotation():
    with pytest.raises(TypeError) as e:
        gc.transform()(loose)(gc.tunable(0.1))
    says(e, "loose: rate is tunable(0.1)", "no annotation", "rate: Hyper")


def test_tracer_without_an_annotation():
    factory = gc.transform()(loose)
    with pytest.raises(TypeError) as e:
        jax.jit(lambda rate: factory(rate).update(PARAMS, {}))(0.1)
    says(e, "loose: rate is a traced float32[]", "no annotation", "rate: Hyper")


def test_schedule_without_an_annotation():
    with pytest.raises(TypeError) as e:
        updated(gc.transform()(loose)(lambda step: 0.1))
    says(e, "loose: rate is <function <lambda>>", "no annotation", "rate: Hyper")


def test_python_if_in_a_kernel():
    def branching(rate: Hyper = 0.1):
        return gc.leafwise(None, lambda g: g if rate > 0.05 else -g)

    factory = gc.transform()(branching)
    updated(factory(0.1))  # a number may be compared
    for rate in (gc.tunable(0.1), lambda step: 0.1 / (step + 1), jnp.float32(0.1)):
        with pytest.raises(TypeError) as e:
            updated(factory(rate))
        says(e, "branching: Python's if", "rate (", "write jnp.where(condition, a, b)", "the leaf 'w'")


def test_python_if_on_the_gradient():
    with pytest.raises(TypeError) as e:
        updated(link(lambda g: g if jnp.sum(g) > 0 else -g, None))
    says(e, "mine: Python's if", "write jnp.where(condition, a, b)")


def test_python_if_in_a_body():
    def branching(rate: Hyper = 0.1):
        sign = 1 if rate > 0.05 else -1
        return gc.leafwise(None, lambda g: sign * g)

    with pytest.raises(TypeError) as e:
        jax.jit(lambda rate: gc.transform()(branching)(rate).update(PARAMS, {}))(0.1)
    says(e, "branching: Python's if", "rate (a traced", "jnp.where")


def test_body_that_depends_on_something_traced():
    found = []

    def leaking():
        return gc.leafwise(None, lambda g: g * found[0])

    factory = gc.transform()(leaking)
    jax.jit(lambda x: found.append(x))(2.0)
    with pytest.raises(jax.errors.UnexpectedTracerError) as e:
        updated(factory())
    says(e, "leaking: the factory's body or its kernel uses a traced value", "annotated Hyper")


# Factories -------------------------------------------------------------------------------------------------


def test_decorator_without_a_call():
    @gc.transform
    def mine(rate: Hyper = 0.1):
        return gc.leafwise(None, lambda g: g * rate)

    assert updated(mine(0.5))[0]["w"][0, 0] == 0.5 and gc.REGISTRY["mine"].ranges.keys() == {"rate"}


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: gc.transform("arXiv:1412.6980"), ["@transform('arXiv:1412.6980')", "transform(paper=...)"]),
        (
            lambda: gc.transform(papre="x")(loose),
            ["@transform has no argument 'papre'", "did you mean paper"],
        ),
        (lambda: gc.optimizer(xyz="x")(loose), ["@optimizer has no argument 'xyz'", "it takes paper"]),
    ],
)
def test_decorators(make, words):
    with pytest.raises(TypeError) as e:
        make()
    says(e, *words)


def made(kind, result):
    def mine():
        return result

    return getattr(gc, kind)()(mine)()


@pytest.mark.parametrize(
    "kind, result, words",
    [
        (
            "transform",
            None,
            ["a @transform returns what leafwise(...) made, not None", "does it return anything"],
        ),
        ("transform", gc.adam(0.1), ["not adam(learning_rate=0.1)", "what chains others is an @optimizer"]),
        ("transform", (1, 2), ["not (1, 2)", "chain(...)"]),
        ("optimizer", None, ["a @optimizer returns a transformation", "not None", "does it return anything"]),
        ("optimizer", [gc.adam(0.1)], ["a @optimizer returns a transformation", "chain(...)"]),
        ("optimizer", gc.leafwise(None, lambda g: g), ["a @optimizer returns", "is a @transform"]),
        ("wrapper", 3, ["a @wrapper returns", "not 3"]),
    ],
)
def test_what_a_factory_returns(kind, result, words):
    with pytest.raises(TypeError) as e:
        made(kind, result)
    says(e, "mine: ", *words)


def test_example_that_does_not_run():
    def mine(rate: Hyper):
        return gc.leafwise(None, lambda g: g * rate)

    for found, words in (({}, "rate"), ({"rate": -1}, "rate is -1")):
        gc.transform(example=lambda found=found: found)(mine)
        with pytest.raises((TypeError, ValueError)) as e:
            example("mine")
        says(e, words, "mine: its example does not run", "@transform(example=lambda: {argument: value})")


def test_annotations_that_cannot_be_read():
    def mine(rate: "Nowhere" = 0.1):  # noqa: F821
        return gc.leafwise(None, lambda g: g * rate)

    with pytest.raises(TypeError) as e:
        gc.transform()(mine)
    says(e, "mine: its annotations cannot be read", "'Nowhere'", "import their names at run time")
