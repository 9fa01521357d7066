"""Two processes on this machine against one: the same losses, the same state, each other's checkpoints."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import gradchain as gc

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import train_sharded  # noqa: E402
from lm import processes  # noqa: E402

LIMIT = 240  # seconds until a run counts as hanging
RUN = ("--layers=1", "--width=64", "--heads=4", "--seq-len=16", "--batch=16", "--steps=4", "--eval-every=2")
# eps: with Adam's usual 1e-8 the first step of an element is lr * sign(g), also of a g that is all rounding.
FLAGS = ("--zero=1", "--microbatches=2", "--set=eps=1e-3", "--quiet")


def command(out: Path, *flags: str) -> list[str]:
    """The example as a user starts it, on a text that every checkout has and no edit of the code changes."""
    text = EXAMPLES.parent / "LICENSE"
    return [sys.executable, str(EXAMPLES / "train_sharded.py"), f"--text={text}", f"--out={out}", *flags]


def environment() -> dict[str, str]:
    """That of the tests, without their eight devices."""
    kept = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return kept | {"PYTHONPATH": str(EXAMPLES.parent)}


def begin(*argv: str) -> subprocess.Popen:
    """A program in a session of its own, so that all its processes can be ended together."""
    return subprocess.Popen(
        argv, env=environment(), start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(*running: subprocess.Popen, code: int = 0) -> list[str]:
    """What each printed; all are ended if one fails or takes too long."""
    deadline, said = time.monotonic() + LIMIT, []
    try:
        for process in running:
            said.append(process.communicate(timeout=max(1, deadline - time.monotonic()))[0])
            assert process.returncode == code, said[-1]
        return said
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def start(out: Path, *flags: str) -> str:
    """A run of the example to its end; what it printed."""
    return finish(begin(*command(out, *flags)))[0]


def losses(out: Path) -> np.ndarray:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return np.array([[row["loss"], row["grad_norm"], row.get("validation_loss", 0.0)] for row in rows])


def here(monkeypatch, devices: int, *argv: str):
    """Run the example in this process on so many of its devices; what was trained."""
    kept, real = [], train_sharded.train

    def train(trained, *rest):
        kept.append(trained)
        return real(trained, *rest)

    mesh = gc.make_mesh(devices=jax.devices()[:devices])
    with monkeypatch.context() as patch:
        patch.setattr(train_sharded, "train", train)
        patch.setattr(train_sharded, "make_mesh", lambda given: mesh)
        patch.setattr(train_sharded.report, "curves", lambda rows, path, optimizer: path.touch())
        assert train_sharded.main([*argv]) == 0
    return kept[0]


def arrays(out: Path, trained) -> dict[str, np.ndarray]:
    """The newest checkpoint, read onto the mesh of `trained`; its checksums are checked on the way."""
    found = gc.Checkpointer(out / "checkpoints").restore(trained.tx, trained.abstract)
    assert found.step == 4 and {x.sharding.mesh for x in jax.tree.leaves(found.state)} == {trained.mesh}
    return every(found)


def every(held) -> dict[str, np.ndarray]:
    """State and parameters by name."""
    both = {f"params/{k}": x for k, x in gc.state_dict(held.params).items()} | gc.state_dict(held.state)
    return {name: np.asarray(x) for name, x in both.items()}


def until(out: Path, step: int, to: Path) -> Path:
    """A run as it was at an earlier checkpoint."""
    shutil.copytree(out, to)
    for later in (p for p in (to / "checkpoints").iterdir() if p.name.isdecimal() and int(p.name) > step):
        shutil.rmtree(later)
    return to


@pytest.fixture(scope="module")
def two_by_two(tmp_path_factory) -> Path:
    """A run of two processes with two devices each."""
    out = tmp_path_factory.mktemp("processes") / "run"
    said = start(out, *RUN, *FLAGS, "--devices=4", "--processes=2")
    assert said.count("validation") == 1  # one process speaks
    return out


@pytest.mark.slow
@pytest.mark.example
def test_two_processes_of_two_devices_equal_one_of_four(two_by_two, tmp_path, monkeypatch):
    """But for the last bits: a sum over four devices is added up in another order within a process."""
    trained = here(monkeypatch, 4, *command(tmp_path / "one", *RUN, *FLAGS)[2:])
    np.testing.assert_allclose(losses(two_by_two), losses(tmp_path / "one"), rtol=1e-6)
    one, two = every(trained), arrays(two_by_two, trained)
    assert one.keys() == two.keys()
    for name, x in one.items():
        np.testing.assert_allclose(two[name], x, rtol=0, atol=1e-5 * np.abs(x).max(), err_msg=name)
    assert two["scale_by_adam/count"] == 4 and np.abs(two["scale_by_adam/mu/head/kernel"]).max() > 0.01


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_goes_on_in_one_on_eight_devices(two_by_two, tmp_path, monkeypatch):
    out = until(two_by_two, 2, tmp_path / "run")
    trained = here(monkeypatch, 8, "--resume", f"--out={out}")
    np.testing.assert_allclose(losses(out), losses(two_by_two), rtol=1e-6)
    parts = {len(x.sharding.device_set) for x in jax.tree.leaves(trained.state)}
    assert parts == {8} and trained.mesh.shape == {"data": 8}


@pytest.mark.slow
def test_a_checkpoint_of_one_process_goes_on_in_two(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    here(monkeypatch, 8, *command(whole, *RUN, *FLAGS)[2:])
    out = until(whole, 2, tmp_path / "run")
    start(out, "--resume", "--devices=4", "--processes=2", "--quiet")
    np.testing.assert_allclose(losses(out), losses(whole), rtol=1e-6)


@pytest.mark.slow
def test_two_processes_of_one_device_give_the_same_bits_as_one_of_two(tmp_path, monkeypatch):
    """Sums of two numbers have no order."""
    start(tmp_path / "two", *RUN, *FLAGS, "--devices=2", "--processes=2")
    trained = here(monkeypatch, 2, *command(tmp_path / "one", *RUN, *FLAGS)[2:])
    np.testing.assert_array_equal(losses(tmp_path / "two"), losses(tmp_path / "one"))
    one, two = every(trained), arrays(tmp_path / "two", trained)
    for name, x in one.items():
        np.testing.assert_array_equal(two[name], x, err_msg=name)


@pytest.mark.slow
def test_processes_started_by_hand_stop_together_and_go_on(tmp_path):
    """As on a cluster: each is given the coordinator and its number; SIGTERM to one of them stops all."""
    join = (f"--coordinator=127.0.0.1:{processes.free_port()}", "--num-processes=2", "--devices=4")
    endless = [flag for flag in RUN if "steps" not in flag] + ["--steps=100000"]
    running = [begin(*command(tmp_path / "run", *endless, *join, f"--process-id={i}")) for i in range(2)]
    deadline = time.monotonic() + LIMIT
    try:
        while not (tmp_path / "run" / "metrics.jsonl").exists():
            assert time.monotonic() < deadline and all(p.poll() is None for p in running)
            time.sleep(0.05)
    except AssertionError:
        finish(*running)
        raise
    running[1].send_signal(signal.SIGTERM)
    said = finish(*running, code=130)
    assert "stopped and saved after step" in said[0] and "stopped and saved" not in said[1]
    step = len(losses(tmp_path / "run"))
    assert gc.Checkpointer(tmp_path / "run" / "checkpoints").steps()[-1] == step


WAITS = "import sys, time\nif sys.argv[-1] == '--process-id=1':\n    sys.exit('it broke')\ntime.sleep(600)\n"


def test_when_one_process_fails_the_others_are_ended_and_its_words_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(processes, "GRACE", 0.2)
    (tmp_path / "program.py").write_text(WAITS)
    began = time.monotonic()
    assert processes.start(str(tmp_path / "program.py"), [], 2) == 1
    assert time.monotonic() - began < 60
    assert "it broke" in capsys.readouterr().err
