"""The command line: what each command prints, its JSON, its exit codes, and what it says of bad input."""

import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import gradchain as gc
from gradchain.cli import main, output
from gradchain.cli.doctor import history
from gradchain.cli.schedules import ends
from gradchain.cli.snippet import snippet

ADAMW = {"adamw": {"learning_rate": 0.001}}


@pytest.fixture
def run(capsys):
    """Run a command: (exit code, what it printed, what it said of errors)."""

    def call(*argv: str):
        try:
            code = main(argv)
        except SystemExit as error:  # argparse's
            code = error.code
        return code, *capsys.readouterr()

    return call


def test_list(run):
    code, out, _ = run("list", "--family", "sign")
    named = {n for n, f in gc.REGISTRY.items() if f.family == "sign"}
    assert code == 0 and f"{len(named)} of {len(gc.REGISTRY)}" in out
    assert named <= set(out.split()) and "adamw" not in out.split()
    code, out, _ = run("list", "--kind", "optimizer", "--needs", "value", "--json")
    found = json.loads(out)
    assert (
        code == 0
        and {x["kind"] for x in found} == {"optimizer"}
        and "polyak_sgd" in {x["name"] for x in found}
    )
    assert all("value" in x["needs"] for x in found)
    assert run("list", "--family", "sign", "--needs", "value")[0] == 1


def test_search(run):
    code, out, _ = run("search", "orthogonal", "momentum", "--kind", "optimizer")
    assert code == 0 and "muon" in out.split()
    found = json.loads(run("search", "momentum", "--state", "<1", "--json")[1])
    assert found and all(x["state"] < 1 for x in found)
    assert [x["name"] for x in found] == gc.search("momentum", state="<1").names
    code, out, _ = run("search", "orthogonl")
    assert code == 1 and "orthogonal" in out


def test_show(run):
    code, out, _ = run("show", "gc.adamw")
    assert code == 0 and "adamw  (optimizer, adaptive, arXiv:1711.05101)" in out
    assert "p = p - lr * (m' / (sqrt(v') + eps) + weight_decay * p)" in out
    assert "8 bytes for each parameter" in out and "learning_rate  needed   Length of a step" in out
    about = json.loads(run("show", "adamw", "--json")[1])
    assert about["state"] == gc.search("adamw").entries[0].state
    assert [a["name"] for a in about["arguments"]] == list(gc.REGISTRY["adamw"].signature.parameters)
    assert {a["name"]: a["default"] for a in about["arguments"]}["b2"] == "0.999"
    assert "init_value" in run("show", "cosine_decay_schedule")[1] and "octave" in run("show", "log8")[1]
    assert "describe(tx: " in run("show", "describe")[1]


@pytest.mark.parametrize(
    "name",
    ["scale_by_lion", "polyak_sgd", *(pytest.param(n, marks=pytest.mark.slow) for n in ("adamw", "dpsgd"))],
)
def test_what_show_prints_runs(name, capsys):
    exec(snippet(gc.REGISTRY[name]), {})
    assert "bytes per parameter" in capsys.readouterr().out


def test_a_snippet_of_what_needs_more_says_what():
    assert "max_logits=..." in snippet(gc.REGISTRY["qk_clip"])


def test_describe(run, tmp_path):
    shapes, config = tmp_path / "shapes.json", tmp_path / "opt.yaml"
    shapes.write_text('{"a": {"shape": [8, 4], "dtype": "bfloat16"}, "b": [3]}')
    config.write_text("adamw:\n  learning_rate: 1e-3\n")
    tx = gc.adamw(1e-3)
    for given in ("adamw(1e-3)", "gc.adamw(learning_rate=1e-3)", json.dumps(ADAMW), str(config)):
        code, out, _ = run("describe", given, f"--shapes={shapes}", "--json")
        found = json.loads(out)
        assert code == 0 and found["parameters"] == 35 and found["optimizer"] == repr(tx)
        assert sum(row["total_bytes"] for row in found["rows"]) == found["total_bytes"]
    code, out, _ = run(
        "describe", "adamw(1e-3)", "--shapes=w=1024x512,b=512:bfloat16", "--stored=log8", "--leaves"
    )
    assert code == 0 and "int8 (log8)" in out and "524,800 parameters" in out
    assert max(map(len, out.splitlines())) <= output.WIDTH
    assert "4,194,304 parameters" in run("describe", "sgd(0.1)")[1]


