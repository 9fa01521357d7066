"""Checks of what the links did, of hyperparameters, and of a history."""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import hyper
from gradchain.core.transform import Transform
from gradchain.doctor.facts import Facts, percent
from gradchain.doctor.findings import Finding, Test, paths
from gradchain.report.arguments import arguments, is_rate

CLIPPED = 0.9  # of the steps of a history
CUT = 10.0  # times, in the last step
SKIPPED = 0.05  # of the updates
IN_A_ROW = 3
HALVED = 100  # steps in which decay alone takes 63 % off a parameter
ROWS = 10  # that a history must have
FLAT = 1e-3  # of the loss, in a whole run
JUMP = 3.0  # times the first loss, at any time
GROWN = 10.0  # times, of the gradient's norm
IDLE = 0.1  # of a run, with a learning rate of 0


def clipping(facts: Facts) -> Iterator[Finding]:
    """Clipping in nearly every step, or by much in the last one."""
    norm, after = facts.series.get("grad_norm"), facts.series.get("clipped_norm")
    advice = "a larger max_norm, near the usual norm; a smaller learning rate where it is the loss that jumps"
    if norm is not None and after is not None and len(norm) == len(after) >= ROWS:
        share = float(np.mean(after < 0.999 * norm))
        if share > CLIPPED:
            yield Finding(
                "always clipping", "warning", "",
                f"gradients were clipped in {percent(share)} of {len(norm)} steps; their norm was "
                f"{np.median(norm):.3g}, after clipping {np.median(after):.3g}", percent(CLIPPED), advice,
            )  # fmt: skip
        return
    for path, entry in facts.entries:
        before, cut = getattr(entry, "norm", None), getattr(entry, "clipped_norm", None)
        if before is not None and cut is not None and float(cut) * CUT < float(before):
            yield Finding(
                "always clipping", "warning", path,
                f"the last gradient was cut from a norm of {float(before):.3g} to {float(cut):.3g}",
                f"{CUT:g} times; from a history the share of steps", advice,
            )  # fmt: skip


def skipping(facts: Facts) -> Iterator[Finding]:
    """Updates that were left out."""
    advice = (
        "look at the loss of these batches (log of 0, division by 0, bad data); a smaller learning rate; in "
        "float16 gc.loss_scale with a smaller init_scale"
    )
    for name, series in facts.series_of("skipped").items():
        n = series[-1] - series[0]
        taken = facts.series.get("step")
        total = (taken[-1] - taken[0] if taken is not None and len(taken) else len(series)) + n
        if n >= IN_A_ROW and total > 0 and n / total > SKIPPED:
            yield Finding(
                "skipped steps",
                "warning",
                name,
                f"{n:g} of {total:g} updates were left out",
                percent(SKIPPED),
                advice,
            )
    for path, entry in facts.entries:
        skipped = getattr(entry, "skipped", None)
        if skipped is None or np.shape(skipped) != ():
            continue
        n, row = int(skipped), int(getattr(entry, "consecutive", 0))
        total = n + facts.step
        if row >= IN_A_ROW or (n >= IN_A_ROW and n / total > SKIPPED):
            also = f", the last {row} in a row" if row > 1 else ""
            yield Finding(
                "skipped steps", "warning", path, f"{n} of {total} updates were left out{also}",
                f"{percent(SKIPPED)}, or {IN_A_ROW} in a row", advice,
            )  # fmt: skip


def decay_rate(facts: Facts) -> Iterator[Finding]:
    """A learning rate times weight decay that empties the parameters within few steps."""
    for path, decay in facts.arguments.items():
        rate = facts.arguments.get(path.removesuffix("weight_decay") + "learning_rate")
        if path.endswith("/weight_decay") and rate and rate * decay * HALVED > 1:
            yield Finding(
                "decay rate", "warning", path,
                f"learning rate {rate:.3g} times weight decay {decay:.3g} takes {percent(rate * decay)} off "
                "the parameters in each step", f"{percent(1 / HALVED)}", "a smaller weight decay",
            )  # fmt: skip


def averages(facts: Facts) -> Iterator[Finding]:
    """Averages that are longer than the run."""
    for path, value in facts.arguments.items():
        name = path.rpartition("/")[2]
        if name not in ("b1", "b2", "b3", "decay") or not 0 < value < 1:
            continue
        if (length := 1 / (1 - value)) > facts.length:
            yield Finding(
                "long average", "note", path,
                f"{name} = {value:.6g} averages over {length:.0f} steps, and the run has {facts.length}",
                "steps of the run", f"{name} = {max(0.9, 1 - 10 / facts.length):.3g} or so: a tenth of it",
            )  # fmt: skip


def rate(facts: Facts) -> Iterator[Finding]:
    """A learning rate that is zero, for the whole run or for much of it, or still rises at its end."""
    series = {k: x for k, x in facts.series_of("learning_rate").items() if len(x) >= ROWS and not x.any()}
    now = {k: x for k, x in facts.last_of("learning_rate").items() if x == 0 and facts.step > 1}
    advice = (
        "see the schedule: [float(schedule(t)) for t in range(10)]; a warmup from 0 is 0 in the first alone"
    )
    planned = list(_planned(facts))
    if (series or now) and not planned:
        where = paths([name for name in {**series, **now} if name])
        yield Finding("learning rate", "error", where, "the learning rate is 0", "0", advice)
    for path, found, severity in planned:
        yield Finding("learning rate", severity, path, found, f"{percent(IDLE)} of the run at 0", advice)


