"""`noisy` ends what failed writes leave behind, so that no later test is told of it."""

import gc as garbage
import sys

import pytest
from noise import close_unstarted, noisy


async def write():
    """One of the writes that are made together."""


class Left:
    """A write that was never awaited, in a circle that only the collector finds."""

    def __init__(self):
        self.me, self.write = self, write()


def fails():
    Left()
    raise OSError("full")


def told_of(monkeypatch):
    """How often Python tells of a coroutine that was never awaited, in one collection."""
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(sys, "unraisablehook", told.append)
        garbage.collect()
    return len(told)


@pytest.mark.filterwarnings("error:coroutine:RuntimeWarning")
def test_what_a_failed_write_leaves_behind_ends_with_its_test(monkeypatch):
    garbage.collect()
    garbage.disable()
    try:
        with pytest.raises(OSError):
            noisy(fails)()
        assert told_of(monkeypatch) == 0
        with pytest.raises(OSError):
            fails()
        assert told_of(monkeypatch) == 1
        close_unstarted()  # what was told of
        kept = Left()
        assert close_unstarted() == 1 and close_unstarted() == 0
        del kept
        assert told_of(monkeypatch) == 0
    finally:
        garbage.enable()
