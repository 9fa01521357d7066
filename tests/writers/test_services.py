"""tensorboard, wandb, mlflow, clu: what was written is read back with their own readers."""

import importlib
import math
import struct
import sys
import types
from typing import Any

import numpy as np
import pytest

import gradchain as gc
from gradchain.writers.images import pixels

ROWS = [
    (0, {"loss": 2.0, "opt/grad_norm": 1.0}),
    (1, {"loss": math.nan}),
    (4, {"loss": 0.5, "opt/new/k": 3.0}),
]


def write(writer):
    for step, scalars in ROWS:
        writer.write(step, scalars)


def picture():
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(1, 0.5), dpi=20)
    figure.patch.set_alpha(0)
    return figure


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX", reason="the extra `tensorboard` is not installed")
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with gc.writers.tensorboard(tmp_path) as writer:
        write(writer)
        writer.text(4, "note", "hello")
        writer.figure(4, "picture", picture())
    found = module.EventAccumulator(str(tmp_path))
    found.Reload()
    assert set(found.Tags()["scalars"]) == {"loss", "opt/grad_norm", "opt/new/k"}
    events = found.Scalars("loss")
    assert [e.step for e in events] == [0, 1, 4]
    np.testing.assert_array_equal([e.value for e in events], [2, np.nan, 0.5])
    image = found.Images("picture")[0]
    assert (image.step, image.width, image.height) == (4, 20, 10)
    assert found.Tags()["tensors"] == ["note/text_summary"]


def wandb_records(path):
    """The records of an offline run: blocks of 32 KiB after 7 bytes, pieces behind checksum, length, kind."""
    pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    data, at, part = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        n, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        part, at = part + data[at + 7 : at + 7 + n], at + 7 + n
        if kind in (1, 4):  # whole, or the last piece
            record = pb.Record()
            record.ParseFromString(part)
            yield record
            part = b""


def test_wandb_offline(tmp_path, monkeypatch):
    module = pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with gc.writers.wandb(project="x", mode="offline", dir=tmp_path) as writer:
        write(writer)
        run = writer.run
    module.teardown()  # ends the process that writes the file
    (path,) = tmp_path.rglob("*.wandb")
    rows = [r.history for r in wandb_records(path) if r.WhichOneof("record_type") == "history"]
    found = [{"/".join(i.nested_key) or i.key: i.value_json for i in row.item} for row in rows]
    assert [row["_step"] for row in found] == ["0", "1", "4"]
    assert [row["loss"] for row in found] == ["2", "NaN", "0.5"]
    assert found[2]["opt/new/k"] == "3" and run.project == "x"


def test_wandb_leaves_a_given_run_open():
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    calls = []
    run = types.SimpleNamespace(log=lambda row, step: calls.append((step, row)))
    with gc.writers.wandb(run) as writer:
        write(writer)
    assert [step for step, _ in calls] == [0, 1, 4] and calls[0][1] == ROWS[0][1]
    with pytest.raises(TypeError, match="not both"):
        gc.writers.wandb(run, project="x")


def test_mlflow(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a folder; without it MLflow asks for a database
    with gc.writers.mlflow(f"file:{tmp_path}/runs", "digits", run_name="first") as writer:
        write(writer)
        writer.text(4, "note", "hello")
    client, run = writer.client, writer.run_id
    found = client.get_metric_history(run, "loss")
    assert [m.step for m in found] == [0, 1, 4]
    np.testing.assert_array_equal([m.value for m in found], [2, np.nan, 0.5])
    assert client.get_run(run).data.metrics["opt/new/k"] == 3
    assert client.get_run(run).info.status == "FINISHED"
    with (
        pytest.raises(ZeroDivisionError),
        gc.writers.mlflow(f"file:{tmp_path}/runs", "digits", run_id=run) as more,
    ):
        more.write(5, {"loss": 0.25})
        raise ZeroDivisionError
    assert client.get_run(run).info.status == "FAILED"
    assert len(client.get_metric_history(run, "loss")) == 4


def clu_writer():
    """clu's writer to the log; importing its package of writers needs TensorFlow, this one uses none."""
    clu = pytest.importorskip("clu", reason="clu is not installed")
    package: Any = types.ModuleType("clu.metric_writers")
    package.__path__ = [f"{folder}/metric_writers" for folder in clu.__path__]
    sys.modules["clu.metric_writers"] = package
    try:
        return importlib.import_module("clu.metric_writers.logging_writer").LoggingWriter()
    finally:
        for name in [n for n in sys.modules if n.startswith("clu.metric_writers")]:
            del sys.modules[name]


def test_clu(caplog):
    with caplog.at_level("INFO", "absl"), gc.writers.clu(clu_writer()) as writer:
        write(writer)
        writer.text(4, "note", "hello")
        writer.figure(4, "picture", picture())
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    assert lines[0] == "[0] loss=2, opt/grad_norm=1" and "opt/new/k=3" in lines[2]
    assert "hello" in lines[3] and "(1, 10, 20, 3)" in lines[4]
    with pytest.raises(TypeError, match=r"3 has no write_scalars\(step, scalars\)"):
        gc.writers.clu(3)


def test_a_transparent_figure_is_on_white():
    assert (pixels(picture()) == 255).all()


@pytest.mark.parametrize(
    ("make", "module", "package"),
    [
        (gc.writers.tensorboard, "tensorboardX", "tensorboardX"),
        (lambda at: gc.writers.wandb(dir=at), "wandb", "wandb"),
        (gc.writers.mlflow, "mlflow", "mlflow-skinny"),
    ],
)
def test_an_absent_package_is_named_with_its_extra(make, module, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"gc\.writers\.\w+ needs the package {package}.*gradchain\[\w+\]"):
        make(str(tmp_path))
