"""`python -m gradchain.aot` on CPU devices: what it reads, refuses, prints and returns."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain import aot
from gradchain.aot import cli, findings, model
from gradchain.aot.collectives import Collective, HostTraffic, Shaped
from gradchain.aot.report import moved

SHAPES = {"up": {"kernel": [512, 2048], "bias": [2048]}, "down/kernel": [2048, 512]}
NUMBERS = 2 * 2**20 + 2048
KERNELS = 2 * 4 * 2**20  # bytes
ADAMW = {"adamw": {"learning_rate": 0.001}}


@pytest.fixture
def run(tmp_path, capsys):
    """Call the command with these parameters and optimizer: (exit code, what it printed, its errors)."""

    def call(*args, params=SHAPES, optimizer=ADAMW, topology="cpu:8"):
        for name, value in (("params", params), ("optimizer", optimizer)):
            text = value if isinstance(value, str) else json.dumps(value)
            (tmp_path / f"{name}.json").write_text(text)
        files = [f"--{name}={tmp_path / f'{name}.json'}" for name in ("params", "optimizer")]
        code = cli.main([*files, f"--topology={topology}", *args])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def report():
    params = {"kernel": jax.ShapeDtypeStruct((512, 2048), jnp.float32)}
    return aot.check(gc.adamw(1e-3), params, "cpu:8", zero=1)


def test_zero_splits_the_state_and_nothing_is_wrong(run):
    code, out, err = run("--zero=1", "--json")
    assert code == 0
    assert "compiling for cpu:8, 8 devices" in err and "compiled in" in err
    found = json.loads(out)
    assert found["parameters"] == NUMBERS and found["mesh"] == {"data": 8} and found["findings"] == []
    assert found["params"] == found["gradients"] == 4 * NUMBERS
    scalars = 3 * 4  # two counters and the learning rate
    assert found["state_total"] == 8 * NUMBERS + scalars
    assert found["state"] == 2 * KERNELS // 8 + 2 * 4 * 2048 + scalars
    assert found["aliased"] == pytest.approx(found["params"] + found["state"], abs=scalars)
    moved = {m["kind"]: m for m in found["moved"]}
    assert moved["reduce-scatter"]["bytes"] == moved["reduce-scatter"]["minimum"] == KERNELS * 7 / 8
    assert moved["all-gather"]["bytes"] == moved["all-gather"]["minimum"] == KERNELS * 7 / 8
    assert moved["all-reduce"]["minimum"] == 2 * 4 * 2048 * 7 / 8
    assert {(row["link"], row["slot"]) for row in found["links"]} >= {("scale_by_adam", "mu")}


def test_without_zero_gradients_are_all_reduced_and_state_is_whole(run):
    code, out, _ = run("--json")
    found = json.loads(out)
    assert code == 0 and found["state"] == found["state_total"]
    (moved,) = (m for m in found["moved"] if m["bytes"] > 100)
    assert moved["kind"] == "all-reduce"
    assert moved["bytes"] == pytest.approx(2 * 4 * NUMBERS * 7 / 8, abs=100)
    assert any("--zero 1 would leave" in note for note in found["notes"])


def test_the_text_says_it_in_order(run):
    code, out, _ = run("--zero=1", "--stored=log8", topology="cpu:2x4")
    assert code == 0
    where = [
        "cpu:2x4: 8 devices of CPU, mesh data0 2 x data1 4",
        f"{NUMBERS:,} parameters in 3 leaves, zero stage 1 over data0, data1",
        "of the model  on a device",
        "int8 (log8)",
        "of memory traffic",
        "reduce-scatter",
        "a device receives",
        "note: whole on every device: 1 of 3 leaves, 8.0 KiB together",
        "nothing is wrong",
    ]
    at = [out.find(text) for text in where]
    assert -1 not in at and at == sorted(at), dict(zip(where, at, strict=True))
    assert max(map(len, out.splitlines())) < 120


def test_what_cannot_be_split_is_wrong_and_what_is_small_is_a_note(run):
    code, out, _ = run("--zero=1", params={"odd": [1001, 999], "even": [1024, 1024], "small": [131, 129]})
    assert code == 1
    wrong = [line for line in out.splitlines() if line.startswith("wrong:")]
    assert len(wrong) == 1 and "'odd' of shape [1001, 999] stays whole" in wrong[0]
    assert "note: zero: 'small' of shape [131, 129]" in out


def test_a_model_axis_is_taken_from_the_specs(run):
    params = {"kernel": {"shape": [512, 2048], "spec": [None, "model"]}, "other": [1024, 512]}
    for args in (["--model=2"], ["--mesh=data=4,model=2"]):
        code, out, _ = run("--zero=1", "--json", *args, params=params)
        found = json.loads(out)
        assert code == 0 and found["mesh"] == {"data": 4, "model": 2} and found["batch"] == ["data"]
        kernel, other = found["leaves"]
        assert (kernel["bytes"], kernel["held"], kernel["updated"]) == (2**22, 2**21, 2**19)
        assert (other["held"], other["updated"]) == (2**21, 2**19)


def test_a_budget_compiles_what_could_fit_and_says_what_to_write(run):
    limit, n = 8 * 2**20 - 1, 2**20
    sgd = {"sgd": {"learning_rate": 0.1}}
    code, out, err = run("--json", f"--budget={limit / 2**30}", params={"kernel": [512, 2048]}, optimizer=sgd)
    found = json.loads(out)
    rows = {c["name"]: c for c in found["budget"]["choices"]}
    now, three = rows["as it is"], rows["zero 3"]
    assert code == 1 and found["findings"][-1]["do"] == "tx = gc.zero(tx, stage=3)"
    assert found["budget"]["limit"] == limit and found["budget"]["compiled_for"] == "CPU"
    same = ("params", "gradients", "state")
    assert [now[k] for k in same] == [found[k] for k in same] and now["scratch"] == found["temp"]
    assert (now["fits"], three["fits"]) == (False, True)
    assert (three["params"], three["gradients"]) == (4 * n // 8, 4 * n)
    assert three["total"] == sum(three[k] for k in (*same, "scratch"))
    narrow = rows["zero 3, round_stochastically"]
    assert (narrow["params"], narrow["state"] - now["state"]) == (2 * n // 8, 4)
    tried = {line.removeprefix("compiling ").removesuffix(" ...") for line in err.splitlines()}
    for name, row in rows.items():
        known = row["total"] - (row["scratch"] or 0)
        assert (row["scratch"] is not None) == (name == "as it is" or known <= limit), name
        assert (name in tried) == (name != "as it is" and known <= limit), name
    assert found["budget"]["traffic"] == found["traffic"]
    assert found["budget"]["operations"] == pytest.approx(2 * n, abs=10)  # and those of the counter
    assert found["budget"]["computed"] == found["operations"] > 0


def test_a_budget_that_zero_meets_is_no_fault(run):
    sgd, params = {"sgd": {"learning_rate": 0.1}}, {"kernel": [128, 256]}
    code, out, _ = run("--zero=3", "--budget=1", optimizer=sgd, params=params)
    assert code == 0 and "it fits as it is" in out and "this program has" in out
    assert "as it is" in out and "zero 1" not in out


def test_stage_3_keeps_parameters_split(run):
    code, out, _ = run("--zero=3", "--json")
    found = json.loads(out)
    assert code == 0 and found["params"] == KERNELS // 8 + 4 * 2048
    assert not any(m["kind"] == "all-gather" and m["bytes"] for m in found["moved"])
    assert any("the model gathers" in note for note in found["notes"])


@pytest.mark.parametrize(
    "args, kwargs, message",
    [
        ([], {"params": "{"}, "params.json: not JSON"),
        ([], {"params": {}}, "found no leaf"),
        ([], {"params": {"a": [3, -1]}}, "a: expected whole numbers above 0 as the shape, found [3, -1]"),
        ([], {"params": {"a": {"b": 7}}}, "a/b: expected a shape or a mapping, found 7"),
        ([], {"params": {"a": {"shape": [3], "dtype": "float31"}}}, "a: 'float31' is no dtype"),
        ([], {"params": {"a": {"shape": [3], "dtype": "int32"}}}, "int32 is no dtype of a parameter"),
        ([], {"params": {"a": {"shape": [4], "spec": ["model"]}}}, "give --mesh model=..."),
        ([], {"params": {"a": {"shape": [4], "spec": [None, "data"]}}}, "for 1 dimensions, found"),
        (["--model=8"], {"params": {"a": {"shape": [4], "spec": ["model"]}}}, "a dimension of 4 cannot be"),
        ([], {"optimizer": {"adamv": {}}}, "optimizer.json: adamv"),
        ([], {"optimizer": {"adamw": {"lr": 1}}}, "adamw.lr"),
        (["--zero=1"], {"optimizer": {"zero": {"inner": ADAMW}}}, "has zero(...) in it already"),
        (["--stored=log9"], {}, "log8"),
        (["--mesh=data=3"], {}, "a mesh of data 3 is not the 8 devices of cpu:8"),
        (["--mesh=data:8"], {}, "--mesh data:8: expected axes and their devices"),
        (["--model=3"], {}, "model=3 does not divide 8 devices"),
        (["--batch-axis=rows"], {}, "the mesh has no axis 'rows'"),
        ([], {"topology": "v5e"}, "'v5e' is not a topology"),
        ([], {"topology": "v5:2x4"}, "no machine 'v5' is known; did you mean"),
        ([], {"topology": "v5e:32x32"}, "there is no such slice: v5e come as 1x1"),
        ([], {"topology": "v5p:4x4"}, "there is no such slice: v5p come as 2x2x1"),
        ([], {"topology": "h100:2x16"}, "of which a host has 8"),
        ([], {"params": '{"w": [8], "w": [9]}'}, "params.json: the key 'w' stands twice"),
        ([], {"params": "[" * 100_000}, "nested more than 64 deep"),
        ([], {"params": {"w": {"shape": [8], "spec": 3}}}, "w: expected as spec a list of mesh axes or null"),
        ([], {"params": {"w": {"shape": [8], "spec": ""}}}, "w: expected as spec a list of mesh axes"),
        ([], {"params": {"w": {"shape": [8], "dtype": None}}}, "w: None is no dtype"),
        ([], {"params": {"w": {"shape": [8], "dtype": "f4,f4"}}}, "w: 'f4,f4' is no dtype"),
        ([], {"params": {"w": [10**30]}}, "w: an array of shape [1000000000000000000000"),
        ([], {"params": {"w": [2**20] * 4}}, "has 2^48 numbers or more"),
        ([], {"params": {"w": "\x1b[31m" * 10**5}}, "w: expected a shape or a mapping, found '\\x1b[31m"),
        (["--budget=0"], {}, "aot: budget is 0.0; expected the GiB (2^30 bytes) of memory"),
        (["--budget=nan"], {}, "aot: budget is nan; expected"),
        (["--model=0"], {}, "--model 0: expected the devices of an axis, 1 or more"),
        (["--model=-1"], {}, "--model -1: expected"),
        (["--mesh=data=99999999999999999999"], {}, "expected axes and their devices"),
        ([], {"topology": "cpu:" + "9" * 5000}, "is not a topology"),
        ([], {"topology": "cpu:999999"}, "cpu:999999: 999999 devices, and at most 65536"),
        ([], {"topology": "cpu:9999"}, "at most 1024 CPU devices"),
        ([], {"topology": "h100:99999x8"}, "h100:99999x8: 799992 devices"),
        ([], {"topology": "cpu:64"}, "64 CPU devices are needed and 8 are there"),
    ],
)  # fmt: skip
def test_bad_input_is_an_error_that_says_where(run, args, kwargs, message):
    code, out, err = run(*args, **kwargs)
    assert code == 2 and not out
    assert err.startswith("python -m gradchain.aot: ") and message in err
    assert len(err) < 1000 and "\x1b" not in err and "Traceback" not in err


def test_a_model_of_a_few_numbers_is_not_wrong(run):
    """A constant learning rate is made anew by the program: four bytes that are not updated in place."""
    code, out, _ = run(params={"w": [8]}, topology="cpu:2")
    assert code == 0 and "nothing is wrong" in out


def test_missing_files_and_compilers_are_named(run, monkeypatch, tmp_path, capsys):
    assert cli.main(["--params=nowhere.json", "--optimizer=x", "--topology=cpu:8"]) == 2
    assert "nowhere.json" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for topology, install in [("v6e:2x4", "pip install 'jax[tpu]=="), ("h100:8", "jax-cuda13-plugin==")]:
        code, _, err = run(topology=topology)
        assert code == 2 and "is not installed in this environment" in err and install in err


def test_parameters_are_written_and_read_again():
    mesh = Mesh(jax.devices(), ("model",))
    kernel = jax.device_put(
        jnp.zeros((16, 8), jnp.bfloat16), NamedSharding(mesh, PartitionSpec(None, "model"))
    )
    params = {"a": {"kernel": kernel, "bias": jax.ShapeDtypeStruct((8,), jnp.float32)}}
    written = aot.shapes(params)
    assert written == {
        "a/kernel": {"shape": [16, 8], "dtype": "bfloat16", "spec": [None, "model"]},
        "a/bias": {"shape": [8], "dtype": "float32"},
    }
    found = model.on(mesh, model.read(json.dumps(written)))["a/kernel"]
    assert (found.shape, found.dtype, found.sharding) == ((16, 8), jnp.bfloat16, kernel.sharding)


def test_from_python(report):
    assert report.zero == 1 and not report.findings
    assert "nothing is wrong" in aot.show(report)


WHOLE = Shaped("f32", (512, 2048), False)
ODD = Shaped("f32", (4096, 4096), False)


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"memory": 10**6}, "the update needs"),
        ({"aliased": 0}, "are not updated in place"),
        ({"host": HostTraffic(0, 0, 2**21)}, "2.0 MiB are copied between host and device"),
        ({"found": (Collective("all-to-all", "x", (WHOLE,), (WHOLE,), 8, True),)}, "of 4.0 MiB within"),
        ({"found": (Collective("all-reduce", "x", (WHOLE,), (WHOLE,), 8, False),)}, "not reduce-scattered"),
        ({"found": (Collective("all-gather", "x", (WHOLE,), (ODD,), 8, False),)}, "arrays of [4096"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(report, changes, what):
    assert not list(findings.findings(report))
    changed = dataclasses.replace(report, **changes)
    if "found" in changes:
        changed = dataclasses.replace(changed, moved=moved(changed.found, changed.leaves, changed.ways))
    found = list(findings.findings(changed))
    assert [what in f.what for f in found] == [True] and found[0].do


def test_a_large_state_that_is_whole_on_every_device_is_found(report):
    rows = tuple(
        dataclasses.replace(row, bytes_per_device=row.total_bytes) if row.slot == "mu" else row
        for row in report.table.rows
    )
    changed = dataclasses.replace(report, table=dataclasses.replace(report.table, rows=rows))
    (found,) = findings.findings(changed)
    assert found.what.startswith("scale_by_adam.mu, 4.0 MiB, is whole on all 8 devices")


def fresh(*args, **kwargs):
    """A new Python process with as many CPU devices as it makes itself."""
    env = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    env |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, env=env, **kwargs)


def test_the_module_runs_and_makes_its_devices(tmp_path):
    (tmp_path / "p.json").write_text(json.dumps(SHAPES))
    (tmp_path / "o.json").write_text(json.dumps({"lion": {"learning_rate": 1e-3}}))
    files = ["--params", "p.json", "--optimizer", "o.json", "--topology", "cpu:2x2", "--zero", "1"]
    done = fresh("-m", "gradchain.aot", *files, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cpu:2x2: 4 devices of CPU, mesh data0 2 x data1 2")


def test_gradchain_does_not_import_it():
    done = fresh(
        "-c", "import sys, gradchain; print([m for m in sys.modules if m.startswith('gradchain.aot')])"
    )
    assert done.stdout.strip() == "[]", done.stderr
