"""from_config of anything is an optimizer or a ConfigError, soon; to_config likewise."""

import copy
import functools
import json
import math
import random
import sys
import time
import warnings

import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.config import ConfigError, from_config, to_config

example = sys.modules["gradchain.core.transform"].example

SGD = {"sgd": {"learning_rate": 0.1}}
CIRCLE: list = []
CIRCLE.append(CIRCLE)
KNOT: dict = {}
KNOT["chain"] = [KNOT]
NESTED = functools.reduce(lambda inside, _: {"chain": [inside]}, range(1000), {"identity": {}})
SHARED = functools.reduce(lambda inside, _: [inside, inside], range(60), 1)  # 2^60 values


@pytest.mark.parametrize(
    "config, place, words",
    [
        (NESTED, "chain[0].chain[0]", "nested more than 64 deep"),
        ('{"chain":[' * 1000 + '"identity"' + "]}" * 1000, "", "nested more than 64 deep"),
        ('{"chain":[' * 100_000 + '"identity"' + "]}" * 100_000, "", "nested more than 64 deep"),
        ({"adam": {"learning_rate": 10**400}}, "adam.learning_rate: ", "a whole number of 401 digits"),
        ({"adam": {"learning_rate": -(10**5000)}}, "adam.learning_rate: ", "a whole number of 5001 digits"),
        ('{"adam": {"learning_rate": ' + "9" * 5000 + "}}", "not JSON: ", "digits"),
        ({"accumulate": {"tx": SGD, "every": math.inf}}, "accumulate.every: ", "every is inf"),
        ({"accumulate": {"tx": SGD, "every": 2**31}}, "accumulate.every: ", "at most 2147483647"),
        ({"average": {"tx": SGD, "every": 2**31}}, "average: ", "below 2**31"),
        ({"skip": {"tx": SGD, "window": 2**31}}, "skip: ", "window is 2147483648"),
        ({"freeze": {"mask": {"mapping": 3}}}, "freeze.mask.mapping: ", "expected a mapping, found 3"),
        ({"freeze": {"mask": 3}}, "freeze.mask: ", "mask is 3"),
        ({"freeze": {"mask": {1: True}}}, "freeze.mask: ", "the key 1 is no text"),
        (
            {"partition": {"transforms": 3, "param_labels": "x"}},
            "partition.transforms: ",
            "expected a mapping",
        ),
        ({"foreign": {"tx": None}}, "foreign: ", "tx is None"),
        ({"muon": {"learning_rate": 0.1, "ns_coeffs": {"x": 1}}}, "muon.ns_coeffs: ", "{'x': 1}"),
        ({"muon": {"learning_rate": 0.1, "ns_coeffs": [[1, 2]]}}, "muon: ", "three numbers"),
        ({"muon": {"learning_rate": 0.1, "ns_steps": 2**31}}, "muon: ", "1 to 100"),
        ({"stored": {"tx": SGD, "codec": {"int8": {"block": 10**12}}}}, "stored.codec.int8: ", "from 1 to"),
        (
            {"stored": {"tx": SGD, "codec": {"log8": {"levels": [4]}}}},
            "stored.codec.log8: ",
            "a whole number",
        ),
        ({"freeze": {"mask": {"regex": "a{100000000000}"}}}, "freeze.mask.regex: ", "too large"),
        ({"freeze": {"mask": {"regex": "(" * 400 + ")" * 400}}}, "", ""),
        ({"freeze": {"mask": {"regex": "a" * 2000}}}, "freeze.mask.regex: ", "at most 1000 characters"),
        ({"freeze": {"mask": {"regex": 3}}}, "freeze.mask.regex: ", "found 3"),
        ({"freeze": {"mask": {"regex": {"pattern": "a", "flags": 128}}}}, "freeze.mask.regex: ", "DEBUG"),
        ({"freeze": {"mask": {"regex": {"pattern": "a", "flag": 2}}}}, "freeze.mask.regex.flag: ", "flags"),
        (
            {"adam": {"learning_rate": 0.1, "mu_dtype": {"dtype": None}}},
            "adam.mu_dtype.dtype: ",
            "found null",
        ),
        ({"adam": {"learning_rate": 0.1, "mu_dtype": {"dtype": "f4,f4"}}}, "adam.mu_dtype.dtype: ", "f4,f4"),
        ({"adam": {"learning_rate": 0.1, "nesterov": "false"}}, "adam.nesterov: ", "expected True or False"),
        ({"adam": {"learning_rate": 0.1, "betas": [0.9, 0.9]}}, "adam.betas: ", "here it is b1 and b2"),
        ({"lars": {"learning_rate": 1, "mask": "a", "weight_decay_mask": "b"}}, "lars: ", "are one argument"),
        ({"freeze": {"mask": CIRCLE}}, "freeze.mask[0][0]", "contains itself"),
        ({"chain": CIRCLE}, "chain[0][0]", "contains itself"),
        (KNOT, "chain[0].chain[0]", "contains itself"),
        ({"freeze": {"mask": SHARED}}, "", "more than 1,000,000 values"),
        ('{"chain": [], "chain": []}', "", "the key 'chain' stands twice"),
        (
            {"sgd": {"learning_rate": {"constant_schedule": {"value": 1e999}}}},
            "sgd.learning_rate.const",
            "inf",
        ),
    ],
)
def test_errors_say_where(config, place, words):
    start = time.process_time()
    with pytest.raises(ConfigError) as e:
        from_config(config)
        raise ConfigError(place + words)  # nested groups are no error where Python reads them
    assert str(e.value).startswith(place) and words in str(e.value), str(e.value)
    assert len(str(e.value)) < 1500 and str(e.value).isprintable()
    assert time.process_time() - start < 10


