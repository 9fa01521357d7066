"""csv, jsonl, read, many: nothing that was written is lost."""

import csv
import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

KINDS = pytest.mark.parametrize("kind", ["csv", "jsonl"])
ROWS = [(0, {"loss": 2.0}), (1, {"loss": math.nan, "opt/a,b": 0.1}), (5, {"opt/a,b": math.inf})]


def make(kind, folder, rows=(), name="run"):
    path = folder / f"{name}.{kind}"
    with getattr(gc.writers, kind)(path) as writer:
        for step, scalars in rows:
            writer.write(step, scalars)
    return path


@KINDS
def test_what_is_written_is_read(kind, tmp_path):
    found = gc.writers.read(make(kind, tmp_path / "new" / "folder", ROWS))
    assert list(found) == ["step", "loss", "opt/a,b"]
    np.testing.assert_array_equal(found["step"], [0, 1, 5])
    np.testing.assert_array_equal(found["loss"], [2, np.nan, np.nan])
    np.testing.assert_array_equal(found["opt/a,b"], [np.nan, 0.1, np.inf])


def test_csv_is_a_table_that_any_program_reads(tmp_path):
    path = make("csv", tmp_path, ROWS)
    assert path.read_text() == 'step,loss,"opt/a,b"\n0,2.0,\n1,nan,0.1\n5,,inf\n'
    with path.open(newline="") as file:
        assert [row["loss"] for row in csv.DictReader(file)] == ["2.0", "nan", ""]
    assert [f.name for f in tmp_path.iterdir()] == ["run.csv"]


def test_jsonl_is_a_record_for_each_step(tmp_path):
    path = tmp_path / "run.jsonl"
    with gc.writers.jsonl(path) as writer:
        writer.write(3, {"loss": jnp.float32(0.5)})
        writer.text(3, "note", "two\nlines")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 3, "loss": 0.5},
        {"step": 3, "note": "two\nlines"},
    ]
    assert set(gc.writers.read(path)) == {"step", "loss"}


@KINDS
def test_a_crash_loses_the_last_line_at_most(kind, tmp_path):
    path = tmp_path / f"run.{kind}"
    writer = getattr(gc.writers, kind)(path)
    writer.write(0, {"loss": 1})
    writer.write(1, {"loss": 2})
    assert gc.writers.read(path)["loss"].tolist() == [1, 2]  # nobody has flushed
    writer.close()
    path.write_bytes(path.read_bytes() + (b"2,3" if kind == "csv" else b'{"step": 2, "lo'))
    assert gc.writers.read(path)["loss"].tolist() == [1, 2]
    make(kind, tmp_path, [(2, {"loss": 4, "more": 1})])
    assert gc.writers.read(path)["loss"].tolist() == [1, 2, 4]


@KINDS
def test_a_resumed_run_appends(kind, tmp_path):
    make(kind, tmp_path, [(0, {"loss": 3}), (1, {"loss": 2, "only": 7}), (2, {"loss": 1})])
    path = make(kind, tmp_path, [(1, {"loss": 20, "new": 5})])  # from the checkpoint before step 1
    assert len(path.read_text().splitlines()) == 4 + (kind == "csv")
    found = gc.writers.read(path)
    assert found["step"].tolist() == [0, 1, 2] and found["loss"].tolist() == [3, 20, 1]
    np.testing.assert_array_equal(found["new"], [np.nan, 5, np.nan])
    np.testing.assert_array_equal(found["only"], [np.nan, 7, np.nan])


def test_rows_of_any_values_are_a_table(tmp_path):
    rows = [{"name": "adam, w", "ms": 1.5}, {"name": "lion", "ms": None, "best": True}]
    path = gc.writers.table(tmp_path / "new" / "a.csv", iter(rows))
    assert path.read_text() == 'name,ms,best\n"adam, w",1.5,\nlion,,True\n'
    with pytest.raises(ValueError, match=r"no rows for .*a\.csv; expected at least one mapping"):
        gc.writers.table(path, [])


def test_a_csv_that_cannot_be_widened_goes_on(tmp_path):
    (tmp_path / "run.csv.new").mkdir()  # in the way
    with gc.writers.csv(tmp_path / "run.csv") as writer:
        with pytest.raises(OSError, match="directory"):
            writer.write(0, {"loss": 1})
        (tmp_path / "run.csv.new").rmdir()
        writer.write(1, {"loss": 2})
    assert gc.writers.read(writer.path)["loss"].tolist() == [2]


def test_csv_refuses_a_file_of_something_else(tmp_path):
    (tmp_path / "a.csv").write_text("name,ms\nadam,1\n")
    with pytest.raises(ValueError, match="begins with 'name, ms'; expected a table that begins with 'step'"):
        gc.writers.csv(tmp_path / "a.csv")


@KINDS
def test_what_is_no_number_is_refused(kind, tmp_path):
    with getattr(gc.writers, kind)(tmp_path / f"run.{kind}") as writer:
        for step, scalars, error, words in [
            (0, {"loss": "low"}, TypeError, "'loss' is 'low'; expected one real number"),
            (0, {"loss": jnp.ones(2)}, TypeError, "expected one real number"),
            (0, {"loss": 1j}, TypeError, "expected one real number"),
            (0.5, {"loss": 1}, TypeError, "the step is 0.5; expected a whole number"),
            (0, {"step": 1}, ValueError, "'step' cannot name a number"),
        ]:
            with pytest.raises(error, match=words):
                writer.write(step, scalars)
        writer.write(np.int64(0), {"a": np.float32(1), "b": jnp.bfloat16(2), "c": jnp.ones(1), "d": True})
    assert {k: v.tolist() for k, v in gc.writers.read(writer.path).items()} == {
        "step": [0], "a": [1], "b": [2], "c": [1], "d": [1]
    }  # fmt: skip
    with pytest.raises(ValueError, match="it is closed"):
        writer.write(1, {"a": 1})
    writer.close()


def test_reading_says_which_line_is_wrong(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"step": 0}\nnonsense\n')
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        gc.writers.read(path)


class Seen:
    """The least that is a writer."""

    def __init__(self):
        self.calls = []

    def write(self, step, scalars):
        self.calls.append((step, dict(scalars)))

    def flush(self):
        self.calls.append("flush")

    def close(self):
        self.calls.append("close")


def test_many_writes_to_each(tmp_path):
    seen, lines = Seen(), gc.writers.jsonl(tmp_path / "run.jsonl")
    assert isinstance(seen, gc.writers.Writer)
    with gc.writers.many(seen, lines) as writer:
        writer.write(2, {"loss": jnp.float32(1)})
        writer.text(2, "note", "x")
        with pytest.raises(TypeError, match="none of Seen, jsonl takes a figure"):
            writer.figure(2, "f", None)
    assert seen.calls == [(2, {"loss": 1.0}), "flush", "close"]
    assert gc.writers.read(lines.path)["loss"].tolist() == [1]
    with pytest.raises(TypeError, match="3 is no writer"):
        gc.writers.many(3)
