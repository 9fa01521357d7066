"""Configurations as expressions, in Hydra's form and as YAML: there and back, and errors with their place."""

import re

import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.config.expression import from_repr
from gradchain.config.files import parse_yaml, read_file, write_text
from gradchain.core.transform import example

SOME = {
    "schedule": gc.sgd(gc.join_schedules([gc.linear_schedule(0.0, 1.0, 3), gc.constant_schedule(0.5)], [4])),
    "steps": gc.sgd(gc.piecewise_constant_schedule(0.1, {10: 0.5, 20: 0.1})),
    "tunable": gc.masked(gc.adam(gc.tunable(0.1)), [re.compile("x", re.IGNORECASE), "**/kernel"]),
    "dtype": gc.adam(0.1, mu_dtype=jnp.bfloat16),
    "booleans": gc.masked(gc.identity(), {"scale": {"step_size": True}, "mapping": False}),
    "a name alone": gc.masked(gc.identity(), {"scale": True}),
    "group": gc.partition({"adam": gc.adam(0.1), "b": gc.chain()}, {"**/bias": "adam", "**": "b"}),
    "named": gc.named_chain(("first", gc.scale(2.0)), ("last", gc.identity())),
    "codec": gc.stored(gc.chain(gc.clip(1.0), gc.adam(1, b1=0)), gc.codecs.log8(levels=2)),
}


@pytest.fixture(scope="module")
def instantiate():
    return pytest.importorskip("hydra.utils").instantiate


@pytest.mark.parametrize("tx", SOME.values(), ids=SOME)
def test_there_and_back(tx, instantiate):
    config = gc.to_config(tx, form="hydra")
    assert gc.from_config(config) == tx and from_repr(repr(tx)) == tx
    if tx != SOME["steps"]:  # JSON has no numbers for keys, and Hydra no texts that are numbers
        assert instantiate(config) == tx
    yaml = pytest.importorskip("yaml")
    for form in ("plain", "hydra"):
        config = gc.to_config(tx, form=form)
        assert gc.from_config(yaml.safe_load(yaml.safe_dump(config))) == tx
        assert gc.from_config(parse_yaml(write_text(config, "yaml"))) == tx


def test_everything_registered_comes_back_equal():
    """Of all that is registered; what holds functions has no text that could be read."""
    for name in gc.REGISTRY:
        tx = example(name)
        try:
            config = gc.to_config(tx, form="hydra")
        except gc.ConfigError:
            continue
        assert gc.from_config(config) == tx and from_repr(repr(tx)) == tx, name


def test_the_form_of_hydra(instantiate):
    tx = gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(gc.constant_schedule(0.1)))
    config = {
        "_target_": "gradchain.chain",
        "_convert_": "all",
        "_args_": [
            {"_target_": "gradchain.clip_by_global_norm", "max_norm": 1.0},
            {
                "_target_": "gradchain.adamw",
                "learning_rate": {"_target_": "gradchain.constant_schedule", "value": 0.1},
            },
        ],
    }
    assert gc.to_config(tx, form="hydra") == config and instantiate(config) == tx
    one = {
        "_target_": "gradchain.adamw",
        "_args_": [0.1, 0.8],
        "mask": {"_target_": "re.compile", "_args_": ["k"]},
    }
    assert gc.from_config(one) == instantiate(one) == gc.adamw(0.1, 0.8, mask=re.compile("k"))
    assert gc.from_config({"_target_": "gradchain.rules.adaptive.adam.sgd", "learning_rate": 1}) == gc.sgd(1)


@pytest.mark.parametrize(
    "config, message",
    [
        ({"_target_": "optax.adamw"}, "'optax.adamw' is not gradchain's; did you mean gradchain.adamw?"),
        ({"_target_": "gradchain.adamv"}, "'gradchain.adamv' is nothing that can be .*did you mean adam"),
        ({"_target_": "os.system", "_args_": ["true"]}, "'os.system' is nothing that can be made here"),
        ({"_target_": 3}, "_target_: expected a text such as gradchain.adamw, found 3"),
        ({"_target_": "gradchain.adamw", "lr": 1}, "adamw.lr: "),
        ({"_target_": "gradchain.adamw", "_partial_": True}, "adamw: _partial_ makes a function"),
        ({"_target_": "gradchain.adamw", "_args_": 3}, "adamw._args_: expected a list"),
        ({"_target_": "gradchain.scale", "_args_": [1, 2]}, "2 arguments in _args_; it takes 1: step_size"),
        ({"_target_": "gradchain.chain", "links": []}, "chain: takes transformations in _args_, not 'links'"),
        ({"_target_": "gradchain.chain", "_args_": [{"_target_": "gradchain.adm"}]}, "chain[0]._target_: "),
    ],
)  # fmt: skip
def test_errors_in_the_form_of_hydra(config, message):
    with pytest.raises(gc.ConfigError) as caught:
        gc.from_config(config)
    pattern = ".*".join(map(re.escape, message.split(".*")))
    assert re.search(pattern, str(caught.value)), str(caught.value)


