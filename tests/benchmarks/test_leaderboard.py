"""The leaderboard: its page is what the kept runs say, and runs come back as they were kept."""

import itertools

import numpy as np
import pytest

from benchmarks import leaderboard
from benchmarks.leaderboard import PAGE, Tuned, load, render


def test_the_page_shows_the_runs_that_are_kept():
    text = PAGE.read_text("utf-8")
    assert render(text, load()) == text, "run: python -m benchmarks leaderboard --page"


def test_runs_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(leaderboard, "FOLDER", tmp_path)
    curves = np.asarray([[1.0, 0.25], [np.inf, np.inf]])
    one = Tuned("adamw", 0.02, curves, {0.02: 0.25, 0.04: np.inf}, True, 8.0)
    leaderboard.save({("digits", "adamw"): one})
    back = load()["digits", "adamw"]
    assert back.tried == one.tried and (back.curves == one.curves).all()
    assert (back.rate, back.bracketed, back.state) == (0.02, True, 8.0)
    assert load(tmp_path / "nothing.jsonl") == {}


def test_a_table_marks_rates_that_are_not_bracketed():
    base = Tuned("adamw", 0.02, np.asarray([[1.0, 0.2], [1.0, 0.3], [1.0, 0.25]]), {}, True, 8.0)
    other = Tuned("sgd", 1e4, np.asarray([[1.0, 0.9], [1.0, 0.8], [1.0, 0.85]]), {}, False, 0.0)
    text = render(
        "<!-- leaderboard: regression -->\n<!-- end -->", {("regression", o.name): o for o in (base, other)}
    )
    assert "| 1e+04 * | 0.85 ± 0.05 | - | worse | 0 |" in text
    assert "[`adamw`](reference.md#gradchain.adamw) | 0.02 |" in text


@pytest.mark.parametrize("problem", sorted(leaderboard.SEEDS))
def test_the_reference_is_among_what_runs(problem):
    assert leaderboard.REFERENCE in leaderboard.names_of(problem)


def test_kept_runs_say_what_is_claimed():
    """Rates tuned, equal steps, each seed of the one below each of the other."""
    kept = load()

    def below(problem, *names):
        ends = [kept[problem, name].ends for name in names]
        return all(one.max() < other.min() for one, other in itertools.pairwise(ends))

    for name in ("shampoo", "soap", "muon", "psgd_kron", "dion"):
        assert below("language", name, "adamw"), name
    assert below("regression", "shampoo", "muon", "soap", "adam", "sgd")
    assert below("digits", "muon", "lion", "sgd") and below("digits", "soap", "adamw", "sgd")
    assert not below("digits", "soap", "muon")  # which is published, and did not come out here
