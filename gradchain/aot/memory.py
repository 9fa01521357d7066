"""What a compiled program moves between a chip and its memory: parts as parts, nothing of what is in VMEM.

`Program.cost` counts whole operands. Here a slice counts what it takes, an update in place what it writes, an
array in a TPU's VMEM nothing, and its prefetch and its way back once. Only ENTRY is read: loops do not count.
"""

from __future__ import annotations

import re

from gradchain.aot.hlo import Instruction, Program, type_bytes

_ARRAY = re.compile(r"\b[a-z]+\d*\w*\[[\d,]*\](?:\{[^}]*\})?")
_ELSEWHERE = re.compile(r":T\([^}]*S\(\d+\)|\{:?S\(\d+\)")  # tiled, as on a TPU, and not in the default space
_SLICES = ("dynamic-slice", "slice")


def _held(text: str) -> float:
    """Bytes of the arrays of a type that are in the device's memory."""
    return sum(type_bytes(a) for a in _ARRAY.findall(text) if not _ELSEWHERE.search(a))


def memory_traffic(program: Program) -> float:
    """Bytes between a chip and its memory in one run of ENTRY."""
    total, types = 0.0, {}
    for i in program.computations[program.entry]:
        types[i.name] = i.result
        if i.op in ("copy-start", "slice-start"):
            arrays = _ARRAY.findall(i.result)
            to, source = arrays[:2] if i.op == "copy-start" else (arrays[1], arrays[0])
            total += type_bytes(to) * (bool(_held(to)) + bool(_held(source)))
        elif i.free:
            continue
        elif i.op in _SLICES:
            total += i.bytes * (bool(_held(i.result)) + bool(_held(types.get(i.operands[0], ""))))
        elif i.op == "fusion":
            written, read = _fused(program.computations[i.called[0]], i)
            total += min(_held(i.result), written)
            for k, name in enumerate(i.operands):
                held = _held(types.get(name, ""))
                total += min(held, read.get(k, held))
        else:
            total += min(_held(i.result), i.written) + sum(_held(types.get(o, "")) for o in i.operands)
    return total


def _fused(body: list[Instruction], fusion: Instruction) -> tuple[float, dict[int, float]]:
    """What a fusion writes, and what it reads of the operands that it slices or updates in place."""
    by = {i.name: i for i in body}
    origin = {i.name: int(i.operands[0]) for i in body if i.op == "parameter"}
    read: dict[int, float] = {}
    whole: set[int] = set()
    for i in body:
        if i.op == "bitcast" and i.operands[0] in origin:
            origin[i.name] = origin[i.operands[0]]
            continue
        for k, name in enumerate(i.operands):
            if name not in origin:
                continue
            if k == 0 and i.op in (*_SLICES, "dynamic-update-slice"):
                taken = i.bytes if i.op in _SLICES else 0.0
                read[origin[name]] = read.get(origin[name], 0.0) + taken
            else:
                whole.add(origin[name])
    written, root = fusion.written, _unwrapped(body[-1], by)
    for out in [by[o] for o in root.operands] if root.op == "tuple" else [root]:
        last = _unwrapped(out, by)
        if last.op == "dynamic-update-slice":
            written += by[last.operands[1]].bytes - last.bytes
    return written, {n: size for n, size in read.items() if n not in whole}


def _unwrapped(i: Instruction, by: dict[str, Instruction]) -> Instruction:
    while i.op == "bitcast":
        i = by[i.operands[0]]
    return i
