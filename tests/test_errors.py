"""Wrong input is refused in words that name the link, the leaf's path, what was found and what to do."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gradchain as gc

PARAMS = {"encoder": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}, "head": {"kernel": jnp.ones((2, 4))}}
GRADS = PARAMS
CHAIN = gc.chain(gc.scale_by_adam(), gc.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.1))


@pytest.fixture(params=["eager", "jit"])
def call(request):
    """update(tx, grads, state, params), eager or under jit: the words are the same."""

    def update(tx, *args, **extra):
        run = tx.update if request.param == "eager" else jax.jit(tx.update)
        return run(*args, **extra)

    return update


def without(tree, group, name=None):
    """The tree less one group, or less one leaf of it."""
    if name is None:
        return {k: v for k, v in tree.items() if k != group}
    return {**tree, group: {k: v for k, v in tree[group].items() if k != name}}


def says(error, *words):
    text = "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])
    missing = [w for w in words if w not in text]
    assert not missing, f"{missing} not in {text!r}"


# The wrong tree --------------------------------------------------------------------------------------------


def test_gradient_missing(call):
    with pytest.raises(ValueError) as e:
        call(CHAIN, without(GRADS, "encoder", "bias"), CHAIN.init(PARAMS), PARAMS)
    says(e, "scale_by_adam", "'encoder/bias'", "initialise with the parameters that you take gradients of")


def test_gradient_too_many(call):
    with pytest.raises(ValueError) as e:
        call(CHAIN, {**GRADS, "extra": jnp.ones(1)}, CHAIN.init(PARAMS), PARAMS)
    says(e, "scale_by_adam", "'extra'", "4 leaves", "3 leaves")


def test_state_of_other_parameters(call):
    state = CHAIN.init(without(PARAMS, "head"))
    with pytest.raises(ValueError) as e:
        call(CHAIN, GRADS, state, PARAMS)
    says(e, "scale_by_adam", "'head/kernel'", "mu")


def test_none_in_gradients_only(call):
    grads = {**GRADS, "head": {"kernel": None}}
    with pytest.raises(ValueError) as e:
        call(CHAIN, grads, CHAIN.init(PARAMS), PARAMS)
    says(e, "scale_by_adam", "'head/kernel'")


def test_other_containers():
    from flax.core import FrozenDict

    with pytest.raises(ValueError) as e:
        CHAIN.update(FrozenDict(GRADS), CHAIN.init(PARAMS), PARAMS)
    says(e, "scale_by_adam", "the same leaves in different containers", "FrozenDict and dict")


def test_leaves_of_one_path(call):
    """As keys of a dict they would be one leaf, and the other one lost."""
    params = {"a/b": jnp.ones(2), "a": {"b": jnp.ones(2)}}
    tx = gc.masked(gc.scale(2.0), "a/**")
    with pytest.raises(ValueError) as e:
        call(tx, params, {}, params)
    says(e, "two leaves have the path 'a/b'", "rename one")


# The wrong array -------------------------------------------------------------------------------------------


def test_gradient_of_another_shape(call):
    grads = {**GRADS, "head": {"kernel": jnp.ones((4, 2))}}
    with pytest.raises(ValueError) as e:
        call(CHAIN, grads, CHAIN.init(PARAMS), PARAMS)
    says(e, "scale_by_adam", "'head/kernel'", "[4, 2]", "[2, 4]")


def test_state_of_another_shape(call):
    other = {**PARAMS, "head": {"kernel": jnp.ones((2, 5))}}
    with pytest.raises(ValueError) as e:
        call(CHAIN, GRADS, CHAIN.init(other), PARAMS)
    says(e, "scale_by_adam", "'head/kernel'", "mu", "[2, 5]", "[2, 4]", "make a new one with tx.init(params)")


@pytest.mark.parametrize(
    "leaf, found",
    [
        (np.arange(3, dtype=np.int32), "int32[3]"),
        (jnp.zeros(2, jnp.bool_), "bool[2]"),
        (0.5, "0.5"),
        ("text", "'text'"),
    ],
    ids=["integer", "bool", "number", "text"],
)
@pytest.mark.parametrize("method", ["init", "slots"])
def test_parameter_is_no_floating_point_array(leaf, found, method):
    with pytest.raises(TypeError) as e:
        getattr(CHAIN, method)({**PARAMS, "steps": {"seen": leaf}})
    says(e, "chain", "'steps/seen'", found, "expected a floating-point array", "masked(tx, ")


def test_kernel_that_fails_names_the_leaf():
    def broken():
        return gc.leafwise(None, lambda g: g @ jnp.ones((7, 7)))

    tx = gc.transform()(broken)()
    try:
        with pytest.raises(TypeError) as e:
            tx.update(GRADS, {}, PARAMS)
        says(e, "broken", "'encoder/bias'", "[2]", "float32")
    finally:
        del gc.REGISTRY["broken"]


# The wrong call --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tx", [gc.add_decayed_weights(0.1), CHAIN, gc.masked(gc.add_decayed_weights(0.1), "**")]
)
def test_parameters_missing(tx, call):
    with pytest.raises(ValueError) as e:
        call(tx, GRADS, tx.init(PARAMS))
    says(e, "add_decayed_weights needs the parameters", "tx.update(grads, state, params)")


def test_extra_argument_missing(call):
    def scale_by_value():
        def update(updates, params, *, value):
            return jax.tree.map(lambda u: u * value, updates)

        return gc.treewise(None, update)

    link = gc.transform()(scale_by_value)()
    try:
        for tx in (link, gc.chain(gc.scale(1.0), link), gc.chain(gc.masked(link, "**"), gc.scale(1.0))):
            with pytest.raises(TypeError) as e:
                call(tx, GRADS, tx.init(PARAMS), PARAMS)
            says(e, "scale_by_value", "needs 'value'", "value=...")
    finally:
        del gc.REGISTRY["scale_by_value"]


@pytest.mark.parametrize(
    "state, found",
    [
        (gc.scale_by_amsgrad().init(PARAMS), "['scale_by_amsgrad']"),
        ({}, "[]"),
        (optax.adam(0.1).init(PARAMS), "tuple"),
        (None, "NoneType"),
        (PARAMS, "['encoder', 'head']"),
    ],
    ids=["another", "empty", "optax", "none", "parameters"],
)
def test_state_of_another_optimizer(state, found, call):
    with pytest.raises(ValueError) as e:
        call(CHAIN, GRADS, state, PARAMS)
    says(
        e,
        "chain",
        found,
        "['scale_by_adam', 'scale_by_learning_rate']",
        "make a new one with tx.init(params)",
    )


def test_parameters_and_state_exchanged(call):
    with pytest.raises(ValueError) as e:
        call(CHAIN, GRADS, PARAMS, CHAIN.init(PARAMS))
    says(e, "chain", "['encoder', 'head']")


# The wrong argument of a factory ---------------------------------------------------------------------------


def test_factory_not_called():
    for compose in (gc.chain, lambda f: gc.masked(f, "**"), lambda f: gc.partition({"a": f}, {"**": "a"})):
        with pytest.raises(TypeError) as e:
            compose(gc.scale_by_adam)
        says(e, "is not a gradient transformation", "call it: scale_by_adam()")


@pytest.mark.parametrize("link", [None, 0.1, "adam", lambda g: g, optax.adam])
def test_no_transformation(link):
    with pytest.raises(TypeError, match=r"^chain: .* is not a gradient transformation"):
        gc.chain(gc.scale(1.0), link)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: gc.adam(learning_rte=0.1), ["adam()", "'learning_rte'", "did you mean learning_rate"]),
        (lambda: gc.adamw(0.1, weight_deca=0.1), ["adamw()", "did you mean weight_decay"]),
        (lambda: gc.scale_by_adam(beta1=0.9), ["scale_by_adam()", "'beta1'", "b1"]),
        (lambda: gc.scale(nonsense_xyz=1.0), ["scale()", "'nonsense_xyz'", "it takes step_size"]),
        (lambda: gc.adam(), ["adam()", "learning_rate", "signature"]),
        (lambda: gc.adam(0.1, learning_rate=0.2), ["adam()", "multiple values", "learning_rate"]),
        (lambda: gc.scale_by_adam(0.9, 0.999, 1e-8, 0.0, None, True), ["scale_by_adam()", "too many"]),
        (lambda: gc.adam(0.1).replace(learning_rat=1.0), ["adam()", "did you mean learning_rate"]),
    ],
)
def test_wrong_arguments(call, words):
    with pytest.raises(TypeError) as e:
        call()
    says(e, *words)


@pytest.mark.parametrize("value", [float("nan"), -0.1, gc.tunable(-1.0)])
def test_hyperparameter_out_of_range(value):
    for make in (
        lambda x: gc.adam(0.1, eps=x),
        lambda x: gc.adam(0.1, b1=x),
    ):
        with pytest.raises(ValueError, match=r"adam: (eps|b1) is .*expected"):
            make(value)


@pytest.mark.parametrize(
    "tx, who",
    [
        (gc.masked(gc.scale_by_adam(), "**/kernal"), "masked(scale_by_adam)"),
        (gc.add_decayed_weights(0.1, "**/kernal"), "add_decayed_weights"),
        (gc.adamw(0.1, mask="**/kernal"), "add_decayed_weights"),
        (gc.freeze("**/kernal"), "freeze"),
        (gc.chain(gc.adam(0.1), gc.freeze("**/kernal")), "freeze"),
    ],
)
def test_mask_matches_nothing(tx, who):
    with pytest.raises(ValueError) as e:
        tx.update(GRADS, tx.init(PARAMS), PARAMS)
    says(e, who, "'**/kernal'", "matches none of 3 leaves", "'head/kernel'")


def test_group_that_matches_nothing():
    tx = gc.partition({"a": gc.sgd(0.1), "b": gc.adam(0.1)}, {"**/kernal": "a", "**": "b"})
    with pytest.raises(ValueError) as e:
        tx.init(PARAMS)
    says(e, "partition('a')", "'**/kernal'", "'head/kernel'")


def test_transform_is_frozen():
    tx = gc.adam(0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tx.recipe = None
    tx.args["learning_rate"] = 5  # a copy
    assert tx == gc.adam(0.1)


def test_all_missing_extra_arguments_are_named():
    tx = gc.lbfgs()
    with pytest.raises(
        TypeError, match=r"^scale_by_\w+ needs 'grad', 'value' and 'value_fn': call update\("
    ) as e:
        tx.update({"w": jnp.ones(2)}, tx.init({"w": jnp.ones(2)}), {"w": jnp.ones(2)})
    assert "grad=..., value=..., value_fn=..." in str(e.value)


def test_updates_of_other_leaves_than_the_parameters():
    params = {"dense": {"kernel": jnp.ones(2), "bias": jnp.ones(2)}}
    with pytest.raises(
        ValueError, match=r"^apply_updates: .*'dense/bias' is in the parameters but not in the "
    ):
        gc.apply_updates(params, {"dense": {"kernel": jnp.ones(2)}})
