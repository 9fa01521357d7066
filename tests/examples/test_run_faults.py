"""Saving and resuming where bits are flipped and system calls fail: no checkpoint is lost, none misread."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from faulty import FULL, HOWS, each_call
from lm import UserError
from lm.checkpoint import RunFolder
from run_cases import CONFIG, TX, check_whole, resume, state_at, train_to

import gradchain as gc


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
