"""Keys and text of arguments: equal for equal programs, different for different ones, and evaluable."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradchain.core import hyper, values


class Custom:
    def __init__(self, array):
        self.array = array


DIFFERENT = [
    None, False, True, 0, 1, 0.0, 1.0, "1", 1j, (), (1,), (1.0,), (1, 2), ((1,), 2),
    {"a": 1}, {"a": 1.0}, {"b": 1},
    np.ones(2), np.ones(2, np.float32), np.ones((2, 1)), np.zeros(2), jnp.bfloat16, jnp.float32,
    re.compile("a"), re.compile("b"), hyper.Tunable(1.0), hyper.Tunable(2.0), len, max,
]  # fmt: skip


def test_keys_tell_values_apart():
    keys = [values.key(v) for v in DIFFERENT]
    for i, k in enumerate(keys):
        assert hash(k) == hash(values.key(DIFFERENT[i]))
        for j, other in enumerate(keys):
            assert (k == other) == (i == j), (DIFFERENT[i], DIFFERENT[j])


@pytest.mark.parametrize(
    "x, y",
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1, 2], (1, 2)),
        (np.ones(2, np.float32), jnp.ones(2)),
        (re.compile("a"), re.compile("a")),
        ({"m": [np.ones(2)]}, {"m": [np.ones(2)]}),
    ],
)
def test_equal_values_have_equal_keys(x, y):
    assert values.key(x) == values.key(y) and hash(values.key(x)) == hash(values.key(y))


def test_tracers_are_themselves():
    seen = []
    jax.jit(lambda x, y: seen.append((values.key(x) == values.key(x), values.key(x) == values.key(y))))(
        1.0, 2.0
    )
    assert seen == [(True, False)]


def test_no_tracer_is_held_by_a_key():
    with jax.checking_leaks():
        jax.jit(lambda x: (values.key(x), x)[1])(1.0)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 1.5, "a", [1, 2.0], (1,), (1, 2), {"a": [1, (2,)], "b": None}, re.compile("a/b$"),
        re.compile("a", re.IGNORECASE), np.ones((2, 2), np.float32), jnp.arange(3, dtype=jnp.int32),
        jnp.asarray(0.1, jnp.bfloat16),
        1e-300, -0.0, float("inf"), np.float32(0.1), jnp.bfloat16, jnp.float32, np.dtype("float32"),
    ],
    ids=repr,
)  # fmt: skip
def test_text_evaluates_back(value):
    scope = {"re": re, "jnp": jnp, "np": np, "jax": jax, "inf": float("inf")}
    assert values.key(eval(values.text(value), scope)) == values.key(value)
