"""What a compiled XLA program does to memory, read from its text (TPU, GPU and CPU).

HBM traffic: over the instructions a program runs one after another, the bytes of all operands plus the bytes
of the result, except of instructions that move nothing (FREE). A fusion is one instruction: what happens
inside stays in registers. A loop's body counts once, of a conditional the dearest branch; `Cost.least` is the
traffic without them. Arrays count by their elements: the padding of a layout, to fill tiles, is left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

# Names for memory, not work. An asynchronous copy or slice is the TPU's prefetch into VMEM: the kernel that
# uses the data is charged for it.
FREE = frozenset(
    {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "optimization-barrier", "after-all"}
    | {"copy-start", "copy-done", "slice-start", "slice-done", "async-update", "async-done"}
    | {"partition-id", "replica-id"}
)
PREFETCHED = "ConcatBitcast"  # the custom call that names slices in VMEM as one array
# What computes nothing: numbers are named anew, repeated or counted.
MOVED = FREE | {"bitcast-convert", "broadcast", "copy", "iota", "reshape", "slice", "transpose", "fusion"}
COLLECTIVES = ("all-reduce", "reduce-scatter", "all-gather", "all-to-all", "collective-permute")

_ARRAY = re.compile(r"\b([a-z]+)(\d*)\w*\[([\d,]*)\]")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.+?) ([a-z][\w\-]*)\((.*)$")
_CALLED = re.compile(r"\b(?:to_apply|calls|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_LOOP = re.compile(r"\b(?:body|condition)=%?([\w.\-]+)")
_BODY = re.compile(r"\bbody=%?([\w.\-]+)")
_LAYOUT = re.compile(r"\bentry_computation_layout=\{\((.*?)\)->(.*?)\}(?:, \w+=|$)")
_PARTITIONS = re.compile(r"\bnum_partitions=(\d+)")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def type_bytes(text: str) -> float:
    """Bytes of all arrays in a type; the width is in the name (f32, bf16, s4, f8e4m3fn), pred is a byte."""
    total = 0.0
    for kind, bits, dims in _ARRAY.findall(text):
        size = float(bits or (8 if kind == "pred" else 0)) / 8
        for dim in dims.split(","):
            size *= int(dim or 1)
        total += size
    return total


class Instruction(NamedTuple):
    """One line of a computation."""

    name: str
    op: str
    result: str  # its type, as the compiler prints it
    operands: tuple[str, ...]  # names; of a parameter its number
    attributes: str  # everything after the operands

    @property
    def bytes(self) -> float:
        """Of the result."""
        return type_bytes(self.result)

    @property
    def size(self) -> int:
        """Numbers in the result, of several arrays in the largest."""
        dims = (d for _, _, d in _ARRAY.findall(self.result))
        return max((math.prod(int(n or 1) for n in d.split(",")) for d in dims), default=0)

    @property
    def scalar(self) -> bool:
        """Whether the result is one number, or several single ones."""
        return all(not dims.strip("1,") for _, _, dims in _ARRAY.findall(self.result))

    @property
    def free(self) -> bool:
        """Whether it moves nothing."""
        return self.op in FREE or PREFETCHED in self.attributes or self.op.endswith("-done")

    @property
    def called(self) -> list[str]:
        """The computations it runs once: a call's, a fusion's, a conditional's branches in order."""
        branches = _BRANCHES.search(self.attributes)
        if branches:
            return [name.strip().lstrip("%") for name in branches[1].split(",")]
        return _CALLED.findall(self.attributes)

    @property
    def bodies(self) -> list[str]:
        """Of a loop, the computation that turns."""
        return _BODY.findall(self.attributes)

    @property
    def written(self) -> float:
        """Bytes it leaves in memory: the result, of a start without the operands that stand before it."""
        arrays = [m.group(0) for m in _ARRAY.finditer(self.result)]
        n = len(self.operands)
        if self.op.endswith("-start") and len(arrays) >= 2 * n:
            return sum(map(type_bytes, arrays[n : 2 * n]))
        return self.bytes


@dataclass
class Cost:
    """Traffic and work of one computation with everything it runs."""

    bytes: float = 0.0  # every loop turning once, every conditional taking its dearest branch
    least: float = 0.0  # no loop turning whose number of turns is unknown, conditionals taking the cheapest
    ops: Counter[str] = field(default_factory=Counter)  # by opcode, without the scalars
    scalars: int = 0  # other instructions with a scalar result: not a pass over memory
    branches: list[list[Cost]] = field(default_factory=list)  # per conditional, one cost for each branch

    @property
    def kernels(self) -> int:
        """Fusions and custom calls, scalar ones included: what is launched."""
        return self.ops["fusion"] + self.ops["custom-call"]

    @property
    def copies(self) -> int:
        """Copies, of scalars too: each is a launch on a GPU."""
        return self.ops["copy"]

    @property
    def unfused(self) -> int:
        """Array instructions left outside fusions (a TPU may write zeros by a plain broadcast)."""
        known = {"fusion", "custom-call", "copy", *COLLECTIVES}
        return sum(n for op, n in self.ops.items() if op.removesuffix("-start") not in known)

    def add(self, other: Cost, turns: int = 1, least: float | None = None) -> None:
        """Count what `other` does as done here too, its traffic `turns` times."""
        self.bytes += turns * other.bytes
        self.least += turns * other.least if least is None else least
        self.scalars += other.scalars
        self.ops.update(other.ops)
        self.branches.extend(other.branches)


