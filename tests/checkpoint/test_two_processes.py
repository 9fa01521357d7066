"""Checkpoints of arrays that are spread over two processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_two_processes(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port = found.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    program = Path(__file__).with_name("two_processes.py")
    outputs = [(tmp_path / f"said {i}").open("w+") for i in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(program), str(i), str(port), str(tmp_path)], env=env, stdout=out, stderr=out
        )
        for i, out in enumerate(outputs)
    ]
    try:
        codes = [process.wait(120) for process in processes]
    finally:
        for process, out in zip(processes, outputs, strict=True):
            process.kill()
            process.wait()
            out.close()
    said = [Path(out.name).read_text() for out in outputs]
    assert codes == [0, 0] and all("both agree" in text for text in said), "\n".join(said)[-5000:]