def _planned(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """(path, what is wrong, how bad) of the learning rates of an optimizer, over the whole run."""
    for path, value in arguments(facts.tx).items() if isinstance(facts.tx, Transform) else ():
        if not is_rate(path) or value is None:
            continue
        if not hyper.is_schedule(value):
            if facts.arguments.get(path) == 0:
                yield path, "the learning rate is 0", "error"
        elif (n := facts.length) > 1:
            counts = np.unique(np.linspace(0, n - 1, min(n, 1000)).astype(int))
            values = np.abs(np.asarray(jax.jit(jax.vmap(value))(jnp.asarray(counts, jnp.int32))))
            idle = float(np.mean(values <= 1e-6 * values.max())) if values.any() else 1.0
            if not values.any():
                yield path, f"the schedule is 0 in all {n} steps", "error"
            elif idle > IDLE and counts[values > 1e-6 * values.max()][-1] < n - 1:
                last = int(counts[values > 1e-6 * values.max()][-1])
                yield path, f"the schedule is 0 from step {last + 1} of {n} on", "warning"
            elif values[-1] == values.max() and values[-1] > 1.5 * values[len(values) // 2]:
                yield path, f"the schedule still rises at the end of the run, after {n} steps", "warning"


def losses(facts: Facts) -> Iterator[Finding]:
    """A loss that is NaN, rises or does not move; a gradient that grows."""
    for name, x in facts.series.items():
        if not np.isfinite(x).all():
            first = int(np.flatnonzero(~np.isfinite(x))[0])
            yield Finding(
                "not finite", "error", name, f"{x[first]} in row {first} of the history, the first of "
                f"{int((~np.isfinite(x)).sum())}", "none", "a smaller learning rate, clipping, gc.skip(tx)",
            )  # fmt: skip
    loss = facts.series.get("loss", np.zeros(0))
    if len(loss) >= ROWS and np.isfinite(loss).all():
        start, end = _quarters(loss)
        spread = float(np.std(loss[: len(loss) // 4]))
        if np.mean(end) > np.mean(start) + 2 * spread:
            yield Finding(
                "loss", "warning", "", f"the loss rose from {np.mean(start):.4g} to {np.mean(end):.4g}",
                "two standard deviations", "a smaller learning rate; see the sign of the loss",
            )  # fmt: skip
        elif loss[0] > 0 and loss.max() > JUMP * loss[0]:
            yield Finding(
                "loss", "warning", "",
                f"the loss rose from {loss[0]:.4g} to {loss.max():.4g} in row {int(loss.argmax())}",
                f"{JUMP:g} times its first value",
                "a smaller learning rate, a warmup, gc.clip_by_global_norm; gc.find_lr looks for a rate",
            )  # fmt: skip
        elif np.ptp(loss) <= FLAT * max(abs(float(np.mean(loss))), 1e-30):
            yield Finding(
                "loss", "warning", "", f"the loss moved by {np.ptp(loss):.3g} in all, from {loss[0]:.6g}",
                percent(FLAT), "a larger learning rate, gc.find_lr; see whether the new parameters are used",
            )  # fmt: skip
    norm = facts.series.get("grad_norm", np.zeros(0))
    if len(norm) >= ROWS and np.isfinite(norm).all():
        start, end = (float(np.median(part)) for part in _quarters(norm))
        if start > 0 and end > GROWN * start:
            yield Finding(
                "gradient norm", "warning", "", f"the gradients' norm grew from {start:.3g} to {end:.3g}",
                f"{GROWN:g} times", "gc.clip_by_global_norm before the optimizer; a smaller learning rate",
            )  # fmt: skip


def _quarters(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = math.ceil(len(x) / 4)
    return x[:n], x[-n:]


TESTS = (
    Test(
        "always clipping",
        lambda f: (
            any(hasattr(e, "clipped_norm") for _, e in f.entries)
            or {"grad_norm", "clipped_norm"} <= set(f.series)
        ),
        "have gc.clip_by_global_norm in the chain, or give a history with grad_norm and clipped_norm",
        clipping,
    ),
    Test(
        "skipped steps",
        lambda f: any(hasattr(e, "skipped") for _, e in f.entries) or bool(f.series_of("skipped")),
        "have gc.skip(tx) or gc.loss_scale(tx)",
        skipping,
    ),
    Test("decay rate", lambda f: f.tx is not None, "give tx", decay_rate),
    Test("long average", lambda f: f.tx is not None and f.length > 0, "give tx and steps", averages),
    Test(
        "learning rate",
        lambda f: bool(f.tx is not None or f.last_of("learning_rate") or f.series_of("learning_rate")),
        "give the state, or tx",
        rate,
    ),
    Test(
        "loss",
        lambda f: bool(f.series),
        "give a history: a list of dicts with loss and gc.metrics(state)",
        losses,
    ),
)
