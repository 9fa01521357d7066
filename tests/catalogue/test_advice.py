"""gc.recipe: the numbers of the published rules, and code that makes the chain that it gives."""

import math

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def model(width=768, layers=12, vocabulary=50304):
    layer = {
        "attention": {"kernel": shape(width, 4 * width), "bias": shape(width)},
        "mlp": {"kernel": shape(width, 8 * width)},
        "norm": {"scale": shape(width)},
    }
    return {"embed": {"embedding": shape(vocabulary, width)}, **{f"layer_{i}": layer for i in range(layers)}}


N = 12 * (12 * 768**2 + 2 * 768)


def peak(found):
    return found.tx.body.links[1].recipe.args["learning_rate"].peak_value


def argument(found, name):
    return found.tx.body.links[1].recipe.args[name]


@pytest.mark.parametrize("algorithm", ["adamw", "muon"])
def test_the_code_makes_the_chain_that_is_given(algorithm):
    found = gc.recipe(model(), tokens=2e9, batch=2**17, algorithm=algorithm)
    assert eval(found.code, {"gc": gc}) == found.tx
    assert eval(repr(found), {"gc": gc}) == found.tx  # comments included
    assert f"{N:,} parameters" in repr(found) and "arXiv:2503.04715" in repr(found)
    params = {"a": {"kernel": jnp.ones((8, 8))}, "embed": {"embedding": jnp.ones((4, 8))}}
    state = found.tx.init(params)
    assert all(map(jnp.all, map(jnp.isfinite, jax.tree.leaves(found.tx.step(params, state, params)[0]))))


def test_rate_and_decay_follow_the_laws():
    tokens = 4e9
    batch = 0.58 * tokens**0.571  # where the law has its optimum
    found = gc.recipe(model(), tokens=tokens, batch=batch)
    assert math.isclose(peak(found), 1.79 * N**-0.713 * tokens**0.307, rel_tol=0.05)
    horizon = batch / (peak(found) * argument(found, "weight_decay") * tokens)
    assert math.isclose(horizon, 1.084 * (tokens / N) ** -0.527, rel_tol=0.05)
    quarter = gc.recipe(model(), tokens=tokens, batch=batch / 4)
    assert math.isclose(peak(quarter), peak(found) / 2, rel_tol=0.05)
    assert peak(gc.recipe(model(), tokens=tokens, batch=8 * batch)) == peak(found)


def test_b2_keeps_its_half_life_in_tokens():
    for batch in (2**15, 2**17, 2**19):
        b2 = argument(gc.recipe(model(), tokens=4e9, batch=batch), "b2")
        assert math.isclose(batch / math.log(b2), 2**19 / math.log(0.95), rel_tol=0.03)


def test_the_schedule_takes_the_whole_run():
    found = gc.recipe(model(), tokens=1e9, batch=1e6)
    schedule = argument(found, "learning_rate")
    assert float(schedule(1000)) == 0 and float(schedule(990)) > 0
    assert 10 <= schedule.warmup_steps <= 100


def test_matrices_decay_and_are_named_shortly_where_that_tells_them():
    assert argument(gc.recipe(model(), tokens=1e9, batch=1e6), "mask") == ["**/embedding", "**/kernel"]
    mixed = {"a": {"w": shape(64, 64)}, "b": {"w": shape(64)}}
    assert argument(gc.recipe(mixed, tokens=1e9, batch=1e6), "mask") == ["a/w"]


def test_what_a_law_was_not_fitted_on_is_said():
    assert "was fitted" not in repr(gc.recipe(model(), tokens=3e9, batch=1e5))
    assert "1e+13 tokens: the law was fitted" in repr(gc.recipe(model(), tokens=1e13, batch=1e6))
    assert "smaller ones learn more" in repr(gc.recipe(model(), tokens=3e9, batch=1e7))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"tokens": -1.0}, ["tokens is -1.0", "above 0"]),
        ({"batch": "512"}, ["batch is '512'"]),
        ({"algorithm": "adam"}, ["'adam'", "'adamw' or 'muon'"]),
        ({"tokens": 1e6, "batch": 1e6}, ["1 steps"]),
        ({"params": {"embed": {"embedding": shape(5, 4)}}}, ["no parameters beside embeddings"]),
    ],
)
def test_wrong_input(changes, words):
    given = {"params": model(), "tokens": 1e9, "batch": 1e6, **changes}
    with pytest.raises(ValueError) as error:
        gc.recipe(given.pop("params"), **given)
    assert all(word in str(error.value) for word in words), error.value
