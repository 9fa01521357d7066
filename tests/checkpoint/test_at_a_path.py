"""What else may be at the path that is saved to or loaded: modes, links, pipes, names that cannot be."""

import os
import stat
from pathlib import Path

import jax.numpy as jnp
import pytest
from checkpoint_cases import random_like, says

import gradchain as gc

TX = gc.trace(0.9)
PARAMS = {"a": jnp.arange(6.0), "b": jnp.ones((2, 3))}
STATE = random_like(TX.init(PARAMS), 1)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
def test_a_file_keeps_its_mode(mode, tmp_path):
    path, modes = tmp_path / "run", []
    gc.save(path, TX, STATE, PARAMS)
    path.chmod(mode)

    def look(*_):
        modes.extend(stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir())

    gc.save(path, TX, STATE, PARAMS, progress=look)
    assert stat.S_IMODE(path.stat().st_mode) == mode and gc.load(path, TX, PARAMS)
    assert len(modes) == 8 and not any(m & ~mode for m in modes)  # nor is it wider while it is written


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        gc.save(tmp_path / "run", TX, STATE)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o640


def test_a_symbolic_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "run", tmp_path / "disk" / "real"
    link.symlink_to(Path("disk", "real"))
    for step in (1, 2):  # first it leads to nothing
        gc.save(link, TX, STATE, PARAMS, step=step)
        assert link.is_symlink() and not target.is_symlink() and gc.load(link, TX, PARAMS).step == step
        assert os.listdir(target.parent) == ["real"] and sorted(os.listdir(tmp_path)) == ["disk", "run"]
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    for call in (lambda: gc.save(loop, TX, STATE), lambda: gc.load(loop, TX, PARAMS)):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, str(loop), "ELOOP", "leads to itself")


@pytest.mark.parametrize("kind", ["a named pipe", "a device", "a socket"])
def test_what_is_no_file_is_not_replaced_nor_waited_for(kind, tmp_path):
    path = tmp_path / "run"
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        import socket

        here = os.getcwd()
        os.chdir(tmp_path)  # the names of sockets are short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("run")
        os.chdir(here)
    else:
        path = Path(os.devnull)
    before = path.stat().st_ino
    for call in (lambda: gc.save(path, TX, STATE), lambda: gc.load(path, TX, PARAMS)):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, str(path))
        if kind != "a socket" or "save" in str(error.value):
            says(error, f"is {kind}; expected")
    assert path.stat().st_ino == before


def test_names_and_folders_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    for path, words in (
        (tmp_path / ("n" * 300), ("ENAMETOOLONG", "Use a shorter name")),
        (tmp_path / "file" / "run", ("ENOTDIR", "A part of the path is a file")),
    ):
        with pytest.raises(OSError) as error:
            gc.save(path, TX, STATE)
        assert isinstance(error.value, gc.CheckpointError)
        says(error, f"save: {str(path)!r} could not be written", *words)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root changes the user")
def test_a_folder_in_which_one_may_not_write(tmp_path):
    gc.save(tmp_path / "run", TX, STATE, PARAMS, step=1)
    for folder in [tmp_path, *tmp_path.parents][:4]:  # with pytest-xdist one more
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError) as error:
            gc.save(tmp_path / "run", TX, STATE, PARAMS, step=2)
        says(error, "EACCES", "Rights are missing", "as it was")
        with pytest.raises(OSError) as error:
            gc.Checkpointer(tmp_path / "runs").save(1, TX, STATE, PARAMS)
        says(error, f"Checkpointer.save: {str(tmp_path / 'runs')!r} cannot be written to", "EACCES")
        assert gc.load(tmp_path / "run", TX, PARAMS).step == 1
    finally:
        os.seteuid(0)


def test_saving_makes_no_second_copy_in_memory(tmp_path):
    import tracemalloc

    params = {str(i): jnp.zeros((512, 1024)) + i for i in range(8)}  # 2 MB each
    tx = gc.identity()
    tracemalloc.start()
    gc.save(tmp_path / "run", tx, tx.init(params), params)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
