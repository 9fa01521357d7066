"""`noisy` ends what failed writes leave behind, so that no later test is told of it."""

import inspect

import pytest
from noise import close_unstarted, noisy

LEFT = []


async def write():
    """One of the writes that are made together."""


def fails():
    LEFT.append(write())
    raise OSError("full")


def test_what_a_failed_write_leaves_behind_ends_with_its_test():
    """A coroutine that is closed is not told of when it is collected."""
    with pytest.raises(OSError):
        fails()
    assert inspect.getcoroutinestate(LEFT[-1]) == inspect.CORO_CREATED
    assert close_unstarted() >= 1
    with pytest.raises(OSError):
        noisy(fails)()
    assert {inspect.getcoroutinestate(x) for x in LEFT} == {inspect.CORO_CLOSED} and len(LEFT) == 2
