"""describe(..., budget=...): bytes of every choice, which fit, the lines that get them, and the table."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.report.budget import GIB, limit_of
from gradchain.report.operations import count, operations

M, N = 128, 256
BIG, SMALL = M * N, N  # numbers; of a vector no codec keeps less than 4,096
SIZE = BIG + SMALL
PARAMS = {
    "kernel": jax.ShapeDtypeStruct((M, N), jnp.float32),
    "bias": jax.ShapeDtypeStruct((N,), jnp.float32),
}
SCALARS = 12  # bytes: two counters and the learning rate
# Bytes of log4: int8 for rows and for columns, of both moments; for the vector scalars in their place.
EXPONENTS = 2 * (M + N) + 4 * 4
TX = gc.adamw(1e-3)


def budget(tx=TX, params=PARAMS, gib=1.0, **options):
    return gc.describe(tx, params, budget=gib, **options).budget


@pytest.fixture(scope="module")
def found():
    return budget()


STATES = {  # bytes of state on the device, in the host's memory
    "as it is": (8 * SIZE + SCALARS, 0),
    "offload": (8 * SMALL + SCALARS, 8 * BIG),
    "bfloat16_stochastic": (4 * BIG + 8 * SMALL + SCALARS + 4, 0),
    "log8": (2 * BIG + 8 * SMALL + SCALARS + 4, 0),
    "log4": (BIG + EXPONENTS + 8 * SMALL + SCALARS + 4, 0),
    "log8, rank_one": (BIG + 4 * (M + N) + 8 * SMALL + 4 + SCALARS + 4, 0),
    "split_weights": (10 * SIZE + SCALARS + 4, 0),
    "round_stochastically": (8 * SIZE + SCALARS + 4, 0),
    "log8, split_weights": (4 * BIG + 10 * SMALL + SCALARS + 8, 0),
    "log8, round_stochastically": (2 * BIG + 8 * SMALL + SCALARS + 8, 0),
    "log4, round_stochastically": (BIG + EXPONENTS + 8 * SMALL + SCALARS + 8, 0),
    "offload, split_weights": (10 * SMALL + SCALARS + 4, 10 * BIG),
}


@pytest.mark.parametrize("name", STATES)
def test_bytes_of_a_choice(found, name):
    choice = next(c for c in found.choices if c.name == name)
    width = 2 if "split_weights" in name or "round" in name else 4
    assert (choice.state, choice.host) == STATES[name]
    assert choice.params == choice.gradients == width * SIZE and choice.scratch is None
    assert choice.total == 2 * width * SIZE + choice.state
    assert choice.least == 3 * width * SIZE + 2 * sum(STATES[name])


def test_the_line_of_a_choice_gets_what_its_row_says(found):
    for choice in found.choices:
        names = {"gc": gc, "tx": TX, "learning_rate": 0.1, "params": jax.tree.map(jnp.zeros_like, PARAMS)}
        exec(choice.code, names)
        placed = gc.layout(names["tx"], names["params"])
        assert placed.total_bytes == choice.state + choice.host, choice.name
        assert sum(x.nbytes for x in jax.tree.leaves(names["params"])) == choice.params, choice.name


def test_choices_save_something_and_the_first_is_the_optimizer_as_it_is(found):
    first, *others = found.choices
    assert first.name == "as it is" and first.steps == "the same" and not first.code
    assert all(c.total < first.total for c in others)
    names = [c.name for c in others]
    assert len(set(names)) == len(names) and {"adafactor", "muon"} <= set(names)
    assert {c.steps for c in others} == {"the same", "rounded", "another rule"}
    last = ["split_weights", "round_stochastically", "offload, split_weights"]
    assert [c.name for c in budget(gc.sgd(0.1)).choices] == ["as it is", *last]


def test_what_fits():
    log8 = next(c for c in budget().choices if c.name == "log8")
    exactly = budget(gib=log8.total / GIB)
    assert exactly.limit == log8.total and log8 in exactly.fitting
    assert log8 not in budget(gib=(log8.total - 1) / GIB).fitting
    assert exactly.choices[0] not in exactly.fitting
    text = str(exactly)
    assert 'log8                           tx = gc.stored(tx, "log8")' in text
    assert "it fits as it is" not in text and "it fits as it is" in str(budget())
    assert max(map(len, text.splitlines())) <= 100


def test_nothing_fits():
    found = budget(gib=1e-5)
    least = min(c.total for c in found.choices)
    assert not found.fitting and found.smallest.total == least
    params = {"kernel": jax.ShapeDtypeStruct((2**14, 2**14), jnp.float32)}
    shown = str(budget(params=params, gib=0.5))
    assert "nothing fits: the smallest, offload, split_weights,\nneeds 1.000 GiB, 0.500 more" in shown
    assert (
        "tx = gc.offload(gc.chain(tx, gc.split_weights()))" in shown
        and "log8  " not in shown.split("nothing")[1]
    )


def test_the_least_that_a_step_needs(found):
    assert found.parameters == SIZE
    assert found.choices[0].least == 28 * SIZE + 2 * SCALARS
    assert found.operations == operations(TX, PARAMS)
    assert "a step needs at least 28 bytes of memory traffic and 17" in str(found).splitlines()[0]
    assert budget(gc.polyak_sgd()).operations is None  # needs the loss


def test_operations_are_counted():
    x = jax.ShapeDtypeStruct((10,), jnp.float32)

    def numbers(f):
        return count(jax.make_jaxpr(f)(x).jaxpr)

    assert numbers(lambda x: x * x + 1) == 20
    assert numbers(lambda x: jnp.broadcast_to(x.reshape(5, 2), (3, 5, 2))) == 0
    assert numbers(lambda x: jnp.sum(x * x)) == 11
    assert numbers(jax.jit(lambda x: -x)) == 10
    assert numbers(lambda x: jax.lax.scan(lambda c, _: (-c, None), x, None, length=7)[0]) == 70
    assert numbers(lambda x: jax.lax.cond(True, lambda x: -x, lambda x: -x + x, x)) == 20


def test_parameters_that_are_no_floats_and_none_at_all():
    params = {**PARAMS, "step": jax.ShapeDtypeStruct((4,), jnp.int32)}
    found = budget(gc.masked(TX, lambda path, leaf: path != "step"), params=params)
    assert found.choices[0].params == 4 * SIZE + 16 and found.choices[0].gradients == 4 * SIZE
    assert budget(params={}).choices[0].total == SCALARS


def test_storages_that_the_optimizer_has_already_are_not_offered_again():
    names = [c.name for c in budget(gc.stored(TX, "log8")).choices]
    assert "log8" not in names and "offload" in names


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "12", True, 1e-12])
def test_a_bad_budget_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"describe: budget is .*; expected the GiB \(2\^30 bytes\)"):
        gc.describe(TX, PARAMS, budget=wrong)
    assert limit_of(12, "describe") == 12 * 2**30


def test_it_is_shown_below_the_table_and_in_html():
    found = gc.describe(TX, PARAMS, budget=1)
    assert str(found).endswith(str(found.budget)) and str(found).startswith("link")
    assert "<pre>a step needs at least" in found._repr_html_()
    assert gc.describe(TX, PARAMS).budget is None


def test_scratch_memory_is_compiled_where_the_rest_fits():
    small = {"kernel": PARAMS["kernel"]}
    found = budget(gc.sgd(0.1), params=small, gib=1.5 * 2**18 / GIB, scratch=True)
    known = {c.name: c.scratch for c in found.choices}
    assert known["as it is"] is not None  # 2 MiB and more, beyond the budget
    assert known["round_stochastically"] is not None and known["split_weights"] is not None
    assert "compiled for" in str(found) and "scratch" in str(found)
