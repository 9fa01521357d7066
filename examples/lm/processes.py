"""Several processes that run one program: starting them here, joining them, and what they agree on."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from lm import UserError, stop
from lm.optimizers import first_line

GRACE = 10.0  # seconds for the others to end when one has failed


def join(given: dict[str, Any]) -> None:
    """Make this process one of those that the flags tell of, with its part of the devices."""
    count = given.get("num_processes", 1)
    if "devices" in given:
        try:
            jax.config.update("jax_platforms", "cpu")
            jax.config.update("jax_num_cpu_devices", given["devices"] // count)
        except RuntimeError as error:
            raise UserError(f"--devices: {error}") from None
    try:
        if given.get("distributed"):
            jax.distributed.initialize()
        elif count > 1:
            jax.distributed.initialize(given["coordinator"], count, given["process_id"])
    except (ValueError, RuntimeError, OSError) as error:
        if given.get("distributed"):
            raise UserError(
                f"--distributed: found no cluster here ({first_line(error)}); on one machine leave it out, "
                "or start processes with --processes N --devices N"
            ) from None
        raise UserError(f"--coordinator {given['coordinator']}: {first_line(error)}") from None
    stop.listen()  # once more: the service that joins processes may have set handlers of its own


def leave() -> None:
    """Part from the others, if there are any."""
    if jax.process_count() > 1:
        jax.distributed.shutdown()


def first() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Go on when all processes are here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_of(asked: bool) -> bool:
    """Whether any process says yes; the same answer on all of them."""
    if jax.process_count() == 1:
        return asked
    return bool(multihost_utils.process_allgather(np.asarray(asked)).any())


def start(program: str, argv: Sequence[str], count: int) -> int:
    """Run `program` in so many processes on this machine; the exit code of the first that fails.

    Process 0 writes to the terminal; of another one the errors are shown if it is the first to fail. When
    one fails, the others wait for it in vain, so they are ended.
    """
    port = free_port()
    flags = [f"--coordinator=127.0.0.1:{port}", f"--num-processes={count}"]
    with tempfile.TemporaryDirectory() as folder:
        logs = [os.path.join(folder, str(i)) for i in range(count)]
        running: list[subprocess.Popen] = []
        asked: list[bool] = []

        def pass_on() -> None:  # to process 0, which agrees with the others on when to stop
            asked.append(True)
            if running and running[0].poll() is None:
                running[0].send_signal(signal.SIGTERM)

        try:
            with stop.instead(pass_on):
                with stop.unheard():
                    for i in range(count):
                        command = [sys.executable, program, *argv, *flags, f"--process-id={i}"]
                        with open(logs[i], "w") as log:
                            pipes = {"stdout": log, "stderr": log} if i else {}
                            running.append(subprocess.Popen(command, **pipes))
                code = watch(running, logs)
            return stop.STOPPED if asked and code else code
        finally:
            end(running)


def watch(running: list[subprocess.Popen], logs: list[str]) -> int:
    """Wait until all have ended, or one has failed."""
    while True:
        codes = [process.poll() for process in running]
        failed = next((i for i, code in enumerate(codes) if code), None)
        if failed is not None:
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and any(p.poll() is None for p in running):
                time.sleep(0.05)
            if running[0].poll() in (None, 0) or running[0].returncode < 0:  # it has not said why itself
                with open(logs[failed]) as log:
                    sys.stderr.write(log.read())
            if (code := running[failed].returncode) < 0:
                sys.stderr.write(f"process {failed} was ended by signal {-code}\n")
            return code if code > 0 else 1
        if not any(code is None for code in codes):
            return 0
        time.sleep(0.05)


def end(running: list[subprocess.Popen]) -> None:
    """End what still runs."""
    for process in running:
        if process.poll() is None:
            process.kill()
    for process in running:
        process.wait()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