def test_schedules(run, tmp_path):
    schedule = gc.linear_schedule(1.0, 0.0, 100)
    figure = tmp_path / "s.png"
    code, out, _ = run("plot-schedule", repr(schedule), "-o", str(figure))
    assert code == 0 and "wrote" in out and figure.read_bytes().startswith(b"\x89PNG")
    found = json.loads(
        run("plot-schedule", f"chain(sgd({schedule!r}), adam({schedule!r}))", "--steps=10", "--json")[1]
    )
    assert found["step"] == list(range(11))
    for name in ("sgd.learning_rate", "adam.learning_rate"):
        assert found[name] == pytest.approx([float(schedule(i)) for i in range(11)])
    twice = json.loads(run("plot-schedule", f"chain(sgd({schedule!r}), sgd({schedule!r}))", "--json")[1])
    assert set(twice) == {"step", "sgd.learning_rate", "sgd.learning_rate (2)"}
    assert ends(schedule) == 110 and ends(gc.constant_schedule(1.0)) == 100
    assert ends(gc.inverse_sqrt_schedule(0.0, 1.0, 10)) == 10_000
    assert (
        json.loads(run("plot-schedule", '{"constant_schedule": {"value": 2}}', "--json")[1])["value"][0] == 2
    )


def test_config(run, tmp_path, monkeypatch):
    file = tmp_path / "opt.yaml"
    assert run("config", "convert", json.dumps(ADAMW), "--hydra", "-o", str(file))[0] == 0
    assert file.read_text() == "_target_: gradchain.adamw\nlearning_rate: 0.001\n"
    assert json.loads(run("config", "convert", str(file))[1]) == ADAMW
    assert run("config", "convert", str(file), "--to", "expression")[1] == "adamw(learning_rate=0.001)\n"
    assert run("config", "validate", str(file)) == (0, "valid: adamw(learning_rate=0.001)\n", "")
    file.write_text("adamw:\n  learning_rat: 0.1\n")
    code, out, err = run("config", "validate", str(file))
    assert (code, out) == (1, "") and f"{file}: adamw.learning_rat" in err and "learning_rate" in err
    assert not json.loads(run("config", "validate", str(file), "--json")[1])["valid"]
    for piped in (json.dumps(ADAMW), "adamw:\n  learning_rate: 0.001\n", "adamw(0.001)"):
        monkeypatch.setattr("sys.stdin", io.StringIO(piped))
        assert json.loads(run("config", "convert", "-")[1]) == ADAMW


@pytest.mark.parametrize(
    "argv, message",
    [
        (["lst"], "no command 'lst'; did you mean list?"),
        (["list", "--family", "sig"], "--family sig: did you mean sign"),
        (["list", "--family", "xyz"], "--family xyz: it is one of adaptive"),
        (["search", "x", "--kind", "optimiser"], "did you mean optimizer?"),
        (["search", "x", "--state", "few"], "state is 'few'; expected bytes"),
        (["show", "Adam"], "write gc.adam(1e-3"),
        (["show", "adammw"], "did you mean gc.adamw"),
        (["describe", "adamw(1e-3"], "not an expression at character"),
        (["describe", "adamv(1e-3)"], "adamv: not a name of gradchain's; did you mean adam"),
        (["describe", "adamw(lr=1e-3)"], "adamw() has no argument 'lr'; here it is learning_rate"),
        (["describe", "adamw"], "missing a required argument: 'learning_rate'"),
        (["describe", "cosine_decay_schedule(0.1, 10)"], "is a cosine_decay_schedule; expected an optimizer"),
        (["describe", "nowhere.json"], "nowhere.json"),
        (["describe", "sgd(0.1)", "--shapes", "nowhere.json"], "nowhere.json"),
        (["describe", "sgd(0.1)", "--shapes", "a=4y4"], "expected a file SHAPES.json, JSON, or kernel="),
        (["describe", "sgd(0.1)", "--shapes", "a=4:float31"], "'float31' is no dtype"),
        (["describe", "sgd(0.1)", "--stored", "log9"], "log8"),
        (["plot-schedule", "sgd(0.1)"], "there is no schedule in sgd(0.1)"),
        (["plot-schedule", "constant_schedule(1)", "--steps=0"], "--steps 0: expected 1 or more"),
        (["plot-schedule", "constant_schedule(1)", "-o", "x.doc"], "ends in .png, .svg or .pdf"),
        (["config", "convert", "sgd(0.1)", "-o", "x.txt"], "ends in .json, .yaml"),
        (["config", "convert", "constant_schedule(1)"], "is a schedule; a configuration is of an optimizer"),
        (["aot"], "--params"),
    ],
)  # fmt: skip
def test_bad_input(run, argv, message):
    code, _, err = run(*argv)
    assert code == 2 and message in err and "Traceback" not in err, err
    assert len(err.splitlines()) <= 12