class Program:
    """The computations of a compiled program: `Program(compiled.as_text())`."""

    def __init__(self, text: str):
        self.computations: dict[str, list[Instruction]] = {}
        self.entry = ""
        self.devices = 0  # that it runs on; 0 where the text does not say
        self.layout = ("", "")  # types of the arguments and of the results
        current: list[Instruction] | None = None
        for line in text.splitlines():
            if current is None:
                if line.startswith("HloModule"):
                    self.devices, self.layout = _header(line)
                if head := _COMPUTATION.match(line):
                    current = self.computations[head[2]] = []
                    self.entry = head[2] if head[1] else self.entry
            elif line.startswith("}"):
                current = None
            elif parsed := _instruction(line):
                current.append(parsed)
        if not self.entry:
            raise ValueError(
                "no ENTRY computation: expected the text of a compiled program, compiled.as_text()"
            )

    @cached_property
    def cost(self) -> Cost:
        """The cost of the program."""
        return self.cost_of(self.entry)

    def cost_of(self, name: str, turns: bool = False) -> Cost:
        """The cost of one computation; `turns` counts a loop's body as often as the text says it turns.

        XLA says so for GPU and CPU where the number is constant, never for TPU.
        """
        total, sizes = Cost(), {}
        for i in self.computations[name]:
            sizes[i.name] = i.bytes
            if i.free:
                continue
            if i.op == "conditional":
                parts = [self.cost_of(n, turns) for n in i.called]
                total.add(max(parts, key=lambda c: c.bytes), least=min(c.least for c in parts))
                total.branches.append(parts)
            elif i.op == "while":
                known = _TURNS.search(i.attributes)
                body = self.cost_of(i.bodies[0], turns)
                total.add(body, int(known[1]) if turns and known else 1, None if known else 0.0)
            elif i.op in ("call", "async-start"):
                for n in i.called:
                    total.add(self.cost_of(n, turns))
            else:
                moved = i.written + sum(sizes.get(o, 0.0) for o in i.operands)
                total.bytes += moved
                total.least += moved
                if i.scalar and i.op not in ("fusion", "custom-call", "copy"):
                    total.scalars += 1
                else:
                    total.ops[i.op] += 1
        return total

    @cached_property
    def operations(self) -> int:
        """Numbers that the program computes: of each instruction but those of MOVED, the size of its result.

        A reduction counts as its result, and what several fusions compute as often as they do.
        """
        return sum(i.size for _, i, _ in self.running() if i.op not in MOVED)

    @cached_property
    def cycles(self) -> int:
        """What XLA for TPU estimates that the fusions take, memory and arithmetic together; 0 elsewhere."""
        return sum(int(n) for _, i, _ in self.running() for n in _CYCLES.findall(i.attributes))

    def passes(self) -> dict[str, int]:
        """How many instructions of ENTRY read each array parameter, out of a prefetch or a bitcast too."""
        origin: dict[str, set[str]] = {}
        found: dict[str, int] = {}
        for i in self.computations[self.entry]:
            if i.op == "parameter" and not i.scalar:
                origin[i.name], found[i.name] = {i.name}, 0
                continue
            sources = set().union(*(origin.get(o, set()) for o in i.operands))
            if i.op == "tuple":
                continue  # handed on as a result, or to a loop or a branch: not read here
            if i.free:
                origin[i.name] = sources
            else:
                for name in sources:
                    found[name] += 1
        return found

    def running(self, name: str = "", loop: bool = False) -> Iterator[tuple[str, Instruction, bool]]:
        """(computation, instruction, whether within a loop) of all that runs, each place once."""
        name = name or self.entry
        for i in self.computations[name]:
            yield name, i, loop
            if i.op == "while":
                for part in _LOOP.findall(i.attributes):
                    yield from self.running(part, True)
            elif not i.op.endswith(("-done", "-update")):
                for part in i.called:
                    yield from self.running(part, loop)


def _header(line: str) -> tuple[int, tuple[str, str]]:
    devices, layout = _PARTITIONS.search(line), _LAYOUT.search(line)
    return int(devices[1]) if devices else 0, (layout[1], layout[2]) if layout else ("", "")


def _instruction(line: str) -> Instruction | None:
    m = _INSTRUCTION.match(line)
    if not m:
        return None
    _, name, result, op, rest = m.groups()
    depth = 1
    for end, char in enumerate(rest):
        depth += (char == "(") - (char == ")")
        if not depth:
            given = (rest[:end],) if op == "parameter" else tuple(re.findall(r"%([\w.\-]+)", rest[:end]))
            return Instruction(name, op, result, given, rest[end + 1 :])
    return None
