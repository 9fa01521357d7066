"""Ctrl-C: heard from the first moment on, never lost, and what is saved is said."""

import os
import signal
import subprocess
import sys
import time

import pytest
from lm import processes, stop
from lm.checkpoint import RunFolder
from lm_cases import EXAMPLES, SMALL, rows

LIMIT = 300  # seconds
ENVIRONMENT = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}


def begin(code: list[str], **more) -> subprocess.Popen:
    """A Python program whose output is read."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *code], env=ENVIRONMENT | more, **pipes)


def until(process: subprocess.Popen, is_there) -> None:
    """Wait for something that a process does."""
    limit = time.monotonic() + LIMIT
    while process.poll() is None and not is_there():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("program", ["train_lm", "train_sharded"])
def test_ctrl_c_while_modules_are_imported(program, tmp_path):
    """The first module after lm.stop waits and swallows what is raised meanwhile, as some modules do."""
    (tmp_path / "dataclasses.py").write_text(
        "import pathlib, time\npathlib.Path(__file__).with_name('here').touch()\n"
        "for _ in range(1000):\n    try:\n        time.sleep(0.1)\n    except BaseException:\n        pass\n"
    )
    process = begin([str(EXAMPLES / f"{program}.py")], PYTHONPATH=str(tmp_path))
    until(process, (tmp_path / "here").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and not out
    assert err == f"\n{program}: stopped at once; nothing was saved yet\n"


@pytest.mark.slow
@pytest.mark.example
def test_ctrl_c_saves_and_tells_how_to_go_on(text, tmp_path):
    argv = [*SMALL, "--steps=100000", f"--text={text}", f"--out={tmp_path}", "--quiet"]
    process = begin([str(EXAMPLES / "train_lm.py"), *argv])
    until(process, (tmp_path / "metrics.jsonl").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, err
    assert err.split() == ["stopping", "after", "this", "step;", "once", "more", "to", "stop", "at", "once"]
    assert f"--resume --out {tmp_path}" in out.replace("\n", "")
    assert RunFolder(tmp_path).steps()[-1] == rows(tmp_path)[-1]["step"]


class Left(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def ended(monkeypatch, capfd):
    """What is said at the end of the process, of which there is none."""

    def leave(code):
        assert code == 130
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    with stop.listening("program"):
        yield lambda: capfd.readouterr().err
    assert stop.actions == [stop.leave]


def test_the_first_signal_waits_for_the_step_and_the_second_does_not(ended):
    with stop.AfterStep() as signals:
        assert not signals.asked
        signal.raise_signal(signal.SIGTERM)
        assert signals.asked and "after this step" in ended()
        with pytest.raises(Left):
            signal.raise_signal(signal.SIGINT)
    assert "program: stopped at once; nothing was saved yet" in ended()


def test_what_must_not_be_done_by_half_is_finished_first(ended):
    done = []
    with pytest.raises(Left), stop.later():
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done
    with stop.later():
        pass


def test_what_is_saved_is_said(ended, run):
    stop.Words.standing = RunFolder(run).standing
    with pytest.raises(Left):
        signal.raise_signal(signal.SIGINT)
    assert f"{run} keeps the checkpoint of step 4" in ended()


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with stop.listening("program"):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


PROGRAM = """import pathlib, signal, sys, time
here = pathlib.Path(__file__).with_name(sys.argv[-1].removeprefix("--process-id="))
def heard(*_):
    here.with_suffix(".heard").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, heard)
signal.signal(signal.SIGINT, signal.default_int_handler)
here.touch()
for _ in range(6000):
    if pathlib.Path(__file__).with_name("0.heard").exists() and here.name != "0":
        sys.exit(130)
    time.sleep(0.01)
"""


def test_ctrl_c_reaches_process_0_of_those_that_were_started_and_all_end(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    start = (
        "import sys; from lm import processes, stop\n"
        f"with stop.listening('p'): sys.exit(processes.start({str(tmp_path / 'program.py')!r}, [], 2))"
    )
    process = begin(["-c", start], PYTHONPATH=f"{EXAMPLES.parent}{os.pathsep}{EXAMPLES}")
    until(process, lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130 and not err, err
    assert sorted(p.name for p in tmp_path.glob("*.heard")) == ["0.heard"]
    assert processes.GRACE > 1
