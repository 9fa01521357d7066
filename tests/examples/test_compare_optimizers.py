"""compare_optimizers.py: how it tunes, what it counts, and a run of it."""

import csv

import compare_optimizers
import jax
import numpy as np
import pytest
from compare import report, tuning
from compare.problems import PROBLEMS, regression
from compare.tuning import Tuned, steps_to
from lm import UserError

import gradchain as gc


def tuned(name, ends, curve=(1.0,)):
    ends = np.asarray(ends, float)[:, None]
    curves = np.concatenate([np.tile(np.asarray(curve, float), (len(ends), 1)), ends], 1)
    return Tuned(name, 0.1, curves, {0.1: 1.0}, True, 8.0)


def curves(**ends):
    return {float(rate[1:]): np.full((2, 3), end) for rate, end in ends.items()}


@pytest.mark.parametrize(
    "ends, exponents",
    [
        ({"r1": 3.0, "r2": 1.0, "r4": 2.0}, []),
        ({"r1": 1.0, "r2": 2.0, "r4": 3.0}, [-5, -4, -3, -2, -1]),
        ({"r1": 3.0, "r2": 2.0, "r4": 1.0}, [3, 4, 5, 6, 7]),
        ({"r1": np.nan, "r2": np.nan, "r4": np.nan}, [-5, -4, -3, -2, -1]),
        ({"r1": 3.0, "r2": 2.0, "r4": np.nan}, []),
    ],
)
def test_grids_go_on_until_the_best_has_worse_neighbours(ends, exponents):
    found = curves(**ends)
    assert tuning._further(sorted(found), found, 1.0) == exponents


def test_steps_to_a_loss_are_read_between_points():
    one = tuned("a", [1.0, 0.01], curve=(1.0, 0.1))  # at steps 10, 20, 30
    assert steps_to(one, 0.1, 30).tolist() == [20, 20]
    assert steps_to(one, 10**-0.5, 30).tolist() == pytest.approx([15, 15])
    assert steps_to(one, 0.01, 30).tolist() == [np.inf, 30]
    assert steps_to(one, 2.0, 30).tolist() == [10, 10]


def test_runs_are_told_apart_where_they_differ_by_more_than_their_spread():
    base = np.asarray([1.0, 1.1, 0.9])
    assert report.verdict(base * 0.5, base) == "better"
    assert report.verdict(base * 2, base) == "worse"
    assert report.verdict(base * 1.02, base) == "same"
    assert report.verdict(np.asarray([0.1, np.nan, 0.1]), base) == "worse"


def test_rows_are_ranked_and_count_the_steps_of_the_reference():
    found = [tuned("adamw", [0.1, 0.2]), tuned("x", [0.01, 0.01]), tuned("y", [np.nan, 1.0])]
    made = report.rows(PROBLEMS["regression"](), found, "adamw")
    assert [row["optimizer"] for row in made] == ["x", "adamw", "y"]
    assert made[0]["steps"] < made[1]["steps"] <= 200 and made[2]["steps"] == np.inf
    assert report.spread(made[2]) == "diverged"


def test_a_comparison_writes_a_table_and_a_figure(tmp_path, capsys):
    given = ["sgd", "--problem", "regression", "--seeds", "2", "--out", str(tmp_path), "--reference", "adam"]
    assert compare_optimizers.main(given) == 0
    shown = capsys.readouterr().out
    assert "condition 30" in shown and "worse" in shown
    with (tmp_path / "regression.csv").open() as file:
        rows = {row["optimizer"]: row for row in csv.DictReader(file)}
    assert float(rows["adam"]["loss"]) < float(rows["sgd"]["loss"]) < 0.1
    assert rows["adam"]["bracketed"] == rows["sgd"]["bracketed"] == "True"
    assert (tmp_path / "regression.png").read_bytes()[:4] == b"\x89PNG"


def test_the_condition_is_what_it_says():
    problem = regression()
    w = np.eye(24, dtype=np.float32)
    assert float(problem.judge({"w": np.zeros((24, 24), np.float32)})) == pytest.approx(1)
    assert float(problem.judge({"w": w})) != float(problem.judge({"w": 2 * w}))


def test_what_is_no_optimizer_is_said_with_near_names(capsys):
    assert compare_optimizers.main(["adamx"]) == 1
    assert "adamx" in capsys.readouterr().err
    with pytest.raises(UserError, match="adamw"):
        compare_optimizers.chosen(["adam_w"], False)


def test_all_that_need_only_a_rate_are_candidates():
    known = compare_optimizers.candidates()
    assert {"adamw", "muon", "lbfgs", "schedule_free_sgd"} <= known.keys()
    assert known["schedule_free_sgd"](gc.linear_schedule(0.5, 0.0, 10)) == gc.schedule_free_sgd(0.5)


@pytest.mark.slow
def test_the_published_order_on_digits():
    """Muon < Lion < AdamW < SGD after 30 steps at tuned rates, Shampoo beside Muon; three seeds."""
    problem, found = PROBLEMS["digits"](), {}
    for name, rate in (("muon", 0.32), ("shampoo", 0.04), ("lion", 0.02), ("adamw", 0.02), ("sgd", 1.28)):
        make = compare_optimizers.candidates()[name]
        ends = jax.jit(jax.vmap(lambda seed, make=make, rate=rate: tuning.run(problem, make, rate, seed)[-1]))
        found[name] = float(np.mean(ends(np.arange(3))))
    assert found["muon"] < found["lion"] < found["adamw"] < found["sgd"], found
    assert found["shampoo"] < 0.5 * found["adamw"], found
