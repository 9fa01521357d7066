"""What Orbax leaves behind when one of its reads or writes fails."""

import functools
import gc as garbage
import inspect
import types

import pytest

WARNINGS = ("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine:RuntimeWarning")


def close_unstarted() -> int:
    """Close the coroutines that were made and never awaited: how many."""
    made = [x for x in garbage.get_objects() if type(x) is types.CoroutineType]
    left = [x for x in made if inspect.getcoroutinestate(x) == inspect.CORO_CREATED]
    for coroutine in left:
        coroutine.close()
    return len(left)


def noisy(test):
    """A test in which a read or a write of Orbax fails: what that leaves behind ends with the test.

    Orbax makes all its writes and awaits one after another; Python tells of those it never came to when it
    finds them, which may be in the middle of another test. Its threads have ended when a checkpointer raises.
    """

    @functools.wraps(test)
    def quiet(*args, **kwargs):
        try:
            return test(*args, **kwargs)
        finally:
            close_unstarted()
            garbage.collect()

    for text in WARNINGS:
        quiet = pytest.mark.filterwarnings(text)(quiet)
    return quiet
