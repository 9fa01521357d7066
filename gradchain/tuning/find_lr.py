"""find_lr: a learning rate to begin with, from short runs at many rates in one compilation."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from gradchain.core import words
from gradchain.core.inside import opens
from gradchain.core.transform import Transform, need_transform
from gradchain.report import text
from gradchain.report.arguments import Scaled, changed, scaled
from gradchain.report.arguments import rates as rates_of
from gradchain.tuning import plots, program, training

WHO = "find_lr"
PyTree = Any
STEPS = 100
RATES = tuple(float(f"{10 ** (k / 4):.3g}") for k in range(-24, 5))  # 1e-6 to 10, four in each power of ten
SHARE = 0.25  # of the steps, the last ones, by whose mean loss a rate is judged
SMOOTHED = 0.9  # a rising run's loss is averaged with this decay


@dataclasses.dataclass(frozen=True, repr=False)
class RateTest:
    """What `find_lr` found: the loss of each rate, suggestion, optimizer, plot.

    Rates are the largest of the optimizer's learning rates; the others keep their ratio to it.
    """

    tx: Transform
    rates: tuple[float, ...]
    losses: tuple[float, ...]  # of each rate; rising: smoothed, over steps, of the step that had the rate
    start: float  # the loss of the parameters as they were given
    chosen: int | None  # which rate is suggested; None: at none the loss fell
    method: str
    steps: int
    given: float  # the largest learning rate of tx

    @property
    def found(self) -> bool:
        """Whether there is a suggestion."""
        return self.chosen is not None

    @property
    def suggestion(self) -> float:
        """A learning rate to begin with; ValueError where the loss fell at none."""
        if self.chosen is None:
            low, high = self.rates[0], self.rates[-1]
            raise ValueError(
                f"{WHO}: the loss fell at no rate from {low:.3g} to {high:.3g} within {self.steps} steps (at "
                f"the start it is {self.start:.4g}); give more steps or other rates, or look at the gradients"
            )
        return self.rates[self.chosen]

    @property
    def optimizer(self) -> Transform:
        """The optimizer with the rate that is suggested; a schedule is scaled as a whole."""
        return scaled(self.tx, self.suggestion / self.given)

    @property
    def label(self) -> str:
        """What a rate is."""
        several = len({r for r in rates_of(self.tx).values() if r > 0}) > 1
        return "learning rate" + (" (the largest; others keep their ratio)" if several else "")

    @property
    def unit(self) -> str:
        """What a loss of this test is."""
        if self.method == "rising":
            return f"loss, smoothed, of {self.steps} steps"
        return f"loss, last {_last(self.steps)} of {self.steps} steps"

    @property
    def edge(self) -> str:
        """What to try where the suggestion is the first or last rate; "" where it is not."""
        if self.chosen is None or 0 < self.chosen < len(self.rates) - 1:
            return ""
        word, way = ("largest", "larger") if self.chosen else ("smallest", "smaller")
        return f"the suggestion is the {word} rate tried: give {way} ones too, rates=[...]"

    def rows(self) -> list[dict[str, float]]:
        """A dict for each rate."""
        return [{"rate": r, "loss": x} for r, x in zip(self.rates, self.losses, strict=True)]

    def plot(self, *, path: str | Path | None = None) -> Any:
        """The loss of each rate with the suggestion; a matplotlib Figure. With a path it is saved."""
        return plots.tested(self, path)

    def table(self) -> str:
        """The rates as a text table."""
        return "\n".join([text.aligned(*self._cells()), *filter(None, [self.edge])])

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        return text.as_html(*self._cells())

    def _cells(self) -> tuple[list[list[str]], list[bool]]:
        every = max(1, len(self.rates) // 40)
        cells = [["learning rate", "loss", ""]]
        for i, (rate, loss) in enumerate(zip(self.rates, self.losses, strict=True)):
            if i % every and i != self.chosen:
                continue
            bad = not math.isfinite(loss)
            note = (
                "suggestion"
                if i == self.chosen
                else "diverged"
                if bad
                else "worse"
                if loss > self.start
                else ""
            )
            cells.append([text.number(rate), "-" if bad else text.number(loss), note])
        return [*cells, ["", text.number(self.start), "at the start"]], [True, True, False]


@opens
def find_lr(
    loss: Callable[..., Any],
    params: PyTree,
    batches: Any,
    tx: Transform,
    *,
    steps: int | None = None,
    rates: Sequence[float] = RATES,
    method: str = "runs",
    at_once: int | None = None,
    progress: bool | None = None,
) -> RateTest:
    """Find a learning rate to begin with: a short run of `steps` at each rate, all in one compilation.

        found = gc.find_lr(loss, params, batches, tx)  # loss(params, batch) -> []
        found.suggestion, found.optimizer, found.plot()

    Suggested is the largest rate that is as good as the best: by the mean loss of the last quarter of the
    steps, on equal batches, the difference is within two standard errors.
    Rates are constant; in place of a schedule its largest value is meant, and `optimizer` scales all of it.
    method="rising": one run whose rate rises from the first to the last; suggested is a tenth of the rate
    where its smoothed loss is least. batches, at_once: as in `trainer` and `sweep`; steps: as many as
    batches, or 100.
    """
    if isinstance(tx, list | tuple | Mapping) and not hasattr(tx, "init"):
        raise TypeError(
            f"{WHO}: tx is {words.show(tx)}; expected one optimizer. For several: "
            f"[{WHO}(loss, params, batches, one) for one in ...], or sweep, which takes them together"
        )
    need_transform(tx, f"{WHO}(loss, params, batches, tx)", loss, params, batches)
    if method not in ("runs", "rising"):
        raise ValueError(f"{WHO}: method is {words.show(method)}; expected 'runs' or 'rising'")
    tried, shares, given = _rates(rates), *_shares(tx)
    length = steps if steps is not None or hasattr(batches, "__len__") else STEPS
    stacked = training.stack(WHO, batches, length)
    training.need_loss(WHO, loss, stacked)
    n = training.count(WHO, stacked, length)
    if n < 4:
        raise ValueError(f"{WHO}: {n} steps are too few to compare rates; give at least 4, better 100")

    def one(rate: Any) -> dict[str, Any]:
        made = changed(tx, lambda path, x: _times(rate, shares[path]) if path in shares else x)
        first = training.fixed(loss, params, stacked, n)
        return {"losses": training.run(made, loss, params, stacked, n), "start": first}

    if method == "rising":
        low, high = tried[0], tried[-1]
        slope = math.log(high / low) / (n - 1)
        rising = lambda x: lambda count: x * low * jnp.exp(slope * count.astype(jnp.float32))  # noqa: E731
        found = program.run(WHO, lambda x: one(rising(x)), jnp.ones(1), 1, progress, "loss")
        all_rates = tuple(low * math.exp(slope * i) for i in range(n))
        start = np.asarray(found["start"][0], np.float64)
        # Beside the loss of each batch without training, or the batches' own differences hide the rates'.
        first = float(start.mean())
        losses = _smooth(found["losses"][0] - start) + first
        return RateTest(
            tx, all_rates, tuple(losses.tolist()), first, _tenth(losses, all_rates, first), method, n, given
        )
    found = program.run(WHO, one, jnp.asarray(tried, jnp.float32), at_once, progress, "loss")
    tail = np.asarray(found["losses"], np.float64)[:, -_last(n) :]
    start = np.asarray(found["start"], np.float64)[0, -_last(n) :]
    means = np.where(
        np.isfinite(found["losses"]).all(1), np.where(np.isfinite(tail), tail, 0).mean(1), np.nan
    )
    first = float(start.mean())
    chosen = _largest(tail, means, first)
    result = RateTest(tx, tried, tuple(means.tolist()), first, chosen, method, n, given)
    if result.edge:
        warnings.warn(f"{WHO}: {result.edge}", stacklevel=3)  # past `opens`
    return result


def _last(steps: int) -> int:
    return max(2, round(SHARE * steps))


def _rates(given: Sequence[float]) -> tuple[float, ...]:
    try:
        found = sorted({float(x) for x in given})
    except (TypeError, ValueError):
        raise TypeError(f"{WHO}: rates is {words.show(given)}; expected numbers, least first") from None
    if len(found) < 2 or not all(0 < x < math.inf for x in found):
        raise ValueError(f"{WHO}: rates is {words.show(given)}; expected at least two numbers above 0")
    return tuple(found)


def _shares(tx: Transform) -> tuple[dict[str, float], float]:
    """Of each learning rate by path, how much of the largest it is; and the largest."""
    found = {path: x for path, x in rates_of(tx).items() if math.isfinite(x)}
    largest = max(found.values(), default=0.0)
    if largest <= 0:
        why = f"learning rates of 0: {', '.join(found)}" if found else "no learning_rate"
        raise ValueError(
            f"{WHO}: {tx.name} has {why}; expected one above 0 somewhere, as gc.adamw(1e-3) has; of another "
            "library's optimizer make it anew: gc.inject_hyperparams(optax.adam)(1e-3)"
        )
    return {path: x / largest for path, x in found.items()}, largest


def _times(rate: Any, share: float) -> Any:
    return Scaled(rate, share) if callable(rate) else rate * share


def _largest(tail: np.ndarray, means: np.ndarray, start: float) -> int | None:
    """The largest rate that is as good as the best; None where nothing is gained."""
    if not np.isfinite(means).any() or np.nanmin(means) >= start:
        return None
    best = chosen = int(np.nanargmin(means))
    for i in range(best + 1, len(means)):
        if not np.isfinite(means[i]):
            break
        difference = tail[i] - tail[best]
        noise = 2 * np.std(difference, ddof=1) / math.sqrt(len(difference))
        if means[i] - means[best] > noise:
            break
        chosen = i
    return chosen


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Averaged over the steps before, without the pull of the first."""
    found, mean = [], 0.0
    for i, x in enumerate(np.asarray(losses, np.float64)):
        mean = SMOOTHED * mean + (1 - SMOOTHED) * x
        found.append(mean / (1 - SMOOTHED ** (i + 1)))
    return np.asarray(found)


def _tenth(losses: np.ndarray, rates: Sequence[float], start: float) -> int | None:
    """The rate a tenth of that where the loss is least; None where it never falls."""
    if not np.isfinite(losses).any() or not np.nanmin(losses) < start:
        return None
    return int(np.argmin(np.abs(np.log(np.asarray(rates) * 10 / rates[int(np.nanargmin(losses))]))))
