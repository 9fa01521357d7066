"""torch.optim.AdamW(fused=True) as a contestant, in this process or in another one that has PyTorch.

Run as a script it serves a parent over pipes, one JSON request and one answer a line. It imports nothing of
this repository, so that any Python with PyTorch can run it.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LEARNING_RATE, WEIGHT_DECAY, MAX_NORM = 1e-3, 1e-4, 1.0
PERIODS = {"params": (7, 1000, 4e-5), "grads": (13, 997, 2e-5)}  # of the numbers that everyone starts from


class TorchAdamW:
    """AdamW, after clipping by global norm if asked, on parameters of given shapes."""

    def __init__(self, shapes: Sequence[Sequence[int]], clip: bool, threads: int, device: str = "cpu"):
        # Threads that wait by spinning stall each other on a busy machine: steps of 0.1 s took 16 s.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        torch.set_num_threads(threads)
        self.version, self.device = torch.__version__, device
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None

        def numbers(kind: str, shape: Sequence[int]) -> Any:
            factor, period, scale = PERIODS[kind]
            index = torch.arange(math.prod(shape), dtype=torch.int64, device=device) * factor % period
            return ((index.to(torch.float32) - period // 2) * scale).reshape(tuple(shape))

        self.params = [numbers("params", shape).requires_grad_() for shape in shapes]
        for p, shape in zip(self.params, shapes, strict=True):
            p.grad = numbers("grads", shape)
        self.optimizer = torch.optim.AdamW(
            self.params, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
        )
        self.clip = torch.nn.utils.clip_grad_norm_ if clip else None

    def step(self, count: int = 1) -> float:
        """Seconds of one step, of so many without waiting in between."""
        self.wait()
        start = time.perf_counter()
        for _ in range(count):
            if self.clip:
                self.clip(self.params, MAX_NORM)
            self.optimizer.step()
        self.wait()
        return (time.perf_counter() - start) / count

    def sample(self) -> list[float]:
        """Some of the parameters, to compare."""
        return self.params[0].detach().reshape(-1)[:1000].tolist()

    def close(self) -> None:
        """Let go of the memory."""
        del self.params, self.optimizer


class Remote:
    """The same in another process, which waits between requests."""

    def __init__(self, python: str, shapes: Sequence[Sequence[int]], clip: bool, threads: int):
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self._ask({"shapes": [list(s) for s in shapes], "clip": clip, "threads": threads})

    def _ask(self, request: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise RuntimeError(f"the PyTorch process ended with code {self.process.wait()}") from error

    def step(self) -> float:
        """Seconds of one step, measured over there."""
        return self._ask("step")

    def sample(self) -> list[float]:
        """Some of the parameters, to compare."""
        return self._ask("sample")

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def start(
    python: str | None, shapes: Sequence[Sequence[int]], clip: bool, threads: int
) -> TorchAdamW | Remote | None:
    """In this process if it has PyTorch, else in one of `python`; None where neither has."""
    if importlib.util.find_spec("torch"):
        return TorchAdamW(shapes, clip, threads)
    if python and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0:
        return Remote(python, shapes, clip, threads)
    return None


def serve() -> None:
    """Answer requests until the parent closes the pipe."""
    contestant: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, dict):
            contestant = TorchAdamW(**request)
            answer = contestant.version
        else:
            answer = getattr(contestant, request)()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
