"""to_config and from_config: there and back for all that is registered, the form, errors with their place."""

import json
import re
import sys

import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import schedules
from gradchain.config import ConfigError, from_config, to_config

example = sys.modules["gradchain.core.transform"].example


def there_and_back(tx):
    return from_config(json.loads(json.dumps(to_config(tx))))


@pytest.mark.parametrize("name", sorted(gc.REGISTRY))
def test_everything_registered_comes_back_equal(name):
    try:
        config = json.dumps(to_config(example(name)))
    except ConfigError as error:
        assert "cannot be written" in str(error) and str(error).startswith(name)
        pytest.skip(str(error))
    assert from_config(config) == example(name)
    assert from_config(json.loads(config)) == example(name)


@pytest.mark.parametrize(
    "tx, config",
    [
        (gc.adamw(0.001), {"adamw": {"learning_rate": 0.001}}),
        (
            gc.chain(gc.clip_by_global_norm(1.0), gc.adam(0.1, b1=0.8)),
            {
                "chain": [
                    {"clip_by_global_norm": {"max_norm": 1.0}},
                    {"adam": {"learning_rate": 0.1, "b1": 0.8}},
                ]
            },
        ),
        (
            gc.sgd(schedules.cosine_decay_schedule(0.1, 100)),
            {"sgd": {"learning_rate": {"cosine_decay_schedule": {"init_value": 0.1, "decay_steps": 100}}}},
        ),
        (gc.sgd(gc.tunable(0.001)), {"sgd": {"learning_rate": {"tunable": 0.001}}}),
        (gc.freeze(re.compile("^enc")), {"freeze": {"mask": {"regex": "^enc"}}}),
        (
            gc.adam(0.1, mu_dtype=jnp.bfloat16),
            {"adam": {"learning_rate": 0.1, "mu_dtype": {"dtype": "bfloat16"}}},
        ),
        (
            gc.partition({"a": gc.identity(), "b": gc.scale(2.0)}, {"**/bias": "a", "**": "b"}),
            {
                "partition": {
                    "transforms": {"a": {"identity": {}}, "b": {"scale": {"step_size": 2.0}}},
                    "param_labels": {"**/bias": "a", "**": "b"},
                }
            },
        ),
        (
            gc.named_chain(("first", gc.scale(2.0)), ("last", gc.identity())),
            {"named_chain": [["first", {"scale": {"step_size": 2.0}}], ["last", {"identity": {}}]]},
        ),
        (gc.chain(), {"chain": []}),
    ],
)
def test_the_form(tx, config):
    assert to_config(tx) == config
    assert from_config(config) == tx


@pytest.mark.parametrize(
    "tx",
    [
        gc.sgd(
            schedules.join_schedules(
                [schedules.linear_schedule(0.0, 1.0, 3), schedules.constant_schedule(0.5)], [4]
            )
        ),
        gc.sgd(schedules.piecewise_constant_schedule(0.1, {10: 0.5, 20: 0.1})),
        gc.masked(gc.adam(gc.tunable(0.1)), [re.compile("x", re.IGNORECASE), "**/kernel"]),
        gc.masked(gc.identity(), {"scale": True}),  # a tree of booleans, although scale is a transformation
        gc.masked(gc.identity(), {"scale": {"step_size": True}}),
        gc.masked(gc.identity(), {"dtype": True, "regex": False}),
        gc.masked(gc.identity(), {"tunable": True}),
        gc.masked(gc.identity(), {"mapping": {"mapping": True}}),
        gc.partition({"adam": gc.adam(0.1)}, {"**": "adam"}),  # a group with the name of a transformation
        gc.chain(gc.chain(gc.scale(1.0)), gc.monitored(gc.adam(0.1))),
    ],
)
def test_there_and_back(tx):
    assert there_and_back(tx) == tx


def test_numbers_keep_their_type():
    assert repr(there_and_back(gc.adam(1, b1=0))) == repr(gc.adam(1, b1=0))


def test_what_is_shorter_to_write():
    assert from_config("identity") == gc.identity()
    assert from_config({"chain": ["scale_by_adam", {"scale": {"step_size": 2}}]}) == gc.chain(
        gc.scale_by_adam(), gc.scale(2)
    )
    assert from_config({"masked": {"inner": "identity", "mask": "x"}}) == gc.masked(gc.identity(), "x")
    assert from_config('{"identity": {}}') == gc.identity()


def test_optax_spelling_of_arguments():
    factory = next(f for f in gc.REGISTRY.values() if f.renamed and f.kind == "transform")
    theirs, ours = next(iter(factory.renamed.items()))
    args = {**factory.example(), ours: 3}
    renamed = {theirs if k == ours else k: v for k, v in args.items()}
    assert from_config({factory.name: renamed}) == from_config({factory.name: args})


ADAM = {"adam": {"learning_rate": 0.1}}


