"""The report of a check as text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from gradchain.aot.report import Report
from gradchain.report.text import aligned, number, size

WIDTH = 100


def show(report: Report) -> str:
    """The report as aligned text, what is wrong at its end."""
    return "\n".join([
        *_head(report), "", _memory(report), "", _state(report), "", *_work(report), "",
        _movement(report), "", *_verdict(report),
    ])  # fmt: skip


def _head(report: Report) -> Iterator[str]:
    axes = " x ".join(f"{name} {n}" for name, n in report.mesh.items())
    yield f"{report.topology}: {report.devices} devices of {report.title}, mesh {axes}"
    stage = f", zero stage {report.zero} over {', '.join(report.batch)}" if report.zero else ""
    yield f"{report.parameters:,} parameters in {len(report.leaves)} leaves{stage}"
    yield from textwrap.wrap(report.optimizer, WIDTH, subsequent_indent="  ")


def _memory(report: Report) -> str:
    model = sum(x.bytes for x in report.leaves)
    on_device = report.state - report.offloaded
    rows = [
        ("memory", "of the model", "on a device"),
        ("parameters", size(model), size(report.params)),
        ("gradients", size(model), size(report.gradients)),
        ("state", size(report.state_total), size(on_device)),
        *([("state in the host's memory", "", size(report.offloaded))] if report.offloaded else []),
        ("scratch of the update", "", size(report.temp)),
    ]
    total = report.params + report.gradients + on_device + report.temp
    of = f" of {size(report.memory)}" if report.memory else ""
    rows.append(("together", "", size(total) + of))
    return aligned([[*row, ""] for row in rows], (False, True, True, False))


def _state(report: Report) -> str:
    rows = [["state", "slot", "shape", "dtype", "sharding", "bytes", "on a device", ""]]
    before = ""
    for row in report.table.rows if report.table else ():
        if row.slot:
            shape = f"{row.leaves} leaves" if row.shape is None else str(list(row.shape))
            where = [
                row.dtype,
                row.spec,
                size(row.total_bytes),
                size(row.bytes_per_device or row.total_bytes),
            ]
            rows.append([row.link if row.link != before else "", row.slot, shape, *where, ""])
            before = row.link
    rows.append(["together", "", "", "", "", size(report.state_total), size(report.state), ""])
    return aligned(rows, (False, False, False, False, False, True, True, False))


def _work(report: Report) -> Iterator[str]:
    own = sum(math.prod(x.local) for x in report.leaves)
    yield (
        f"a step on a device: {size(round(report.traffic))} of memory traffic, "
        f"{number(report.traffic / own)} bytes for each of its parameters "
        f"(at least {number(report.least_traffic / own)})"
    )
    yield f"{report.kernels} kernels, {report.copies} copies; {size(report.aliased)} updated in place"


def _movement(report: Report) -> str:
    rows = [["between devices", "number", "in loops", "moved", "at least", ""]]
    for m in report.moved:
        rows.append(
            [m.kind, str(m.count), str(m.in_loops or ""), size(round(m.bytes)), size(round(m.minimum)), ""]
        )
    total, least = sum(m.bytes for m in report.moved), sum(m.minimum for m in report.moved)
    count = str(sum(m.count for m in report.moved))
    rows.append(["a device receives", count, "", size(round(total)), size(round(least)), ""])
    return aligned(rows, (False, True, True, True, True, False))


def _verdict(report: Report) -> Iterator[str]:
    for note in report.notes:
        yield from textwrap.wrap(f"note: {note}", WIDTH, subsequent_indent="      ")
    for found in report.findings:
        yield from textwrap.wrap(f"wrong: {found.what}", WIDTH, subsequent_indent="       ")
        yield from textwrap.wrap(f"  do: {found.do}" if found.do else "", WIDTH, subsequent_indent="      ")
    if not report.findings:
        yield "nothing is wrong"
