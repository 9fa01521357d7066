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
    horizon = batch / (peak(found) * argument(found, "weight_decay") * tokens)  # of the run
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


PARAMETERS = "parameters: the law was fitted from 6e+07 to 1e+09; "
TOKENS = "tokens: the law was fitted from 2e+09 to 1e+11; "


@pytest.mark.parametrize(
    "n, tokens, batch, size, length, said",
    [
        (1e4, 1e6, 1e4, 6e7, 2e9, [f"1e+04 {PARAMETERS}clamped to 6e+07", f"1e+06 {TOKENS}clamped to 2e+09"]),
        (1e6, 1e9, 2**15, 6e7, 2e9, [f"1e+06 {PARAMETERS}clamped to 6e+07", f"1e+09 {TOKENS}clamped"]),
        (1e8, 3e9, 2**17, 1e8, 3e9, []),
        (1e8, 1e13, 2**22, 1e8, 1e11, [f"1e+13 {TOKENS}clamped to 1e+11"]),
        (
            1e10,
            2e11,
            2**22,
            1e10,
            1e11,
            [f"1e+10 {PARAMETERS}not clamped", f"2e+11 {TOKENS}clamped to 1e+11"],
        ),
    ],
)
def test_laws_are_taken_where_they_were_fitted_and_the_notes_say_so(n, tokens, batch, size, length, said):
    found = gc.recipe({"kernel": shape(int(n) // 100, 100)}, tokens=tokens, batch=batch)
    best = 0.58 * length**0.571
    rate = 1.79 * size**-0.713 * length**0.307 * min(1, math.sqrt(batch / best))
    assert math.isclose(peak(found), rate, rel_tol=0.05) and 2e-4 < peak(found) < 0.0123
    tau = 1.084 * (length / size) ** -0.527
    decay = argument(found, "weight_decay")
    assert math.isclose(decay, batch / (rate * length * tau), rel_tol=0.1) and decay < 1
    assert all(line in repr(found) for line in said), found
    assert repr(found).count("was fitted") == len(said)


def test_a_model_of_260_000_parameters_gets_a_rate_that_trains():
    """The law itself says 0.061."""
    found = gc.recipe({"kernel": shape(512, 512)}, tokens=1e8, batch=2**14)
    assert 5e-4 < peak(found) < 4e-3 and argument(found, "weight_decay") < 1


def test_a_batch_above_the_optimum_is_said():
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
