"""What a compiled program moves between devices, and between device and host, read from its text."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from gradchain.aot.hlo import COLLECTIVES, Instruction, Program, type_bytes

FUSED_SCATTER = "all-reduce-scatter"  # the TPU's reduce-scatter: a fusion that calls a computation so named
HOST_SPACE = "S(5)"  # in a layout: the array is in the host's memory

_SHAPED = re.compile(r"\b([a-z]+\d*\w*)\[([\d,]*)\](\{[^}]*\})?")
_GROUPS = re.compile(r"\breplica_groups=(\{\{[\d,]*\}|\{\}|\[[\d,]+\]<=|mesh\[[^\]]*\] ?\{[^}]*\})")
_PAIRS = re.compile(r"\bsource_target_pairs=\{((?:\{\d+,\d+\},?)*)\}")


class Shaped(NamedTuple):
    """An array in a compiled program, on one device."""

    dtype: str
    shape: tuple[int, ...]
    host: bool  # in the host's memory

    @property
    def bytes(self) -> float:
        """Without the padding of its layout."""
        return type_bytes(f"{self.dtype}[{','.join(map(str, self.shape))}]")


def arrays(text: str) -> tuple[Shaped, ...]:
    """The arrays of a type, as the compiler prints it."""
    return tuple(
        Shaped(dtype, tuple(int(n) for n in dims.split(",") if n), HOST_SPACE in layout)
        for dtype, dims, layout in _SHAPED.findall(text)
    )


class Collective(NamedTuple):
    """One communication of a device with others; a start and its done are one."""

    kind: str  # all-reduce, reduce-scatter, all-gather, all-to-all, collective-permute
    name: str
    operands: tuple[Shaped, ...]
    results: tuple[Shaped, ...]
    group: int  # devices that take part together; 0 where the text does not say, which is all
    loop: bool  # within a loop

    @property
    def operand_bytes(self) -> float:
        """What a device puts in."""
        return sum(x.bytes for x in self.operands)

    @property
    def result_bytes(self) -> float:
        """What it gets out."""
        return sum(x.bytes for x in self.results)

    @property
    def moved(self) -> float:
        """Bytes that reach a device from others, by the ring algorithm for an all-reduce.

        Over several mesh axes one after another they add up to what one over all would move.
        """
        share = 1 - 1 / self.group if self.group else 1.0
        if self.kind == "all-gather":
            return self.result_bytes - self.operand_bytes
        if self.kind == "reduce-scatter":
            return self.operand_bytes - self.result_bytes
        if self.kind == "all-reduce":
            return 2 * share * self.operand_bytes
        return share * self.operand_bytes if self.kind == "all-to-all" else self.result_bytes

    @property
    def largest(self) -> Shaped:
        """The largest array that goes in."""
        return max(self.operands, key=lambda x: x.bytes)


def collectives(program: Program) -> list[Collective]:
    """Every collective that runs, wherever in the program it stands: in loops, branches and fusions too."""
    found: list[Collective] = []
    inside: set[str] = set()  # computations that spell one out
    types = {name: {i.name: i.result for i in body} for name, body in program.computations.items()}
    for where, i, loop in program.running():
        if where in inside:
            continue
        kind, text = i.op.removesuffix("-start"), i.attributes
        scatters = [n for n in i.called if n.startswith(FUSED_SCATTER)] if i.op != "while" else []
        if scatters:
            kind = "reduce-scatter"
            inside.update(scatters)
            text = "".join(
                j.attributes for n in scatters for j in program.computations[n] if j.op == "all-reduce"
            )
        if kind in COLLECTIVES:
            operands = tuple(a for o in i.operands for a in arrays(types[where].get(o, "")))
            found.append(Collective(kind, i.name, operands, _results(i), _group(text, program), loop))
    return found


def _results(i: Instruction) -> tuple[Shaped, ...]:
    """Of a start, whose type is (operands, results, contexts), only the results."""
    found, n = arrays(i.result), len(i.operands)
    return found[n : 2 * n] if i.op.endswith("-start") and len(found) >= 2 * n else found


def _group(attributes: str, program: Program) -> int:
    """Devices of a group: {{0,1},{2,3}}, [groups,size]<=[...], or mesh['x'=2,'y'=4] {'y'}."""
    if pairs := _PAIRS.search(attributes):
        return pairs[1].count("{")
    match = _GROUPS.search(attributes)
    text = match[1] if match else "{}"
    if text.startswith("{{"):
        return text.count(",") + 1
    if text.startswith("["):
        return int(text.split("]")[0].split(",")[1])
    if text.startswith("mesh"):
        axes, _, used = text.partition("]")
        sizes = {name: int(size) for name, size in re.findall(r"('[^']+')=(\d+)", axes)}
        parts = re.findall(r"('[^']+')(?::\(\d+\)(\d+))?", used)  # 'x':(2)4 is a part of an axis, of size 4
        return math.prod(int(size) if size else sizes[name] for name, size in parts)
    return program.devices


class HostTraffic(NamedTuple):
    """Bytes on one device's side of its host's memory."""

    arguments: float  # that lie there
    results: float
    copied: float  # both ways, each loop turning once


def host(program: Program) -> HostTraffic:
    """What a program keeps in the host's memory, and copies between it and the device."""
    copied = 0.0
    fused = {n for body in program.computations.values() for i in body if i.op == "fusion" for n in i.called}
    types = {name: {i.name: arrays(i.result) for i in body} for name, body in program.computations.items()}
    for where, i, _ in program.running():
        operands = [a for o in i.operands for a in types[where].get(o, ())]
        if where in fused:
            continue
        if i.op == "copy-start":
            target = arrays(i.result)[0]
            copied += target.bytes if target.host != operands[0].host else 0.0
        elif i.op in ("copy", "fusion", "dynamic-slice", "dynamic-update-slice", "custom-call"):
            copied += _crossing(i.op, operands, arrays(i.result))
    arguments, results = (sum(a.bytes for a in arrays(text) if a.host) for text in program.layout)
    return HostTraffic(arguments, results, copied)


def _crossing(op: str, operands: list[Shaped], results: tuple[Shaped, ...]) -> float:
    """Bytes that an instruction on both memories moves between them."""
    reads, writes = [a for a in operands if a.host], [a for a in results if a.host]
    if op == "dynamic-update-slice" and writes:
        return operands[1].bytes if not operands[1].host else 0.0
    if reads and not writes:  # a slice takes what it leaves, anything else takes all
        return results[0].bytes if op == "dynamic-slice" else sum(a.bytes for a in reads)
    if writes and not reads:
        return sum(a.bytes for a in writes)
    return 0.0