def test_tables_fit():
    rows = [("a" * 20, "3", "words " * 40), ("b", "12", "")]
    lines = output.plain(("name", "n", "text"), rows, (False, True, False), 60).splitlines()
    assert max(map(len, lines)) <= 60 and lines[2].startswith("a" * 20 + "   3  words")
    assert lines[3].startswith(" " * 26 + "words")
    lines = output.plain(("name", "n", "text"), rows, (False, True, False), 40).splitlines()
    assert max(map(len, lines)) <= 40 and lines[:2] == [f"{'name':20}   n", "    text"]
    assert lines[3] == "a" * 20 + "   3" and lines[4].startswith("    words") and lines[-1].startswith("b  ")


def test_tables_in_a_terminal_are_those_of_rich(run, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run("list", "--family", "proximal")
    lines = [re.sub("\x1b.*?m", "", line).rstrip() for line in out.splitlines()]
    assert code == 0 and lines[0].startswith("family") and max(map(len, lines)) <= 80
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert "-----" in run("list", "--family", "proximal")[1]  # without it, plain


def test_packages_that_are_absent_are_named(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    (tmp_path / "a.yaml").write_text("a: 1")
    commands = {
        "cli": ["config", "convert", str(tmp_path / "a.yaml")],
        "plot": ["plot-schedule", "constant_schedule(1)", "-ox.png"],
    }
    for extra, argv in commands.items():
        code, _, err = run(*argv)
        assert code == 2 and f"pip install 'gradchain[{extra}]'" in err


def test_histories_of_runs(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"step": 1, "loss": 2.5, "note": "x"}\n\n{"step": 2, "loss": NaN}\n')
    (tmp_path / "m.csv").write_text("step,loss,note\n1,2.5,x\n2,nan,\n")
    for name in ("m.jsonl", "m.csv"):
        first, second = history(tmp_path / name)
        assert first == {"step": 1, "loss": 2.5} and second["loss"] != second["loss"]
    assert len(history(tmp_path)) == 2
    for text, message in (("[1]\n", "line 1 is"), ("{\n", "line 1 is not JSON"), ("", "no numbers in it")):
        (tmp_path / "bad.jsonl").write_text(text)
        with pytest.raises(ValueError, match=message):
            history(tmp_path / "bad.jsonl")


def test_no_backend_is_started():
    """JAX would fail to start the platform that is asked for here."""
    env = {**os.environ, "JAX_PLATFORMS": "nowhere", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    code = (
        "import sys; from gradchain.cli import main\n"
        "for argv in (['list'], ['search', 'adamw', '--family=adaptive'], ['show', 'adamw'],\n"
        "             ['config', 'validate', 'adamw(1e-3)']): main(argv)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "valid: adamw(" in done.stdout, done.stderr


def test_listing_imports_little_beside_jax():
    """What takes time when a command starts are imports, and reading the signatures of all factories."""
    code = """
import sys, jax, jax.numpy
known = set(sys.modules)
from gradchain.cli import main
from gradchain import REGISTRY
main(["list"])
print(*sorted(set(sys.modules) - known))
print(*(name for name, factory in REGISTRY.items() if "hints" in vars(factory)))
"""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    *_, imported, read = done.stdout.splitlines()
    others = [name for name in imported.split() if name.partition(".")[0] not in ("gradchain", "jax")]
    assert "gradchain.cli.catalogue" in imported.split() and len(others) <= 6, others
    unwanted = {"numpy.polynomial", "rich", "matplotlib", "yaml", "optax", "gradchain.aot"}
    assert not unwanted & set(imported.split())
    assert len(read.split()) < 6, read


def test_the_module_runs(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gradchain", "search", "--needs=value"])
    with pytest.raises(SystemExit) as done:
        runpy.run_module("gradchain", run_name="__main__")
    assert done.value.code == 0 and "polyak_sgd" in capsys.readouterr().out


def test_doctor(run, tmp_path):
    (tmp_path / "m.jsonl").write_text(
        "".join(json.dumps({"step": i, "loss": 1.0 + i * i}) + "\n" for i in range(30))
    )
    code, out, _ = run("doctor", str(tmp_path), "--optimizer", "sgd(0.1)")
    found = json.loads(run("doctor", str(tmp_path / "m.jsonl"), "--json")[1])
    assert code == 1 and found["findings"][0]["name"] in out and "try: " in out
    (tmp_path / "m.jsonl").write_text(
        "".join(json.dumps({"step": i, "loss": 0.9**i}) + "\n" for i in range(30))
    )
    assert run("doctor", str(tmp_path))[0] == 0
