"""The helper that makes system calls fail sees them all, and each of them can fail."""

import errno
import os
import shutil

import pytest
from faulty import FULL, HOWS, Crash, How, contents, each_call, failing


def work(folder):
    (folder / "a").mkdir(exist_ok=True)
    with open(folder / "a" / "x", "w") as file:
        file.write("hello")
    (folder / "y").write_text("12345678")
    os.replace(folder / "y", folder / "z")
    number = os.open(folder / "w", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    data = memoryview(b"0123456789")
    while data:
        data = data[os.write(number, data) :]
    os.fsync(number)
    os.close(number)
    assert (folder / "z").read_bytes() == b"12345678"
    shutil.rmtree(folder / "a")


CALLS = (
    *("mkdir a", "open x", "write x", "close x", "open y", "write y", "close y", "replace y"),
    *(
        "open w",
        "write w",
        "fsync w",
        "close w",
        "open z",
        "read z",
        "close z",
        "scandir a",
        "unlink x",
        "rmdir a",
    ),
)


def test_it_sees_the_calls_in_the_folder_and_no_others(tmp_path):
    (tmp_path / "in").mkdir()
    with failing(tmp_path / "in") as calls:
        work(tmp_path / "in")
        (tmp_path / "out").write_text("x")
    assert set(CALLS) <= set(calls.names) and not calls.reached and "open out" not in calls.names
    assert contents(tmp_path / "in") == {"w": b"0123456789", "z": b"12345678"}


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_every_call_can_fail(how, tmp_path):
    seen = [(n, calls, error) for n, calls, error in each_call(lambda: work(tmp_path), tmp_path, how)]
    *cut, (_, last, nothing) = seen
    assert nothing is None and not last.reached and len(cut) >= len(CALLS)
    for n, calls, error in cut:
        assert calls.failed[0] == calls.names[n - 1]
        if how.crash:
            assert isinstance(error, Crash)
        elif how.short and not how.lasting:
            assert error is None
        else:
            # Python 3.11 closes a folder once more where closing it fails.
            again = [errno.EBADF] if calls.failed[0] == "close a" else []
            assert isinstance(error, OSError) and error.errno in (how.code, *again)


def test_what_was_not_synced_is_cut_when_the_power_fails(tmp_path):
    with failing(tmp_path) as calls:
        work(tmp_path)
    n = calls.names.index("open a") + 1  # after all the writing
    with pytest.raises(Crash), failing(tmp_path, n, How(crash=True, lost=True)):
        work(tmp_path)
    assert (tmp_path / "w").read_bytes() == b"0123456789" and (tmp_path / "z").read_bytes() == b"1234"


def test_a_full_disk_stays_full(tmp_path):
    with failing(tmp_path, 1, FULL):
        for _ in range(2):
            with pytest.raises(OSError) as error:
                (tmp_path / "x").write_text("x")
            assert error.value.errno == errno.ENOSPC
        assert not list(tmp_path.iterdir())
    (tmp_path / "x").write_text("x")