def test_what_hydra_would_read_otherwise_is_refused():
    with pytest.raises(gc.ConfigError, match=r"Hydra takes .* for an interpolation"):
        gc.to_config(gc.freeze(re.compile("a${b}")), form="hydra")
    with pytest.raises(gc.ConfigError, match="form is 'fiddle'; expected 'plain' or 'hydra'"):
        gc.to_config(gc.identity(), form="fiddle")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text, made",
    [
        ("gc.chain(gc.clip(1.0), gradchain.sgd(1e-3))", gc.chain(gc.clip(1.0), gc.sgd(1e-3))),
        ("identity", gc.identity()),
        ("sgd(-3 * (1/4 + 2) - .5)", gc.sgd(-3 * (1 / 4 + 2) - 0.5)),
        ("adam(1, mu_dtype=jnp.bfloat16)", gc.adam(1, mu_dtype=jnp.bfloat16)),
        ("clip_by_global_norm(inf)", gc.clip_by_global_norm(float("inf"))),
        ("schedules.constant_schedule(0.5)", gc.constant_schedule(0.5)),
        ("codecs.log8()", gc.codecs.log8()),
        ("add_decayed_weights(0.1, mask={'a': True, 'b': [False]})",
         gc.add_decayed_weights(0.1, mask={"a": True, "b": [False]})),
    ],
)  # fmt: skip
def test_expressions(text, made):
    assert from_repr(text) == made


@pytest.mark.parametrize(
    "text, message",
    [
        ("adamw(", "not an expression at character"),
        ("adamv(0.1)", "adamv: not a name of gradchain's; did you mean adam"),
        ("adamw(0.1, eps=-1)", "adamw: eps is -1"),
        ("chain(adamw)", "chain: .*"),
        ("adamw(learning_rate=x)", "x: not a name of gradchain's"),
        ("__import__('os').system('true')", "__import__('os').system.*|.*is not the name of anything"),
        ("open('x')", "open: not a name"),
        ("(lambda: 0)()", "is not the name of anything"),
        ("[x for x in (1, 2)]", "is not understood"),
        ("sgd(2 ** 9 ** 9)", "is not understood"),
        ("sgd(1 / 0)", "division by zero"),
        ("sgd('a' * 3)", "is no number"),
        ("sgd(**{})", "** is not understood"),
        ("sgd(" + "9" * 60 + ")", "expected a number below"),
        ("f'{1}'", "is not understood"),
        ("[" * 70 + "]" * 70, "nested more than 64 deep"),
        ("(" * 5000 + ")" * 5000, "not an expression"),
        ("jnp.dtype('nothing')", "is not the name of a dtype"),
        ("x" * 200_000, "200,000 characters"),
        (3, "expected a text such as"),
    ],
)
def test_nothing_else_is_understood(text, message):
    with pytest.raises(
        gc.ConfigError, match="|".join(map(re.escape, message.split("|"))).replace(r"\.\*", ".*")
    ):
        from_repr(text)


def test_yaml(tmp_path):
    pytest.importorskip("yaml")
    numbers = "[1e-3, 1E5, -2.5e+3, .5, 1., 3, 0x1F, 1_000, .inf, 2024-01-01, yes]"
    assert parse_yaml(numbers) == [1e-3, 1e5, -2.5e3, 0.5, 1.0, 3, 31, 1000, float("inf"), "2024-01-01", True]
    for text, message in (
        ("a: 1\na: 2", "the key 'a' stands twice"),
        ("a: [", "not YAML: "),
        ("!!python/object/apply:os.system ['true']", "not YAML: "),
        ("&a [*a]", "nested|not YAML|contains itself"),
    ):
        with pytest.raises(gc.ConfigError, match=message):
            gc.from_config({"masked": {"inner": "identity", "mask": parse_yaml(text)}})
    with pytest.raises(gc.ConfigError, match=r"YAML takes 1e-3 for a text: write 1\.0e-3"):
        gc.from_config({"sgd": {"learning_rate": "1e-3"}})
    (tmp_path / "a.txt").write_text("a: 1")
    with pytest.raises(gc.ConfigError, match=r"a file that ends in \.json, \.yaml"):
        read_file(tmp_path / "a.txt")
    (tmp_path / "a.json").write_bytes(b"\xff")
    with pytest.raises(gc.ConfigError, match="not text in UTF-8"):
        read_file(tmp_path / "a.json")
