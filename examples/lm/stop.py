"""Ctrl-C and SIGTERM, heard from the first moment on; imports nothing that takes time.

A handler that raises can be lost: what is being imported or destroyed may swallow its exception. So this one
raises nothing. It does what the innermost `instead` says, and at first ends the process with status 130.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOPPED = 130  # the exit status
Action = Callable[[], None]


class Words:
    """What is said when the process ends at once."""

    program = os.path.basename(sys.argv[0]).removesuffix(".py")
    standing = staticmethod(lambda: "nothing was saved yet")  # what a run has saved by now


def leave() -> None:
    """End the process now, saying what is saved."""
    with contextlib.suppress(Exception):  # it may be in the middle of a write to the same stream
        sys.stdout.flush()
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), b"\x1b[?25h")  # the cursor that a progress bar hides
    with contextlib.suppress(Exception):
        line = f"\n{Words.program}: stopped at once; {Words.standing()}\n"
        os.write(2, line.encode(errors="replace"))
    os._exit(STOPPED)


actions: list[Action] = [leave]


def _heard(number: int, frame: object) -> None:
    actions[-1]()


def listen() -> dict[int, object]:
    """From now on signals are heard; the handlers before. Only the main thread of a process can hear."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, _heard) for number in SIGNALS}


@contextlib.contextmanager
def listening(program: str) -> Iterator[None]:
    """Signals are heard within, and nothing is left behind."""
    before, standing = listen(), Words.standing
    try:
        Words.program = program
        yield
    finally:
        Words.standing = standing
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


@contextlib.contextmanager
def instead(action: Action) -> Iterator[None]:
    """Within, a signal does this."""
    actions.append(action)
    try:
        yield
    finally:
        actions.remove(action)


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Within, a signal waits for the end: for what must not be done by half."""
    heard: list[bool] = []
    with instead(lambda: heard.append(True)):
        yield
    if heard:
        actions[-1]()


class AfterStep:
    """While entered, the first signal asks to stop after the step, the second stops at once."""

    asked = False

    def __enter__(self) -> "AfterStep":
        self.inside = instead(self._ask)
        self.inside.__enter__()
        return self

    def _ask(self) -> None:
        if self.asked:
            leave()
        self.asked = True
        os.write(2, b"\nstopping after this step; once more to stop at once\n")

    def __exit__(self, *error: object) -> None:
        self.inside.__exit__(None, None, None)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Processes that are started within never hear Ctrl-C, only SIGTERM; here it waits until the end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
