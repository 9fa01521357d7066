"""Tables for notebooks: optimizers, schedules, states, metrics, layouts; optimizers over several lines."""

import importlib
import re

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core import words

PARAMS = {"a": {"kernel": jnp.ones((3, 4)), "bias": jnp.zeros(4)}}
ODD = re.compile("kernel|, ['\"\\(]<b>")
TX = gc.chain(
    gc.clip_by_global_norm(1.0),
    gc.adamw(gc.warmup_cosine_decay_schedule(0.0, 1e-3, 100, 1000), weight_decay=0.1, mask=ODD),
)


def cells(html):
    """The rows of a table as text."""
    rows = re.findall("<tr>(.*?)</tr>", html)
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall("<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows
    ]


def test_an_optimizer_is_a_table_of_links():
    html = TX._repr_html_()
    found = dict(row for row in cells(html))
    assert list(found)[:2] == ["link", "clip_by_global_norm"]
    assert found["scale_by_adam"] == "b1=0.9, b2=0.999, eps=1e-08, eps_root=0"
    assert "<b>" not in html and "&lt;b&gt;" in html


def test_a_schedule_is_a_picture_and_its_arguments():
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    html = gc.cosine_decay_schedule(1e-3, 10)._repr_html_()
    assert cells(html)[1:3] == [["init_value", "0.001"], ["decay_steps", "10"]]
    assert '<img alt="cosine_decay_schedule" width="480" src="data:image/png;base64,iVBOR' in html


def test_a_schedule_without_matplotlib_or_values(monkeypatch):
    traced = []
    jax.jit(lambda x: traced.append(gc.constant_schedule(x)._repr_html_()) or x)(1.0)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    for html in (*traced, gc.constant_schedule(0.5)._repr_html_()):
        assert cells(html)[0][0] == "constant_schedule" and "<img" not in html


def test_a_state_is_a_table_of_slots():
    tx = gc.monitored(gc.accumulate(gc.adam(0.1), 2))
    for state in (tx.init(PARAMS), jax.eval_shape(tx.init, PARAMS)):
        head, *rows, total = cells(gc.show(state).html)
        assert head == ["link", "slot", "leaf", "shape", "dtype", "bytes"]
        assert [row for row in rows if row[1] == "mu"] == [["", "mu", "2 leaves", "", "float32", "64 B"]]
        (each,) = [row for row in cells(gc.show(state, leaves=True).html) if row[1:3] == ["mu", "a/kernel"]]
        assert each == ["", "mu", "a/kernel", "[3, 4]", "float32", "48 B"]
        assert total[-1] == f"{sum(x.nbytes for x in jax.tree.leaves(tx.init(PARAMS)))} B"
    lines = repr(gc.show(state)).splitlines()
    assert lines[0].split() == head and lines[-1].startswith("total")


def test_metrics_are_a_table_of_names():
    tx = gc.monitored(gc.adam(0.5), layers=True)
    state = tx.step(PARAMS, tx.init(PARAMS), PARAMS)[1]
    found = dict(row for row in cells(gc.show(gc.metrics(state)).html))
    assert found["step"] == "1" and found["learning_rate"] == "0.5"
    assert found["layer_grad_norm/a/kernel"] == "3.464"
    assert re.search(r"layer_grad_norm/a/kernel +3\.464\n", repr(gc.show(gc.metrics(state))))


def test_other_tables_are_handed_on():
    for value in (TX, gc.layout(TX, PARAMS), gc.describe(TX, PARAMS), gc.constant_schedule(1.0)):
        shown = gc.show(value)
        assert repr(shown) == repr(value) and shown._repr_html_() == value._repr_html_()
    assert cells(gc.layout(TX, PARAMS)._repr_html_())[-1][0] == "total"
    with pytest.raises(TypeError, match="show: the argument is 3; expected an optimizer"):
        gc.show(3)


def test_states_in_other_containers():
    optax = importlib.import_module("gradchain.optax")
    tx = optax.adam(0.1)
    rows = cells(gc.show(tx.init(PARAMS)).html)
    assert [row[2:] for row in rows if row[1] == "mu"] == [["2 leaves", "", "float32", "64 B"]]
    assert cells(gc.show(tx).html)[0] == ["link", "hyperparameters"]
    train_state = pytest.importorskip("flax.training.train_state").TrainState
    held = train_state.create(apply_fn=None, params=PARAMS, tx=gc.adam(0.1))
    assert gc.show(held).html == gc.show(held.opt_state).html


def test_ipython_shows_states_and_metrics():
    formatters = pytest.importorskip("IPython.core.formatters", reason="IPython is not installed")
    shell = type("Shell", (), {"display_formatter": formatters.DisplayFormatter()})
    gc.load_ipython_extension(shell)
    show = shell.display_formatter.format
    state = TX.init(PARAMS)
    assert "<table>" in show(state)[0]["text/html"] and "<table>" in show(gc.metrics(state))[0]["text/html"]
    assert "text/html" not in show({"a": 1})[0] and "text/html" not in show({"step": object, 1: 2})[0]
    values = {
        "scale_by_adam": TX, "mu": state, "grad_norm": gc.metrics(gc.monitored(TX).init(PARAMS)),
        "float32": gc.layout(TX, PARAMS), "init_value": gc.cosine_decay_schedule(1e-3, 10),
        "nu": gc.describe(TX, PARAMS), "adamw": gc.search("adamw"),
    }  # fmt: skip
    for word, value in values.items():
        data, _ = show(value)
        assert "<table>" in data["text/html"] and data["text/plain"].strip(), type(value)
        assert word in data["text/html"], (type(value), word)
    assert eval(show(TX)[0]["text/plain"], {**vars(gc), "re": re}) == TX  # the text is the optimizer's own


def test_a_long_optimizer_is_printed_over_several_lines():
    assert repr(gc.adamw(1e-3)) == "adamw(learning_rate=0.001)"
    lines = repr(TX).splitlines()
    assert lines[:3] == ["chain(", "    clip_by_global_norm(max_norm=1.0),", "    adamw("]
    assert max(map(len, lines)) <= 100 and lines[-1] == ")"
    scope = {**vars(gc), "re": re, "jnp": jnp}
    several = gc.partition({"a, (": TX, "b": gc.muon(gc.tunable(0.1))}, {"**/kernel": "a, (", "**": "b"})
    for tx in (
        TX,
        several,
        gc.masked(TX, ["x" * 120]),
        gc.freeze(("a" * 60, "b" * 60)),
        gc.freeze(["a" * 120]),
    ):
        assert eval(repr(tx), scope) == tx
        assert "\n" in repr(tx) and "\n" not in words.show(tx) and "\n" not in repr(tx.recipe)
