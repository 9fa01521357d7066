"""What a compiled program moves between a chip and its memory, read from its text.

Each instruction counts once: what it reads of its operands and what it writes. A slice counts what it takes,
an update in place what it puts there, arrays take the tiles that they fill in part. Memory is the device's:
of a copy from or to a TPU's VMEM, or the host's memory, one side counts, and of what is computed from VMEM to
VMEM nothing. A collective counts operands and results, one that goes on beside other work where it starts;
what it passes on in between is not in the text. Loops and branches count as in `hlo.Cost`: a body once, the
dearest branch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gradchain.aot.hlo import Instruction, Program

_ARRAY = re.compile(r"\b([a-z]+)(\d*)\w*\[([\d,]*)\](?:\{([^}]*)\})?")
_TILE = re.compile(r"T\(([\d,]+)\)")
_HANDED = re.compile(r"\{(\d*)\}: \((\d+), \{\}")  # within output_to_operand_aliasing={{1}: (0, {}), ...}
_SLICES = ("dynamic-slice", "slice")
_UPDATE = "dynamic-update-slice"
_STARTED = "AsyncCollectiveStart"


class Placed(NamedTuple):
    """An array on one device, and how it lies there."""

    width: float  # bytes of a number
    dims: tuple[int, ...]
    layout: str  # as in the text, {1,0:T(8,128)S(1)} without the braces

    @property
    def held(self) -> bool:
        """Whether it is in the device's memory."""
        return "S(" not in self.layout

    @property
    def bytes(self) -> float:
        """With all tiles filled that it lies in."""
        order, _, rest = self.layout.partition(":")
        dims = [self.dims[int(k)] for k in reversed(order.split(","))] if order else list(self.dims)
        found = _TILE.search(rest)
        tile = [int(n) for n in found[1].split(",")] if found else []
        dims = [1] * (len(tile) - len(dims)) + dims
        for k, n in enumerate(reversed(tile), 1):
            dims[-k] = -(-dims[-k] // n) * n
        return math.prod(dims) * self.width

    def part(self, of: Placed) -> float:
        """Bytes of a part of another array that has this one's shape."""
        return self._replace(layout=of.layout).bytes if of.held else 0.0


def placed(text: str) -> list[Placed]:
    """The arrays of a type, as the compiler prints it."""
    return [
        Placed(
            float(bits or (8 if kind == "pred" else 0)) / 8,
            tuple(int(n) for n in dims.split(",") if n),
            layout,
        )
        for kind, bits, dims, layout in _ARRAY.findall(text)
    ]


def memory_traffic(program: Program) -> float:
    """Bytes between a chip and its memory in one run."""
    return sum(size for _, size in memory_moves(program))


def memory_moves(program: Program, name: str = "") -> Iterator[tuple[Instruction, float]]:
    """The instructions of ENTRY, or of another computation, that move something, with their bytes."""
    types: dict[str, list[Placed]] = {}
    for i in program.computations[name or program.entry]:
        types[i.name] = placed(i.result)
        moved = _moved(program, i, [types.get(o, []) for o in i.operands])
        if moved:
            yield i, moved


def _moved(program: Program, i: Instruction, operands: Sequence[list[Placed]]) -> float:
    results = placed(i.result)
    if i.op in ("copy-start", "slice-start"):
        (source, *_), to = operands[0], results[0 if i.op == "copy-start" else 1]
        return to.part(to) + to.part(source)
    if i.free:
        return 0.0
    if i.op == "conditional":
        return max(sum(size for _, size in memory_moves(program, n)) for n in i.called)
    if i.op in ("while", "call", "async-start"):
        called = i.bodies if i.op == "while" else i.called
        return sum(size for n in called for _, size in memory_moves(program, n))
    if i.op == "fusion":
        return _fused(program.computations[i.called[0]], i, operands, results)
    if i.op in _SLICES:
        return results[0].part(results[0]) + results[0].part(operands[0][0])
    if i.op == _UPDATE:
        update = operands[1][0]
        return update.part(update) + update.part(results[0])
    n = len(operands)
    if i.op.endswith("-start") and len(results) >= 2 * n:  # (operands, results, contexts)
        results = results[n : 2 * n]
    return _held(results) + sum(map(_held, operands))


def _held(arrays: Sequence[Placed]) -> float:
    return sum(x.part(x) for x in arrays)


def _fused(
    body: list[Instruction], i: Instruction, operands: Sequence[list[Placed]], results: list[Placed]
) -> float:
    """A fusion: an operand that it only slices counts as its slices, one updated in place not at all."""
    by = {j.name: j for j in body}
    origin = {j.name: int(j.operands[0]) for j in body if j.op == "parameter"}
    read = dict.fromkeys(range(len(operands)), 0.0)
    whole: set[int] = set()
    for j in body:
        if j.op == "bitcast" and j.operands[0] in origin:
            origin[j.name] = origin[j.operands[0]]
            continue
        for k, name in enumerate(j.operands):
            if name in origin and k == 0 and j.op in _SLICES:
                read[origin[name]] += placed(j.result)[0].part(placed(by[name].result)[0])
            elif name in origin and not (k == 0 and j.op == _UPDATE):
                whole.add(origin[name])
    # What belongs to a collective that goes on beside this fusion is handed on; it was counted at its start.
    handed = _HANDED.findall(
        i.attributes.partition("output_to_operand_aliasing=")[2].partition("}, calls")[0]
    )
    kept = set() if any(_STARTED in j.attributes for j in body) else {int(k) for _, k in handed}
    total = 0.0
    for k, arrays in enumerate(operands):
        size = _held(arrays)
        total += 0.0 if k in kept else size if k in whole else min(size, read[k])
    root = _unwrapped(body[-1], by)
    outs = [by[o] for o in root.operands] if root.op == "tuple" else [root]
    given = {int(k or 0) for k, _ in handed}
    for n, x in enumerate(results):
        last = _unwrapped(outs[n], by) if len(outs) == len(results) else root
        if n in given:
            continue
        total += placed(by[last.operands[1]].result)[0].part(x) if _in_place(last, by) else x.part(x)
    return total


def _in_place(i: Instruction, by: dict[str, Instruction]) -> bool:
    """Whether an instruction of a fusion puts a part into one of the fusion's operands."""
    return i.op == _UPDATE and _unwrapped(by[i.operands[0]], by).op == "parameter"


def _unwrapped(i: Instruction, by: dict[str, Instruction]) -> Instruction:
    while i.op == "bitcast":
        i = by[i.operands[0]]
    return i
