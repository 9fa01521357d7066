"""What is wrong with a compiled update, in plain words, each with what to do about it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

from gradchain.aot.report import Finding, Report
from gradchain.report.budget import gib
from gradchain.report.text import size

LARGE = 0.01  # of the parameters: what is smaller is not worth a remark
SMALL = 1024  # bytes: numbers that a program makes anew, such as a constant learning rate
EXCESS = 1.1  # what may be moved, of what must be


def judged(report: Report, warned: Iterable[str]) -> Report:
    """The report with what is wrong, and what is worth knowing; `warned` is what `zero` said of leaves."""
    small = {repr(x.path) for x in report.leaves if x.gradient < LARGE * _total(report)}
    minor = [text for text in warned if any(path in text for path in small)]
    wrong = [Finding(text, "") for text in warned if text not in minor]
    return dataclasses.replace(report, findings=(*wrong, *findings(report)), notes=(*minor, *notes(report)))


def findings(report: Report) -> Iterator[Finding]:
    """All that is wrong with it."""
    yield from _memory(report)
    yield from _budget(report)
    yield from _reductions(report)
    yield from _gathers(report)
    yield from _loops(report)
    yield from _state(report)
    yield from _host(report)


def notes(report: Report) -> Iterator[str]:
    """What is worth knowing, and not wrong."""
    whole = [x for x in report.leaves if x.scattered == x.gradient]
    if report.zero and whole:
        total = sum(x.gradient for x in whole)
        yield f"whole on every device: {len(whole)} of {len(report.leaves)} leaves, {size(total)} together"
    if not report.zero and report.ways > 1:
        part = size(round(report.state / report.ways))
        yield f"state is whole on each of {report.ways} devices: --zero 1 would leave {part} of it on each"
    if report.zero == 3:
        gathered = sum(x.gradient - x.held for x in report.leaves)
        yield f"the model gathers {size(gathered)} of parameters in each step; that is not in this program"
    if report.host.copied and report.offloaded:
        yield f"{size(round(report.host.copied))} are copied between host and device in each step"


def _memory(report: Report) -> Iterator[Finding]:
    needed = report.params + report.gradients + report.state - report.offloaded + report.temp
    if report.memory and needed > report.memory:
        yield Finding(
            f"the update needs {size(needed)} on a device that has {size(report.memory)}",
            "more devices, --zero 1 or 3, --stored log8, parameters in bfloat16, or axes for the model",
        )


def _budget(report: Report) -> Iterator[Finding]:
    found = report.budget
    if found is None or found.choices[0] in found.fitting:
        return
    now, limit, least = found.choices[0].total, found.limit, found.smallest
    fits = next((c.code for c in found.fitting), "")
    yield Finding(
        f"the update needs {gib(now)} GiB on a device, {gib(now - limit)} above the budget of {gib(limit)}",
        fits or f"nothing fits, the smallest is {least.name}: more devices, or a smaller model",
    )


def _reductions(report: Report) -> Iterator[Finding]:
    rows = {m.kind: m for m in report.moved}
    least = sum(m.minimum for m in report.moved if m.kind != "all-gather")
    spent = sum(rows[k].bytes for k in ("all-reduce", "reduce-scatter") if k in rows)
    if not report.zero or spent <= EXCESS * least:
        return
    shapes = {a.shape for c in report.found if c.kind == "all-reduce" for a in c.operands}
    shown = [list(shape) for shape in sorted(shapes, key=math.prod, reverse=True)[:3]]
    near = [x.path for x in report.leaves if shown and _part_of(tuple(shown[0]), x.local)]
    whose = f", the first of gradients such as that of {near[0]!r}" if near else ""
    yield Finding(
        f"to sum the gradients {size(round(spent))} are moved where {size(round(least))} would do: they are "
        f"all-reduced, not reduce-scattered, as arrays of {', '.join(map(str, shown))}{whose}",
        "make dimensions multiples of 128 times the devices that split them, give the mesh one axis for each "
        "axis of the torus (make_mesh), or use fewer devices in the data axes",
    )


def _part_of(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an array may be a piece of one of shape `whole`, by its last dimensions."""
    last = min(2, len(whole), len(shape))
    return math.prod(whole) % math.prod(shape) == 0 and all(
        b % a == 0 for a, b in zip(shape[-last:], whole[-last:], strict=True)
    )


def _gathers(report: Report) -> Iterator[Finding]:
    for m in report.moved:
        if m.kind == "all-gather" and m.bytes > EXCESS * m.minimum + LARGE * _total(report):
            odd = [
                list(c.results[0].shape)
                for c in report.found
                if c.kind == m.kind and not any(_part_of(c.results[0].shape, x.local) for x in report.leaves)
            ]
            least, shapes = (
                size(round(m.minimum)),
                f", among them arrays of {', '.join(map(str, odd[:3]))}" if odd else "",
            )
            yield Finding(
                f"{size(round(m.bytes))} are gathered where the parameters need {least}{shapes}",
                "wrap the whole optimizer in zero(...), outermost; where a rule needs whole matrices, its "
                "documentation says how they are moved",
            )


def _loops(report: Report) -> Iterator[Finding]:
    for c in report.found:
        if c.loop and c.operand_bytes > LARGE * _total(report):
            yield Finding(
                f"{c.kind} of {size(round(c.operand_bytes))} within a loop: it is paid in every turn",
                "reduce once, after the loop (microbatch_grad), and move whole matrices before it",
            )


def _state(report: Report) -> Iterator[Finding]:
    if report.table is None:
        return
    worth = LARGE * _total(report)
    for row in report.table.rows:
        on_device = row.bytes_per_device
        if report.zero and row.slot and row.total_bytes > worth and on_device == row.total_bytes:
            yield Finding(
                f"{row.link}.{row.slot}, {size(row.total_bytes)}, is whole on all {report.devices} devices",
                "split its parameters along an axis that it shares with them, or keep it in fewer bits",
            )
    donated = report.params + report.state - report.offloaded
    missing = donated - report.aliased
    if missing > max(LARGE * donated, SMALL) and not report.offloaded:
        yield Finding(
            f"{size(missing)} of parameters and state are not updated in place",
            "a dtype or a sharding changes in an update: report it as a bug, with the configuration",
        )


def _host(report: Report) -> Iterator[Finding]:
    if report.host.copied and not report.offloaded:
        yield Finding(
            f"{size(round(report.host.copied))} are copied between host and device in each step",
            "nothing was to be in the host's memory: look for device_put in a transformation of your own",
        )


def _total(report: Report) -> float:
    return float(sum(x.gradient for x in report.leaves))