@pytest.mark.parametrize(
    "config, message",
    [
        (
            {"chain": [ADAM, {"adamw": {"learning_rat": 1}}]},
            "chain[1].adamw.learning_rat: .*did you mean learning_rate",
        ),
        ({"adamw": {"learning_rate": "x"}}, 'adamw.learning_rate: expected a number, .* found "x"'),
        ({"adamw": {"learning_rate": 1, "eps": -1}}, "adamw.eps: eps is -1"),
        ({"adamw": {"learning_rate": True}}, "adamw.learning_rate: learning_rate is True"),
        ({"adamw": {"learning_rate": [0.1]}}, "adamw.learning_rate: expected a number"),
        ({"adamw": {}}, "adamw: adamw needs learning_rate"),
        ("adamw", "adamw: adamw needs learning_rate"),
        ("adamx", "adamx: not the name of a transformation; did you mean .*adam"),
        ({"adamw": 0.1}, 'adamw: expected a mapping of arguments such as {"learning_rate": 0.1}, found 0.1'),
        ({"adamw": None}, "adamw: expected a mapping of arguments"),
        ({"chain": ADAM}, "chain: expected a list of transformations, found {"),
        ({"chain": [0.5]}, 'chain[0]: expected {"name": {arguments}}, found 0.5'),
        ({"named_chain": [["a", ADAM, 3]]}, "named_chain[0]: expected"),
        ([ADAM], 'expected {"name": {arguments}}, found ['),
        ({"adam": {}, "scale": {}}, "expected one name, found 2: adam, scale; several links are"),
        ({}, "expected one name, found 0: none"),
        (
            {"adamw": {"learning_rate": {"cosine_decay_schedul": {}}}},
            "adamw.learning_rate.cosine_decay_schedul: not a schedule; did you mean cosine_decay_schedule",
        ),
        (
            {"adamw": {"learning_rate": {"cosine_decay_schedule": {"init_valu": 1}}}},
            "adamw.learning_rate.cosine_decay_schedule.init_valu: .*did you mean init_value",
        ),
        (
            {"adamw": {"learning_rate": {"cosine_decay_schedule": {"init_value": 1}}}},
            "adamw.learning_rate.cosine_decay_schedule: cosine_decay_schedule needs decay_steps",
        ),
        (
            {"adamw": {"learning_rate": {"cosine_decay_schedule": {"init_value": 1, "decay_steps": -5}}}},
            "adamw.learning_rate.cosine_decay_schedule: decay_steps is -5",
        ),
        ({"adamw": {"learning_rate": {"adam": {}}}}, "adamw.learning_rate.adam: not a schedule"),
        ({"adamw": {"learning_rate": {"tunable": "x"}}}, "adamw.learning_rate.tunable: "),
        ({"constant_schedule": {"value": 1}}, "constant_schedule: a schedule, not a transformation"),
        ({"masked": {"inner": {"adm": {}}, "mask": "x"}}, "masked.inner.adm: .*did you mean adam"),
        ({"masked": {"inner": 3, "mask": "x"}}, "masked.inner: expected"),
        ({"freeze": {"mask": {"regex": "("}}}, "freeze.mask.regex: "),
        ({"freeze": {"mask": {"regex": {"flags": 2}}}}, "freeze.mask.regex: "),
        ({"adam": {"learning_rate": 0.1, "mu_dtype": {"dtype": "flot"}}}, "adam.mu_dtype.dtype: .*flot"),
        (
            {"partition": {"transforms": {"a": {"adm": {}}}, "param_labels": {"**": "a"}}},
            "partition.transforms.a.adm: .*did you mean adam",
        ),
        ('{"adam": ', "not JSON: .*line 1"),
        ('{"adam": {"learning_rate": 1, "learning_rate": 2}}', "the key 'learning_rate' stands twice"),
        (3, 'expected {"name": {arguments}}, found 3'),
    ],
)
def test_errors_say_where(config, message):
    with pytest.raises(ConfigError) as caught:
        from_config(config)
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    assert re.match(pattern, str(caught.value)), str(caught.value)


@pytest.mark.parametrize(
    "tx, message",
    [
        (gc.sgd(lambda t: 0.1), "sgd.learning_rate: a function cannot be written"),
        (gc.sgd(jnp.float32(0.1)), "sgd.learning_rate: an array cannot be written.*tunable"),
        (
            gc.chain(gc.identity(), gc.masked(gc.identity(), lambda path, x: True)),
            r"chain\[1\].masked.mask: a function",
        ),
        (
            gc.sgd(schedules.join_schedules([lambda t: 1.0], [])),
            r"sgd.learning_rate.join_schedules.schedules\[0\]: ",
        ),
    ],
)
def test_what_has_no_form(tx, message):
    with pytest.raises(ConfigError, match=message):
        to_config(tx)


def test_foreign_transformations_have_no_form():
    optax = pytest.importorskip("optax")
    with pytest.raises(ConfigError, match=r"chain\[0\]: a transformation of another library"):
        to_config(gc.chain(optax.scale_by_adam()))


def test_only_transformations_are_written():
    with pytest.raises(ConfigError, match="expected a gradchain transformation"):
        to_config(0.1)


@pytest.mark.parametrize("text", ["__import__", "os.system", "adam(0.1)", "gc.adam", "{'adam': {}}"])
def test_nothing_is_evaluated(text):
    with pytest.raises(ConfigError):
        from_config(text)