def test_work_is_in_proportion_to_the_text():
    """20,000 keys, 20,000 equal links: seconds at most, where a quadratic rule took five times as long."""
    n = 20_000
    text = json.dumps({"freeze": {"mask": {f"k{i}": True for i in range(n)}}})
    start = time.process_time()
    assert len(from_config(text).args["mask"]) == n
    tx = from_config({"chain": [{"scale_by_adam": {}}] * n})
    assert tx.body.keys[-1] == f"scale_by_adam_{n - 1}"
    assert time.process_time() - start < 15


def test_twins_are_numbered_past_names_that_are_taken():
    from gradchain.core.compose import unique

    assert unique([["a"], ["a_1"], ["a"], ["a", "b"], ["a_2"], ["a"]]) == [
        ("a",), ("a_1",), ("a_2",), ("a_3", "b"), ("a_2_1",), ("a_4",),
    ]  # fmt: skip


def test_what_cannot_be_written():
    deep = functools.reduce(lambda inside, _: {"a": inside}, range(5000), True)
    for mask in (CIRCLE, deep):
        with pytest.raises(ConfigError, match=r"^masked.*nested too deep, or contains itself"):
            to_config(gc.masked(gc.identity(), mask))
    with pytest.raises(ConfigError) as e:
        to_config(gc.sgd(jnp.ones(())).replace(learning_rate=lambda step: "x" * 10**6 and 0.1))
    assert len(str(e.value)) < 500


# Mutations of what is registered, from a seed: nothing else than ConfigError -------------------------------

