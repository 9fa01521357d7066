"""The folder of a run: nothing foreign in it is touched, and what does not have its checksum is found.

The runs here are two arrays that no model has; they are saved and restored by the example's own functions.
"""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from faulty import FULL, HOWS, contents, each_call
from lm import UserError, files
from lm.checkpoint import RunFolder
from lm.sharded import MeshFolder
from lm_cases import RUN, SMALL, complaint, said, train_lm, train_sharded

import gradchain as gc

TX = gc.adam(1e-3)
CONFIG = {"flags": {"steps": 9}, "model": {}, "optimizer": {"adam": {}}, "text": {}, "order": {"seed": 0}}
INSIDE = ["checkpoints/2024/weights", "checkpoints/notes", "config.json", "metrics.csv", "curves.png", "a"]


def state_at(step: int):
    """Parameters and state that tell the step."""
    params = {"a": jnp.arange(4.0) + step, "b": jnp.full((2, 3), float(step))}
    return params, jax.tree.map(lambda x: x + step, TX.init(params))


def train_to(folder: RunFolder, start: int, *steps: int) -> None:
    """Record steps and save some of them."""
    for step in range(start + 1, steps[-1] + 1):
        folder.record({"step": step, "loss": 1.0 / step, "seconds": float(step)})
        if step in steps:
            params, state = state_at(step)
            folder.save(step, TX, state, params)


def resume(path: Path):
    """The step, the arrays and the metrics that a run goes on with."""
    folder = RunFolder(path)
    folder.read_config()
    found = folder.restore(TX, jax.eval_shape(lambda: state_at(0)[0]))
    return found, folder


