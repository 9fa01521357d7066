"""Fair timing on a machine that is not idle: contestants take turns, and are compared within each round."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """What rounds of one contestant took."""

    median: float
    low: float  # lower and upper quartile
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one value or more."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(middle, low, high)


def timed(f: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def worked(f: Callable[[], object]) -> float:
    """Seconds of processor time that one call takes, of all threads: the same beside other processes."""
    start = time.process_time()
    f()
    return time.process_time() - start


def rounds(
    contestants: Mapping[str, Callable[[], float]], repeats: int, warm: int = 0, pause: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of each contestant in each round; who begins and who follows whom changes from round to round.

    A contestant returns its own seconds. `pause` lets the threads of the one before come to rest.
    """
    names, found = list(contestants), {name: [] for name in contestants}
    for i in range(-warm, repeats):
        first = i // 2 % len(names)
        order = names[first:] + names[:first]
        for name in reversed(order) if i % 2 else order:
            gc.collect()
            time.sleep(pause)
            seconds = contestants[name]()
            if i >= 0:
                found[name].append(seconds)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many times as long ours takes: the median of the ratios of the rounds."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
