"""Every call that binds to Optax's signature binds to ours, by position and by name, and means the same."""

import inspect

import pytest

import gradchain as gc

optax = pytest.importorskip("optax")
contrib = pytest.importorskip("optax.contrib")

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
FOLDERS = ("adaptive", "momentum", "sign", "factored", "layerwise", "matrix")
ALIKE = {  # defaults that are written otherwise, and why
    (
        "adadelta",
        "learning_rate",
    ): "Optax's None is no last link, and goes up the gradient; ours is the paper's 1",
    ("adafactor", "dtype_momentum"): "None is float32 for leaves of float32 and less",
    ("adafactor", "weight_decay_rate"): "0 is no decay, as None",
    ("adopt", "clip_value_fn"): "None is the same function, t^0.25",
    ("scale_by_adopt", "clip_value_fn"): "None is the same function, t^0.25",
    ("lars", "weight_decay_mask"): "None is all leaves, as True",
    ("lars", "trust_ratio_mask"): "None is all leaves, as True",
    ("scale_by_factored_rms", "decay_rate_fn"): "None is the same function, 1 - (t + 1)^-decay_rate",
}


def factories():
    for module in (optax, contrib):
        for name in sorted(dir(module)):
            factory = gc.REGISTRY.get(name)
            if factory is not None and factory.fn.__module__.split(".")[2:3][0] in FOLDERS:
                yield pytest.param(factory, getattr(module, name), id=name)


def parameters(f) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(f).parameters)


FACTORIES = list(factories())


def test_factories_are_found():
    names = {p.id for p in FACTORIES}
    assert {"adam", "adamw", "lars", "muon", "adopt", "scale_by_lion", "optimistic_adam_v2"} <= names


@pytest.mark.parametrize(("factory", "theirs"), FACTORIES)
def test_positions_are_the_same(factory, theirs):
    expected = [factory.renamed.get(k, k) for k, p in parameters(theirs).items() if p.kind in POSITIONAL]
    found = [k for k, p in factory.signature.parameters.items() if p.kind in POSITIONAL]
    assert found[: len(expected)] == expected


@pytest.mark.parametrize(("factory", "theirs"), FACTORIES)
def test_more_of_ours_is_given_by_name_alone(factory, theirs):
    known = {factory.renamed.get(k, k) for k in parameters(theirs)}
    more = [p for k, p in factory.signature.parameters.items() if k not in known]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in more)


@pytest.mark.parametrize(("factory", "theirs"), FACTORIES)
def test_names_bind_and_defaults_are_the_same(factory, theirs):
    ours = factory.signature.parameters
    for name, p in parameters(theirs).items():
        found = ours[factory.renamed.get(name, name)]
        if (factory.name, name) in ALIKE:
            assert found.default != p.default
        else:
            assert found.default == p.default or (found.default is p.empty and p.default is p.empty), name


@pytest.mark.parametrize(("factory", "theirs"), FACTORIES)
def test_a_full_call_is_the_same_by_position_and_by_name(factory, theirs):
    """With Optax's own defaults, so that what Optax takes ours takes too."""
    some = {"seed": 1}
    given = {
        k: some.get(k, 0.5) if p.default is p.empty else p.default for k, p in parameters(theirs).items()
    }
    given |= {k: None for name, k in ALIKE if name == factory.name and k == "clip_value_fn"}
    make = getattr(gc, factory.name)
    positional = [k for k, p in parameters(theirs).items() if p.kind in POSITIONAL]
    rest = {k: v for k, v in given.items() if k not in positional}
    by_name = make(**given)
    assert make(*[given[k] for k in positional], **rest) == by_name
    assert by_name.name == factory.name


def test_a_rate_of_none_means_what_its_factory_says():
    assert gc.adadelta(None).body.links == gc.adadelta(1.0).body.links
    params = {"w": 2.0 * gc.numerics.jnp.ones(2)}
    tx = gc.scale_by_learning_rate()
    assert tx.init(params) == {}
    updates, _ = tx.update(params, {}, params)
    assert (updates["w"] == params["w"]).all()


def test_no_decay_rate_is_no_decay():
    assert gc.adafactor(0.1, weight_decay_rate=None).body.links == gc.adafactor(0.1).body.links