def check_whole(path: Path, least: int) -> int:
    """A run can be resumed from `least` or later, with just the arrays of that step and all metrics."""
    found, folder = resume(path)
    assert found.step >= least
    expected = jax.tree.leaves(state_at(found.step))
    for x, y in zip(jax.tree.leaves((found.params, found.state)), expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert [row["step"] for row in folder.rows] == list(range(1, found.step + 1))
    return found.step


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A folder with checkpoints after steps 2 and 4."""
    path = tmp_path_factory.mktemp("run") / "run"
    with RunFolder(path) as folder:
        folder.start(CONFIG, False)
        train_to(folder, 0, 2, 4)
    return path


def foreign(path: Path) -> dict[str, bytes]:
    """A folder of somebody else's, with the names that a run uses too."""
    for name in INSIDE:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text('{"flags": {}}')
    return contents(path)


@pytest.mark.parametrize("more", [[], ["--overwrite"]], ids=" ".join)
@pytest.mark.parametrize("program", [train_lm, train_sharded], ids=lambda p: p.__name__)
def test_a_foreign_folder_is_left_alone(program, more, text, tmp_path, capsys):
    before = foreign(tmp_path)
    line = complaint(capsys, [*SMALL[:2], f"--text={text}", f"--out={tmp_path}", *more], program)
    assert f"--out {tmp_path}: holds a, checkpoints, config.json, ... and is not the folder of a run" in line
    assert contents(tmp_path) == before


def test_a_run_is_replaced_only_on_demand_and_what_is_not_its_own_stays(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    others = ("notes.txt", "checkpoints/best/weights", "checkpoints/readme")
    for name in others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"holds a checkpoint of step 4.*--resume.*--overwrite"):
        RunFolder(tmp_path).start(CONFIG, False)
    assert contents(tmp_path) == before
    RunFolder(tmp_path).start(CONFIG, True)
    assert contents(tmp_path).keys() == {"config.json", *others}
    with pytest.raises(UserError, match="holds a run: replace it with --overwrite"):
        RunFolder(tmp_path).start(CONFIG, False)


def test_a_link_to_another_folder_is_no_checkpoint(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    before = foreign(tmp_path / "other")
    (tmp_path / "run" / "checkpoints" / "9").symlink_to(tmp_path / "other")
    RunFolder(tmp_path / "run").start(CONFIG, True)
    assert contents(tmp_path / "other") == before


@pytest.mark.parametrize("folder", [RunFolder, MeshFolder])
def test_runs_started_together_each_get_a_folder_of_their_own(folder, tmp_path):
    gate, made = threading.Barrier(8), []

    def begin():
        gate.wait()
        run = folder(parent=tmp_path / "runs")
        run.start(CONFIG, False)
        made.append(run.path.name)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"lm-{n}" for n in range(1, 9)]
    assert all(RunFolder(tmp_path / "runs" / name).is_run() for name in made)


def test_of_runs_started_together_in_one_folder_one_has_it(tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "check_free", lambda *_: None)  # all have looked before any began
    RunFolder(tmp_path).start(CONFIG, False)
    with pytest.raises(UserError, match="another run began there just now"):
        RunFolder(tmp_path).start({**CONFIG, "model": {"width": 3}}, False)
    assert '"width"' not in (tmp_path / "config.json").read_text()


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of Orbax's callbacks
def test_a_flipped_bit_never_goes_on_wrongly(run, tmp_path, capsys):
    """Wherever it is: what it hit is refused, or passed over for the checkpoint before, or of no matter."""
    chance, refused, passed = np.random.default_rng(0), 0, 0
    targets = [p for p in sorted(run.rglob("*")) if p.is_file() and p.stat().st_size]
    weights = np.array([p.stat().st_size for p in targets]) ** 0.5
    for i in range(40):
        copy = tmp_path / str(i)
        shutil.copytree(run, copy)
        file = targets[chance.choice(len(targets), p=weights / weights.sum())]
        flip(copy / file.relative_to(run), int(chance.integers(8 * file.stat().st_size)))
        try:
            passed += check_whole(copy, 2) == 2
        except UserError as error:
            refused += 1
            assert str(copy) in str(error)
    assert refused and passed > 3
    assert "passed over step 4" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl"])
def test_every_byte_of_config_and_metrics_counts(name, run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / name).read_bytes()
    for at in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        if whole[at : at + 1].isspace():
            continue  # JSON does not mind
        with pytest.raises(UserError, match=name):
            resume(tmp_path)
    (tmp_path / name).write_bytes(whole)
    assert check_whole(tmp_path, 4) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\0", b'{"step": 1}\n', b"[1]\n" * 99])
def test_broken_metrics_are_one_line_and_may_be_moved_away(content, run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    (tmp_path / "metrics.jsonl").write_bytes(content)
    (tmp_path / "metrics.csv").write_bytes(content)  # written anew from the other
    with pytest.raises(UserError, match=r"metrics.jsonl was altered.*move it away to go on"):
        resume(tmp_path)
    (tmp_path / "metrics.jsonl").rename(tmp_path / "moved")
    found, folder = resume(tmp_path)
    assert found.step == 4 and not folder.rows
    with folder:
        train_to(folder, 4, 6)
    assert [row["step"] for row in resume(tmp_path)[1].rows] == [5, 6]


def test_a_run_goes_on_where_it_was_saved_and_forgets_what_came_after(run, tmp_path):
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 0.0}\n{"st')
    _, folder = resume(tmp_path)
    with folder:
        train_to(folder, 4, 6)
    assert check_whole(tmp_path, 6) == 6
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 7


def test_a_checkpoint_of_another_model_is_refused(run, tmp_path):
    other = {"a": jax.ShapeDtypeStruct((5,), jnp.float32), "b": jax.ShapeDtypeStruct((2, 3), jnp.float32)}
    with pytest.raises(UserError, match=r"cannot go on from .*4: .*a' is float32\[4\]"):
        RunFolder(run).restore(TX, other)
    with pytest.raises(UserError, match="is a run of train_lm, not train_sharded"):
        MeshFolder(run).read_config()
    with pytest.raises(UserError, match="there is no checkpoint in"):
        RunFolder(tmp_path).read_config()


class Kept:
    """Stands for gc.Checkpointer: a folder for each step, what is in it here, so that no call of it fails."""

    def __init__(self, folder: Path, found: dict):
        self.folder, self.found = folder, found

    def save(self, step, tx, state, params, metadata):
        self.found[step] = self.found[4]._replace(step=step, state=state, params=params, metadata=metadata)
        subprocess.run(["mkdir", self.folder / str(step)], check=True)  # no call of Python that could fail

    def restore(self, tx, params, strict):
        return self.found[max(self.found)]

    def close(self):
        pass


def fail_everywhere(run: Path, copy: Path, how, prepare) -> int:
    """Fail each call of going on, recording and saving once; how many there are."""

    def anew():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        prepare(copy)

    def go_on():
        found, folder = resume(copy)
        with folder:
            train_to(folder, found.step, 5)

    anew()
    for n, calls, error in each_call(go_on, copy, how):
        if error is not None and not how.crash:
            assert isinstance(error, UserError) and str(copy) in str(error), (n, calls.failed, error)
        try:
            check_whole(copy, 4)
        except UserError as error:  # a loss of power may cut the metrics, but nothing that is trained
            assert how.lost and "move it away" in str(error)
            (copy / "metrics.jsonl").unlink()
            assert resume(copy)[0].step >= 4
        anew()
    return n


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_no_checkpoint_is_lost_whatever_call_of_the_example_fails(how, run, tmp_path, monkeypatch):
    kept: dict[str, Kept] = {}
    monkeypatch.setattr(RunFolder, "checkpoints", property(lambda folder: kept["now"]))
    before = gc.Checkpointer(run / "checkpoints", background=False).restore(TX, state_at(0)[0])

    def prepare(copy):
        kept["now"] = Kept(copy / "checkpoints", {4: before})

    assert fail_everywhere(run, tmp_path / "run", how, prepare) > 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of Orbax's threads
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", [HOWS[0], FULL, *HOWS[-2:]], ids=str)
def test_no_checkpoint_is_lost_whatever_call_fails(how, run, tmp_path):
    """The same with the calls that Orbax makes."""
    assert fail_everywhere(run, tmp_path / "run", how, lambda copy: None) > 20


def test_a_config_that_cannot_be_written_leaves_none(tmp_path):
    for n, calls, error in each_call(lambda: RunFolder(tmp_path).start(CONFIG, False), tmp_path, FULL):
        if calls.reached:
            assert isinstance(error, UserError) and str(tmp_path) in str(error), (n, calls.failed, error)
            assert not list(tmp_path.iterdir())
    assert n > 3 and RunFolder(tmp_path).is_run()


def test_the_next_free_number_is_taken(tmp_path):
    (tmp_path / "lm-1").mkdir()
    (tmp_path / "lm-2").write_text("a file")
    assert files.take(tmp_path, "lm").name == "lm-3"
    with pytest.raises(UserError, match="cannot write"):
        files.take(tmp_path / "lm-2", "lm")


def test_a_terminal_that_knows_ascii_alone_loses_nothing(text, tmp_path, monkeypatch):
    """The picture and the report are there; what cannot be shown is a question mark."""
    with open(tmp_path / "shown", "w", encoding="ascii") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(train_lm.training, "generate", lambda *_: ("def naïve", "\u2192 \U0001f600"))
        out = tmp_path / "rün"
        assert train_lm.main([*RUN, "--steps=1", f"--text={text}", f"--out={out}"]) == 0
    shown = (tmp_path / "shown").read_text("ascii")
    assert "na?ve" in shown and "validation loss" in shown and "r?n" in shown
    assert (out / "curves.png").exists() and os.path.exists(out / "metrics.csv")


def test_overwriting_starts_anew(text, tmp_path):
    argv = [*RUN, "--steps=1", f"--text={text}", f"--out={tmp_path}", "--quiet"]
    said(argv)
    before = (tmp_path / "metrics.jsonl").read_text()
    said([*argv, "--seed=1", "--overwrite"])
    after = (tmp_path / "metrics.jsonl").read_text()
    assert before != after and len(after.splitlines()) == 1