JUNK = [
    None, True, False, 0, 1, -1, 3, 0.5, -0.5, 1e999, -1e999, math.nan, 2**31, 2**31 - 1, 2**64, 10**400,
    1e-300,
    "", "x", "**", "*", "scale_by_adam", "adam", "log8", "float32", "bfloat16", "\x00", "\x1b[31m", "1",
    "true",
    [], [[]], [1, 2, 3], [None], ["a", "b"], ["a", {"identity": {}}], {}, {"x": 1}, {"": {}},
    {"a": {"b": {}}},
    {"identity": {}}, {"tunable": 0.5}, {"tunable": None}, {"regex": "("}, {"regex": ".*"}, {"regex": {}},
    {"regex": {"pattern": "a", "flags": -1}}, {"dtype": "int8"}, {"dtype": []}, {"mapping": {}},
    {"mapping": 0},
    {"chain": []}, {"chain": {}}, {"foreign": {}}, {"foreign": {"tx": 3}}, {"log8": {"low": 10**9}},
    {"fp8": {}},
    {"rank_one": {"rows": "x"}}, {"int8": {"positive": 3}}, {"constant_schedule": {"value": 1}},
    {"join_schedules": {"schedules": [], "boundaries": []}}, {"sgdr_schedule": {"cosine_kwargs": [{}]}},
    {"piecewise_constant_schedule": {"init_value": 1, "boundaries_and_scales": {"x": 1}}}, {1: 2}, (1, 2),
    b"x",
    {1, 2}, 1j, object(), CIRCLE, lambda: 1, jnp.ones(2), jnp.float32, "learning_rate",
    {"learning_rate": 0.1},
]  # fmt: skip


def seeds() -> list:
    """A config of everything registered that has one."""
    found = []
    for name in sorted(gc.REGISTRY):
        try:
            found.append(to_config(example(name)))
        except ConfigError:
            continue
    schedules = {
        "warmup_cosine_decay_schedule": {
            "init_value": 0,
            "peak_value": 1,
            "warmup_steps": 2,
            "decay_steps": 9,
        }
    }
    return [
        *found,
        {"named_chain": [["a", {"adam": {"learning_rate": schedules}}]]},
        {"stored": {"tx": SGD, "codec": {"nu": {"log8": {"levels": 2}}}}},
    ]


def places(node, path=()):
    """The way to every value of a config."""
    yield path
    if len(path) > 8:  # a circle
        return
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def mutated(config, rng: random.Random):
    """The config with one or two values exchanged, left out, added or renamed."""
    config = copy.deepcopy(config)
    for _ in range(rng.choice((1, 1, 2))):
        way = rng.choice(list(places(config)))
        junk = copy.deepcopy(rng.choice(JUNK))
        if not way:
            config = (
                rng.choice([junk, [config], {"chain": [config]}, {"x": config}])
                if rng.random() < 0.3
                else config
            )
            continue
        parent = functools.reduce(lambda node, key: node[key], way[:-1], config)
        match rng.randrange(5):
            case 0 | 1:
                parent[way[-1]] = junk
            case 2:
                del parent[way[-1]]
            case 3 if isinstance(parent, dict):
                parent[rng.choice(["learning_rate", "b1", "mask", "tx", "eps", "x", 3, "mu_dtype"])] = junk
            case 4 if isinstance(parent, dict):
                names = [*gc.REGISTRY, "tunable", "regex", "mapping", "dtype", "log8", "constant_schedule"]
                parent[rng.choice(names)] = parent.pop(way[-1])
    return config


def fuzz(seed: int, count: int) -> tuple[int, int]:
    """How many mutations were read, and how many refused; anything else is raised."""
    rng, originals = random.Random(seed), seeds()
    read = refused = 0
    for i in range(count):
        config = mutated(rng.choice(originals), rng)
        start = time.process_time()
        try:
            tx = from_config(config)
        except ConfigError as error:
            refused += 1
            assert len(str(error)) < 1500 and str(error).isprintable(), (seed, i)
        except RecursionError:
            raise AssertionError((seed, i, "RecursionError")) from None
        else:
            read += 1
            try:
                again = from_config(to_config(tx))
            except ConfigError:  # holds a function, an array, a number beyond JSON
                again = tx
            assert again == tx, (seed, i, tx)
        assert time.process_time() - start < 5, (seed, i)
    return read, refused


def test_mutated_configs():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read, refused = fuzz(0, 3000)
    assert read > 300 and refused > 1500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_many_mutated_configs(seed):
    read, refused = fuzz(seed, 20_000)
    assert read > 2000 and refused > 10_000
