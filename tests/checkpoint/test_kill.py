"""Killed at any moment of saving, a run resumes from a whole checkpoint."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from kill_run import newest, params_of, state_of

ROOT = Path(__file__).resolve().parents[2]


class Runs:
    """Starts runs and kills them."""

    def __init__(self, kind, folder):
        self.errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kill_run.py")), kind, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
        )

    def said(self, word):
        """What is said after a word, which the next line begins with."""
        line = self.process.stdout.readline().split()
        assert line and line[0] == word, f"{line}: {Path(self.errors.name).read_text()[-3000:]}"
        return int(line[1])

    def kill_during(self, save, moment):
        """Start a run, kill it in one of its saves, at a moment of it; the step that it resumed from."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        pid, resumed = self.said("pid"), self.said("from")
        times = []
        for _ in range(save):
            self.said("saving")
            times.append(time.monotonic())
        time.sleep(moment * (times[-1] - times[-2] if save > 1 else 0.02))
        os.kill(pid, signal.SIGKILL)
        while not (line := self.process.stdout.readline()).startswith("dead"):
            assert line.startswith("saving"), line
        return resumed

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.errors.close()


def kill_often(kind, folder, times):
    """How many saves were cut in the middle."""
    if kind == "orbax":
        pytest.importorskip("orbax.checkpoint")
    chance, runs, last = random.Random(times), Runs(kind, folder), 0
    unfinished: set[str] = set()
    try:
        for i in range(times):
            assert runs.kill_during(chance.randint(3, 5) if i else 1, chance.random()) == last
            unfinished |= {p.name for p in (*folder.glob(".run*"), *folder.glob("runs/*")) if "tmp" in p.name}
            found = newest(kind, folder)
            if found is None:
                assert last == 0
                continue
            assert found.step >= last
            last = found.step
            expected = params_of(last), state_of(last)
            jax.tree.map(np.testing.assert_array_equal, (found.params, found.state), expected)
    finally:
        runs.close()
    assert last > 0
    return len(unfinished)


@pytest.mark.parametrize("kind", ["file", pytest.param("orbax", marks=pytest.mark.slow)])
def test_killed_a_few_times(kind, tmp_path):
    kill_often(kind, tmp_path, 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "orbax"])
def test_killed_at_20_moments(kind, tmp_path):
    assert kill_often(kind, tmp_path, 20) >= 3  # the kills do hit them
