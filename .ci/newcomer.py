"""The seconds from a checkout to the first step, as somebody new takes them: python .ci/newcomer.py [WHEEL]

An empty environment, the checkout or a wheel installed into it by pip, the first program of the README in a
file, and run. pip downloads everything anew. An error where it takes more than a minute.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from try_wheel import ROOT, quickstart, run

LIMIT = 60.0  # seconds


def python_of(env: Path) -> Path:
    """The interpreter of an environment."""
    return env / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def walk(source: Path, folder: Path) -> dict[str, float]:
    """Take the steps in an empty folder; the seconds of each, printed as they pass."""
    program, python = folder / "first.py", python_of(folder / "env")
    pip = ("-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check")
    steps: dict[str, Callable[[], object]] = {
        "an empty environment": lambda: run(sys.executable, "-m", "venv", folder / "env"),
        f"pip install {source.name}": lambda: run(python, *pip, source),
        "the README's program into a file": lambda: program.write_text(
            quickstart((ROOT / "README.md").read_text("utf-8")), "utf-8"
        ),
        "its first run": lambda: run(python, "-W", "error", program, cwd=folder),
    }
    taken, spent = {}, time.process_time() + _children()
    print(f"{'':40}{'seconds':>9}{'of a processor':>16}")
    for name, step in steps.items():
        start, before = time.perf_counter(), time.process_time() + _children()
        step()
        taken[name] = time.perf_counter() - start
        worked = time.process_time() + _children() - before
        print(f"{name:40}{taken[name]:9.1f}{worked:16.1f}", flush=True)
    print(f"{'together':40}{sum(taken.values()):9.1f}{time.process_time() + _children() - spent:16.1f}")
    return taken


def _children() -> float:
    """Seconds of a processor that the processes started from here have taken."""
    times = os.times()
    return times.children_user + times.children_system


def main(source: Path, limit: float) -> None:
    """Walk, and fail above the limit."""
    with tempfile.TemporaryDirectory() as folder:
        taken = sum(walk(source.resolve(), Path(folder)).values())
    if taken > limit:
        raise SystemExit(f"{taken:.0f} s until the first step; expected at most {limit:.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", nargs="?", type=Path, default=ROOT, help="a wheel (default: the checkout)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds (default: %(default)g)")
    given = parser.parse_args()
    main(given.source, given.limit)
