"""sweep: one compilation, the same numbers as runs one by one, the best, what is refused."""

import csv
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

X = np.random.default_rng(0).normal(size=(20, 16, 4)).astype(np.float32)
Y = (X @ np.asarray([1.0, -2.0, 3.0, 0.5], np.float32)).astype(np.float32)
START = {"w": jnp.zeros(4)}


def loss(params, batch):
    x, y = batch
    return jnp.mean(jnp.square(x @ params["w"] - y))


TRAIN = gc.trainer(loss, START, (X, Y))


def one_step(tx):
    """The loss after a step: a program that is quickly compiled."""
    params, _ = tx.step(jax.grad(loss)(START, (X[0], Y[0])), tx.init(START), START)
    return loss(params, (X[0], Y[0]))


def quiet(*args, **kwargs):
    """A sweep without its warnings of edges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return gc.sweep(*args, **kwargs)


@pytest.fixture(scope="module")
def swept():
    """A grid of two hyperparameters, and how often train was called for it."""
    calls = []

    def train(tx):
        calls.append(tx)
        return {"loss": TRAIN(tx), "other": jnp.zeros(())}

    tx = gc.chain(gc.clip_by_global_norm(5.0), gc.adamw(1e-3, weight_decay=0.01))
    found = quiet(train, tx, learning_rate=[0.01, 0.3, 1e38], b2=[0.5, 0.9, 0.99], progress=False)
    return found, len(calls)


def test_one_trace_gives_the_numbers_of_single_runs(swept):
    found, calls = swept
    assert calls == 1 and len(found.points) == 9
    for i in (0, 4):
        point = found.points[i]
        made = gc.chain(gc.clip_by_global_norm(5.0), gc.adamw(**point, weight_decay=0.01))
        assert found.grid.optimizer(i) == made
        np.testing.assert_allclose(found.scores[i], jax.jit(lambda tx=made: TRAIN(tx))(), rtol=1e-4)


def test_diverged_points_are_marked_and_not_chosen(swept):
    found, _ = swept
    gone = [row for row in found.rows() if row["diverged"]]
    assert [row["learning_rate"] for row in gone] == [1e38] * 3 and found.best["learning_rate"] == 0.3
    assert str(found).count("diverged") == 3 and found.optimizer.args["links"][1].args["learning_rate"] == 0.3
    assert max(map(len, str(found).splitlines())) <= 100
    with pytest.raises(ValueError, match="all 2 points have diverged"):
        _ = quiet(lambda tx: jnp.nan, gc.sgd(0.1), learning_rate=[1.0, 2.0]).best


def test_rows_and_files(swept, tmp_path):
    found, _ = swept
    with found.to_csv(tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9 and float(rows[4]["loss"]) == pytest.approx(found.scores[4])
    assert "<table>" in found._repr_html_()
    for names in ((), ("b2",)):
        axes = found.plot(*names, path=tmp_path / "s.png").axes[0]
        assert axes.get_xlabel() == (names[0] if names else "learning_rate")
    with pytest.raises(ValueError, match=r"no hyperparameter 'b3'; did you mean b2"):
        found.plot("b3")


@pytest.mark.filterwarnings("ignore:sweep")
def test_chunks_and_point_by_point_are_the_same():
    tx, rates = gc.sgd(0.1), [0.01, 0.03, 0.05, 0.1, 0.2]
    whole = quiet(one_step, tx, learning_rate=rates)
    parts = quiet(one_step, tx, learning_rate=rates, at_once=2)
    alone = quiet(one_step, tx, learning_rate=rates[1:3], compiled=False)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-5)
    np.testing.assert_allclose(alone.scores, whole.scores[1:3], rtol=1e-5)


def test_fewer_at_once_where_memory_does_not_suffice(monkeypatch):
    sizes = []
    compiled = gc.tuning.program._compiled

    def seen(who, f, operands, name):
        made = compiled(who, f, operands, name)
        sizes.append((len(jax.tree.leaves(operands)[0]), made[1]))
        monkeypatch.setattr(gc.tuning.program, "free_bytes", lambda: made[1] * 0.7)
        return made

    monkeypatch.setattr(gc.tuning.program, "_compiled", seen)
    found = quiet(one_step, gc.sgd(0.1), learning_rate=[0.01, 0.03, 0.1, 0.2])
    assert [size for size, _ in sizes] == [4, 2] and sizes[0][1] > 0 and np.isfinite(found.scores).all()


def test_seeds_share_their_keys():
    train = gc.trainer(loss, lambda key: {"w": jax.random.normal(key, 4)}, (X, Y))
    found = quiet(train, gc.sgd(0.1), seeds=3, learning_rate=[0.01, 0.1])
    assert found.values["loss"].shape == (2, 3) and "±" in str(found)
    alone = train(gc.sgd(0.1), jax.random.key(2))
    np.testing.assert_allclose(found.values["loss"][1, 2], alone, rtol=1e-5)
    assert found.plot().axes[0].get_legend() is not None


def test_schedules_functions_and_pairs():
    tx = gc.sgd(gc.warmup_cosine_decay_schedule(0.0, 0.1, warmup_steps=2, decay_steps=20))
    found = quiet(one_step, tx, peak_value=[0.01, 0.1], warmup_steps=[2, 5])
    assert found.optimizer.args["learning_rate"].warmup_steps in (2, 5)
    made = quiet(one_step, lambda rate, b1: gc.adam(rate, b1=b1), rate=[0.1, 0.2], b1=[0.5, 0.9], paired=True)
    assert made.points == [{"rate": 0.1, "b1": 0.5}, {"rate": 0.2, "b1": 0.9}]
    assert isinstance(made.optimizer, gc.Transform)
    groups = gc.partition({"a": gc.sgd(0.1), "b": gc.adam(0.1)}, {"w": "a", "**": "b"})
    both = quiet(one_step, groups, **{"**/learning_rate": [0.1, 0.2]})
    assert repr(both.grid.optimizer(1)).count("learning_rate=0.2") == 2


def test_choices_make_a_program_each():
    calls = []

    def train(tx):
        calls.append(tx)
        return one_step(tx)

    rates = [0.01, 0.1]
    found = quiet(train, gc.adam(0.1), nesterov=[False, True], learning_rate=rates, seeds=None)
    assert len(calls) == 2 and found.points[1] == {"nesterov": False, "learning_rate": 0.1}
    for i, point in enumerate(found.points):
        assert found.grid.optimizer(i) == gc.adam(**point)
        np.testing.assert_allclose(found.scores[i], one_step(gc.adam(**point)), rtol=1e-5)
    assert set(lines(found.plot())) == {
        "nesterov False",
        "nesterov True",
        f"best: {found.best['learning_rate']}",
    }
    assert "False" in str(found) and not any("nesterov" in text for text in found.edges)

    schedules = {"constant": gc.constant_schedule(0.1), "linear": gc.linear_schedule(0.2, 0.0, 4)}
    found = quiet(one_step, gc.sgd(0.1), learning_rate=schedules)
    assert found.points == [{"learning_rate": "constant"}, {"learning_rate": "linear"}]
    assert found.grid.optimizer(1) == gc.sgd(schedules["linear"])
    assert len(found.plot().axes[0].get_yticklabels()) == 2


def test_several_optimizers():
    several = [gc.sgd(0.1), gc.adam(0.1), gc.sgd(0.1, momentum=0.9)]
    found = quiet(one_step, several, learning_rate=[0.01, 0.1])
    assert len(found.points) == 6 and found.optimizer == found.grid.optimizer(found.best_index)
    assert found.points[2] == {"optimizer": "adam", "learning_rate": 0.01}
    assert found.points[5]["optimizer"] == "sgd(learning_rate=0.1, momentum=0.9)"
    np.testing.assert_allclose(found.scores[3], one_step(gc.adam(0.1)), rtol=1e-5)
    alone = quiet(one_step, {"a": gc.sgd(0.1), "b": lambda: gc.lion(0.1)}, compiled=False)
    assert alone.points == [{"optimizer": "a"}, {"optimizer": "b"}] and alone.best["optimizer"] in "ab"
    with pytest.raises(ValueError, match="sgd has no hyperparameter 'b2'"):
        gc.sweep(one_step, several, b2=[0.9])
    with pytest.raises(ValueError, match="expected different optimizers"):
        gc.sweep(one_step, [gc.sgd(0.1), gc.sgd(0.1)])


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


def test_edges_say_where_to_go_on():
    with pytest.warns(UserWarning, match=r"the best learning_rate is the largest tried: try 0\.03333 too"):
        found = gc.sweep(
            lambda tx: -tx.args["learning_rate"], gc.sgd(0.1), learning_rate=[0.001, 0.003, 0.01]
        )
    assert "try 0.03" in str(found)
    inner = quiet(lambda tx: tx.args["weight_decay"], gc.adamw(0.3), weight_decay=[0.0, 10.0, 20.0])
    assert inner.best == {"weight_decay": 0.0} and not inner.edges  # there is nothing below
    last = quiet(lambda tx: -tx.args["b2"], gc.adam(0.3), b2=[0.9, 0.99])
    assert last.edges == ["the best b2 is the largest tried: try 0.999 too"]
    most = quiet(lambda tx: {"accuracy": tx.args["b2"]}, gc.adam(0.3), b2=[0.9, 0.5, 0.7], highest=True)
    assert most.best == {"b2": 0.9} and most.best_score == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({}, ValueError, "nothing to sweep"),
        ({"beta2": [0.9]}, ValueError, "here it is b2"),
        ({"learningrate": [0.9]}, ValueError, "did you mean learning_rate"),
        ({"b2": []}, ValueError, "b2 has no values"),
        ({"b2": 0.9}, TypeError, r"expected a list of values: b2=\[0.9\]"),
        ({"b2": [0.9, 1.5]}, ValueError, "b2 is 1.5; expected at least 0 and less than 1"),
        ({"b2": [0.9, 0.9]}, ValueError, "0.9 twice"),
        ({"b2": [True]}, TypeError, "b2 is True; expected"),
        ({"mask": ["**", "**"]}, ValueError, "mask has '\\*\\*' twice"),
        ({"b2": [0.9], "adam/b2": [0.8]}, ValueError, "both set 'adam/b2'"),
        ({"b1": [0.9], "b2": [0.8, 0.9], "paired": True}, ValueError, "found b1 1, b2 2"),
        ({"b2": [0.9], "at_once": 0}, ValueError, "at_once is 0"),
        ({"b2": [0.9], "seeds": 0}, ValueError, "seeds is 0"),
        ({"b2": [0.9], "seeds": 2}, TypeError, "cannot be called as train"),
        ({"b2": [0.9], "metric": "los"}, ValueError, "did you mean loss"),
    ],
)
def test_what_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        gc.sweep(lambda tx: 1.0, gc.adam(0.1), **given)


@pytest.mark.parametrize(
    ("train", "error", "said"),
    [
        (lambda tx: jnp.zeros(3), ValueError, r"float32\[3\]|expected one number \(shape \[\]\)"),
        (lambda tx: None, TypeError, "does it return anything"),
        (lambda tx: {}, ValueError, "an empty dict"),
        (lambda tx: {"a": 1.0, "b": 2.0}, ValueError, "say which counts: metric"),
        (lambda tx: float(tx.args["b2"]), jax.errors.ConcretizationTypeError, None),
    ],
)
def test_what_train_may_not_do(train, error, said):
    with pytest.raises(error, match=said) as caught:
        gc.sweep(train, gc.adam(0.1), b2=[0.9, 0.99])
    if not said:
        assert "compiled=False" in "".join(caught.value.__notes__)


def test_schedule_in_the_place_of_a_number():
    tx = gc.adam(gc.cosine_decay_schedule(0.1, 100))
    with pytest.raises(ValueError, match=r"is cosine_decay_schedule.*init_value=\[\.\.\.\]"):
        gc.sweep(TRAIN, tx, learning_rate=[0.1])
    with pytest.raises(TypeError, match="train is adam"):
        gc.sweep(gc.adam(0.1), TRAIN, learning_rate=[0.1])


def test_trainer_refuses():
    with pytest.raises(ValueError, match="without batches give the number of steps"):
        gc.trainer(lambda p: p, START)
    with pytest.raises(ValueError, match=r"batch 1 has shapes"):
        gc.trainer(loss, START, [(X[0], Y[0]), (X[0, :3], Y[0, :3])])
    with pytest.raises(TypeError, match=r"cannot be called as loss\(params\).*give batches"):
        gc.trainer(loss, START, steps=3)
    with pytest.raises(ValueError, match="the first axis of all"):
        gc.trainer(loss, START, (X, Y[:3]))
    with pytest.raises(ValueError, match="give steps"):
        gc.trainer(loss, START, iter([1]))


def test_the_best_has_what_was_given():
    """Of choices not the text that tables show: it makes an optimizer again."""
    schedule, params = gc.constant_schedule(0.2), {"w": jnp.ones(2)}

    def train(tx):
        return jnp.sum(tx.step(params, tx.init(params), params)[0]["w"])

    found = quiet(train, gc.adamw(0.1), learning_rate=[0.01, schedule, 0.1])
    assert found.best == {"learning_rate": schedule}
    assert gc.adamw(**found.best) == found.optimizer
