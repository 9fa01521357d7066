"""Several who write at once, what killed ones left, and folders with one writer."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from checkpoint_cases import random_like, same_bits, says

import gradchain as gc
from gradchain.checkpoint import disk

ROOT = Path(__file__).resolve().parents[2]
TX = gc.trace(0.9)
PARAMS = {"a": jnp.arange(6.0), "b": jnp.ones((2, 3))}
STATE = random_like(TX.init(PARAMS), 1)


def start(code, *args):
    """A process that has imported gradchain as gc and has TX, PARAMS and STATE."""
    head = """
        import os, sys, time, jax, jax.numpy as jnp, gradchain as gc
        TX = gc.trace(0.9)
        PARAMS = {"a": jnp.arange(6.0), "b": jnp.ones((2, 3))}
        STATE = TX.init(PARAMS)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code), *map(str, args)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
    )  # fmt: skip


def end(process):
    process.kill()
    process.communicate()


# One file --------------------------------------------------------------------------------------------------


def same_or_fail(path, errors, stop, load):
    while not stop.is_set():
        try:
            if load:
                found = gc.load(path, TX, PARAMS, strict=True)
                same_bits(found.params, jax.tree.map(lambda x, n=found.step: x + n, PARAMS))
            else:
                step = threading.get_ident() % 1000
                gc.save(path, TX, STATE, jax.tree.map(lambda x, n=step: x + n, PARAMS), step=step)
        except BaseException as error:
            errors.append(error)
            return


def test_threads_save_and_load_one_path(tmp_path):
    path, errors, stop = tmp_path / "run", [], threading.Event()
    gc.save(path, TX, STATE, PARAMS, step=0)
    threads = [threading.Thread(target=same_or_fail, args=(path, errors, stop, n > 1)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.8)
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert os.listdir(tmp_path) == ["run"]


SAVER = """
    print("ready", flush=True)
    for step in range(1, 100_000):
        gc.save(sys.argv[1], TX, STATE, jax.tree.map(lambda x: x + step, PARAMS), step=step)
"""


def test_processes_save_and_load_one_path(tmp_path):
    path = tmp_path / "run"
    gc.save(path, TX, STATE, PARAMS, step=0)
    process = start(SAVER, path)
    try:
        assert process.stdout.readline() == "ready\n"
        seen = set()
        for n in range(150):
            found = gc.load(path, TX, PARAMS, strict=True)
            same_bits(found.params, jax.tree.map(lambda x, n=found.step: x + n, PARAMS))
            seen.add(found.step)
            if n % 3 == 0:
                gc.save(path, TX, STATE, PARAMS, step=0)
        assert process.poll() is None and len(seen) > 3
    finally:
        end(process)
    gc.save(path, TX, STATE, PARAMS)
    assert os.listdir(tmp_path) == ["run"]  # also what the killed one left


HALF = """
    from gradchain.checkpoint import disk
    write, n = disk.write, [0]
    def slow(number, data):
        n[0] += 1
        if n[0] == 3:
            print("half", flush=True)
            sys.stdin.readline()
        write(number, data)
    disk.write = slow
    gc.save(sys.argv[1], TX, STATE, PARAMS, step=2)
    print("done", flush=True)
"""


@pytest.mark.parametrize("name", ["run", "a[1]*?.safetensors", "n" * 250], ids=["plain", "pattern", "long"])
def test_what_a_living_process_writes_stays_and_what_a_killed_one_left_goes(name, tmp_path):
    path = tmp_path / name
    process = start(HALF, path)
    try:
        assert process.stdout.readline() == "half\n"
        (half,) = os.listdir(tmp_path)
        gc.save(path, TX, STATE, PARAMS, step=1)
        assert sorted(os.listdir(tmp_path)) == sorted([half, name])  # it is alive
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert half in os.listdir(tmp_path) and gc.load(path, TX, PARAMS).step == 1
        gc.save(path, TX, STATE, PARAMS, step=3)
        assert os.listdir(tmp_path) == [name]
    finally:
        end(process)


def test_two_that_write_at_once_both_succeed(tmp_path):
    process = start(HALF, tmp_path / "run")
    try:
        assert process.stdout.readline() == "half\n"
        gc.save(tmp_path / "run", TX, STATE, PARAMS, step=1)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        assert gc.load(tmp_path / "run", TX, PARAMS).step == 2 and os.listdir(tmp_path) == ["run"]
    finally:
        end(process)


def test_without_locks_only_what_is_old_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "lock", lambda number: None)
    new, old, other = (
        tmp_path / f".run.{host}-1-0000000{n}.tmp" for n, host in enumerate([disk.HOST] * 2 + ["x"])
    )
    for file in (new, old, other):
        file.write_bytes(b"x")
    os.utime(old, (time.time() - 1e5,) * 2)
    gc.save(tmp_path / "run", TX, STATE)
    assert sorted(os.listdir(tmp_path)) == sorted([new.name, other.name, "run"])
    monkeypatch.undo()
    gc.save(tmp_path / "run", TX, STATE)  # another machine's lock may not be seen here
    assert sorted(os.listdir(tmp_path)) == sorted([other.name, "run"])


# Folders ---------------------------------------------------------------------------------------------------


WRITER = """
    checkpointer = gc.Checkpointer(sys.argv[1])
    checkpointer.save(1, TX, STATE, PARAMS)
    checkpointer.wait()
    os.mkdir(os.path.join(sys.argv[1], "2.orbax-checkpoint-tmp"))  # as if it were writing
    print("writing", flush=True)
    sys.stdin.readline()
    os._exit(1)
"""


def test_a_folder_has_one_writer(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    process, runs = start(WRITER, tmp_path / "runs"), tmp_path / "runs"
    try:
        assert process.stdout.readline() == "writing\n"
        second = gc.Checkpointer(runs)
        with pytest.raises(gc.CheckpointError) as error:
            second.save(2, TX, STATE, PARAMS)
        says(
            error,
            f"process {process.pid} on",
            str(runs),
            "expected one writer for a folder",
            "another folder",
        )
        assert (runs / "2.orbax-checkpoint-tmp").exists() and second.restore(TX, PARAMS).step == 1
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with second:
            second.save(2, TX, STATE, PARAMS)
        assert sorted(p.name for p in runs.iterdir()) == [".gradchain-lock", "1", "2"]
    finally:
        end(process)


def test_two_writers_in_one_process(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    first, second = gc.Checkpointer(tmp_path / "runs"), gc.Checkpointer(tmp_path / "runs")
    first.save(1, TX, STATE, PARAMS)
    with pytest.raises(gc.CheckpointError) as error:
        second.save(2, TX, STATE, PARAMS)
    says(error, "another Checkpointer of this process", "close it")
    first.close()
    second.save(2, TX, STATE, PARAMS)
    second.wait()
    del second, error  # forgotten without being closed
    __import__("gc").collect()
    with first:
        first.save(3, TX, STATE, PARAMS)
        assert first.steps() == [1, 2, 3]
