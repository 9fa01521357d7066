"""The folder of a run: nothing foreign in it is touched, and what does not have its checksum is found.

The runs are those of run_cases.py: two arrays.
"""

import shutil
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from faulty import contents
from lm import UserError, files
from lm.checkpoint import RunFolder
from lm.sharded import MeshFolder
from lm_cases import SMALL, complaint, train_lm, train_sharded
from run_cases import CONFIG, TX, check_whole, resume, train_to

INSIDE = ["checkpoints/2024/weights", "checkpoints/notes", "config.json", "metrics.csv", "curves.png", "a"]


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
    lock = "checkpoints/.gradchain-lock"  # which another process may be about to take
    assert contents(tmp_path).keys() - {lock} == {"config.json", *others}
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


def test_the_next_free_number_is_taken(tmp_path):
    (tmp_path / "lm-1").mkdir()
    (tmp_path / "lm-2").write_text("a file")
    assert files.take(tmp_path, "lm").name == "lm-3"
    with pytest.raises(UserError, match="cannot write"):
        files.take(tmp_path / "lm-2", "lm")
