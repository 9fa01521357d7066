"""A state that has lost its classes: every function says which entry, and load_state takes it."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc

PARAMS = {"kernel": jnp.ones((2, 2)), "layers": [jnp.ones(2), jnp.ones(2)]}
TX = gc.skip(gc.partition({"all": gc.adam(gc.tunable(0.1))}, {"**": "all"}))


def opened(node, named=True):
    """A state as a checkpoint without a target gives it back: dicts, or lists, for NamedTuples."""
    if hasattr(node, "_fields"):
        return (
            {k: opened(x) for k, x in node._asdict().items()} if named else [opened(x, named) for x in node]
        )
    if isinstance(node, dict):
        return {k: opened(x, named) for k, x in node.items()}
    return [opened(x, named) for x in node] if isinstance(node, list) else node


STATES = {
    "dicts": opened(TX.init(PARAMS)),
    "lists": opened(TX.init(PARAMS), named=False),
    "one": {**TX.init(PARAMS), "skip": opened(TX.init(PARAMS)["skip"])},
}
state = pytest.mark.parametrize("state", STATES.values(), ids=list(STATES))


@state
@pytest.mark.parametrize(
    "call",
    [
        lambda s: TX.update(PARAMS, s, PARAMS),
        lambda s: jax.eval_shape(TX.step, PARAMS, s, PARAMS),
        lambda s: gc.metrics(s),
        lambda s: gc.hyperparams(TX, s),
        lambda s: gc.set_hyperparams(TX, s, learning_rate=0.2),
        lambda s: gc.eval_params(TX, s, PARAMS),
        lambda s: gc.convert(s, TX, TX, PARAMS),
    ],
    ids=["update", "step", "metrics", "hyperparams", "set_hyperparams", "eval_params", "convert"],
)
def test_the_error_names_the_entry_and_load_state(state, call):
    with pytest.raises(
        ValueError,
        match=r"the entry 'skip' of the state is a (dict|list).*gc\.load_state\(tx, params, state\)",
    ):
        call(state)


@state
def test_load_state_takes_it(state):
    found, report = gc.load_state(TX, PARAMS, state, strict=True)
    assert jax.tree.structure(found) == jax.tree.structure(TX.init(PARAMS))
    assert not [o for o in report.outcomes if o.kind != "loaded"]
    TX.update(PARAMS, found, PARAMS)


def test_a_group_that_lost_its_class():
    tx = gc.partition({"all": gc.adam(0.1)}, {"**": "all"})
    with pytest.raises(ValueError, match="scale_by_adam: the entry 'scale_by_adam' of the state is a dict"):
        tx.update(PARAMS, opened(tx.init(PARAMS)), PARAMS)
    with pytest.raises(ValueError, match=r"partition\('all'\): the state has entries list"):
        tx.update(PARAMS, {"all": []}, PARAMS)


@pytest.mark.parametrize("wrong", [TX, PARAMS, None, 3.0, [jnp.ones(2)]], ids=lambda x: type(x).__name__)
def test_metrics_of_what_is_no_state(wrong):
    with pytest.raises(TypeError, match=r"metrics: the argument is .*expected (its|the) state"):
        gc.metrics(wrong)


def test_metrics_of_a_state_without_entries():
    assert gc.metrics(gc.scale(0.1).init(PARAMS)) == {}


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda s: gc.describe(PARAMS, TX), r"describe\(tx, params\): tx is a dict.*arguments are exchanged"),
        (lambda s: gc.layout(PARAMS, TX), r"layout\(tx, params\): tx is a dict.*exchanged"),
        (lambda s: gc.init(PARAMS, TX), r"init\(tx, params\): tx is a dict.*exchanged"),
        (lambda s: gc.set_hyperparams(s, TX), r"set_hyperparams\(tx, state\): tx is a dict.*exchanged"),
        (lambda s: gc.eval_params(s, TX, PARAMS), r"eval_params\(tx, state, params\): tx is.*exchanged"),
        (lambda s: gc.load_state(s, PARAMS, TX), r"load_state\(tx, params, saved\): tx is a dict.*exchanged"),
        (lambda s: gc.hyperparams(s), r"hyperparams\(tx, state\): tx is a dict; expected a transform"),
        (lambda s: gc.describe(gc.adam, PARAMS), r"tx is a function; .*call the factory first: adam\("),
        (lambda s: gc.eval_params(TX, PARAMS, s), r"eval_params: the state has no entry 'skip' of skip"),
    ],
)  # fmt: skip
def test_exchanged_arguments(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call(TX.init(PARAMS))
