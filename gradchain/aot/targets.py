"""The machines to compile for: `topology("v5e:16x16")`, `topology("h100:2x8")`; none need be there."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.util
import math
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from gradchain.core import words

PyTree = Any


class MissingCompiler(RuntimeError):
    """A compiler that is not installed here."""


class TopologyError(ValueError):
    """The name of no machine, or of one that there is not."""


class Compiled(NamedTuple):
    """A program and what it needs; all sizes are bytes on one device, as it lays the arrays out."""

    text: str  # the optimized program
    temp: int  # scratch memory
    arguments: int
    outputs: int
    aliased: int  # outputs that take the place of donated arguments
    lower_seconds: float
    compile_seconds: float


@dataclass(frozen=True, eq=False)
class Target:
    """A compiler and the machine it compiles for: the packages it lives in, how the machine is described."""

    name: str  # of the compiler: tpu, h100 or cpu
    topology: str  # v5e:2x4
    title: str  # TPU v5e
    shape: tuple[int, ...]  # the chips of each axis of the torus; hosts and GPUs per host
    memory: int = 0  # bytes of a device, 0 where nothing is said of it
    packages: tuple[str, ...] = ()  # importable, any one is enough
    install: str = ""
    description: Mapping[str, Any] = field(default_factory=dict)  # arguments of get_topology_desc
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Why this target cannot be compiled for here, or None."""
        if not self.packages or any(importlib.util.find_spec(package) for package in self.packages):
            return None
        return (
            f"the compiler for {self.title} is not installed in this environment (no {self.packages[0]}): "
            f"pip install {self.install}; in a checkout of gradchain `make test-aot` makes one that has it"
        )

    @functools.cached_property
    def devices(self) -> Sequence[Any]:
        """The described devices; nothing can be run on them."""
        if reason := self.missing():
            raise MissingCompiler(reason)
        if self.name == "cpu":
            return _cpus(self)
        for name, value in self.environment.items():  # read when the plugin is loaded, which is now
            os.environ.setdefault(name, value)
        if not jax.config.jax_platforms:  # type: ignore[attr-defined]
            jax.config.update("jax_platforms", "cpu")  # never look for the hardware itself
        try:
            return topologies.get_topology_desc(**self.description).devices
        except jax.errors.JaxRuntimeError as error:
            raise TopologyError(f"{self.topology}: the compiler has no such machine: {error}") from error

    def compile(self, f: Callable, *args: PyTree, donate: tuple[int, ...] = ()) -> Compiled:
        """Compile f from abstract arguments; those without a sharding are on the first device.

        JAX pairs donated inputs with results of the same shape in order: give them in the order in which f
        returns them. Moments before parameters in, parameters before moments out costs a copy of each.
        """
        first = SingleDeviceSharding(self.devices[0])

        def place(x):
            return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None) or first)

        start = time.perf_counter()
        lowered = jax.jit(f, donate_argnums=donate).lower(*jax.tree.map(place, args))
        between = time.perf_counter()
        try:
            compiled = lowered.compile()
        except jax.errors.JaxRuntimeError as error:
            if "ptxas" not in str(error):
                raise
            raise MissingCompiler(
                f"{self.title}: XLA needs CUDA's assembler, and found no ptxas: put one on the PATH, or "
                "pip install nvidia-cuda-nvcc beside the plugin"
            ) from error
        end = time.perf_counter()
        text, memory = compiled.as_text(), compiled.memory_analysis()
        assert text is not None and memory is not None
        return Compiled(
            text=text,
            temp=memory.temp_size_in_bytes,
            arguments=memory.argument_size_in_bytes,
            outputs=memory.output_size_in_bytes,
            aliased=memory.alias_size_in_bytes,
            lower_seconds=between - start,
            compile_seconds=end - between,
        )


def _cpus(target: Target) -> Sequence[Any]:
    """CPU devices, made here if nothing has asked for devices yet."""
    n = math.prod(target.shape)
    if "host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # they have been made
            jax.config.update("jax_num_cpu_devices", n)
    found = jax.devices("cpu")
    if len(found) < n:
        raise TopologyError(
            f"{target.topology}: {n} CPU devices are needed and {len(found)} are there: "
            f"set XLA_FLAGS=--xla_force_host_platform_device_count={n} before jax is imported"
        )
    return found[:n]


MOST, MOST_CPUS = 2**16, 1024  # devices


class _Generation(NamedTuple):
    """TPUs: axes of their torus, how long one is at most, and the slices there are, for an error to name."""

    axes: int
    longest: int
    memory: int  # GiB, for each chip
    made: str


_TPUS = {
    "v5e": _Generation(2, 16, 16, "1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16"),
    "v5p": _Generation(3, 28, 95, "2x2x1, 2x2x2, 2x2x4, 2x4x4, 4x4x4, 4x4x8, 4x8x8, 8x8x8 and larger"),
    "v6e": _Generation(2, 16, 32, "1x1, 2x2, 2x4, 4x4, 4x8, 8x8, 8x16, 16x16"),
}
_TPU_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",  # no metadata server outside Google's cloud
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",  # any: it says nothing of the machine that is described
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # otherwise two processes meet at one lock file
}


@functools.cache
def topology(name: str) -> Target:
    """The machine of that name: a generation and the chips of each axis.

    v5e:2x4, v5e:16x16, v5p:4x4x4, v6e:2x4: a slice of TPUs. h100:8, h100:2x8 (or 1x2x8): the GPUs of one
    host, of two. cpu:8, cpu:2x4: CPU devices, for a check where no other compiler is installed; traffic and
    scratch memory are then what XLA for CPU makes of the program.
    """
    match = re.fullmatch(r"([a-z]\w{0,20}):([0-9]{1,6}(?:x[0-9]{1,6}){0,3})", name.strip().lower())
    shape = tuple(int(n) for n in match[2].split("x")) if match else ()
    if not match or not all(shape):
        raise TopologyError(
            f"{words.show(name)} is not a topology: expected one like v5e:16x16, h100:2x8 or cpu:8"
        )
    if math.prod(shape) > MOST:
        raise TopologyError(f"{name}: {math.prod(shape)} devices, and at most {MOST} can be described")
    kind = match[1]
    if kind in _TPUS:
        return _tpu(kind, shape)
    if kind == "h100":
        return _h100(shape)
    if kind == "cpu" and math.prod(shape) > MOST_CPUS:
        raise TopologyError(f"{name}: at most {MOST_CPUS} CPU devices can be made on one machine")
    if kind == "cpu":
        return Target("cpu", f"cpu:{match[2]}", "CPU", shape)
    known = [*_TPUS, "h100", "cpu"]
    near = difflib.get_close_matches(kind, known, 2, 0.5)
    raise TopologyError(
        f"{name}: no machine {kind!r} is known; "
        + (f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(known)}")
    )


def _tpu(kind: str, shape: tuple[int, ...]) -> Target:
    generation, text = _TPUS[kind], "x".join(map(str, shape))
    if len(shape) != generation.axes or max(shape) > generation.longest:
        raise TopologyError(f"{kind}:{text}: there is no such slice: {kind} come as {generation.made}")
    description: dict[str, Any] = {"platform": "tpu", "topology_name": f"{kind}:{text}"}
    if math.prod(shape) == 1:
        description["chips_per_host_bounds"] = [1, 1, 1]
    return Target(
        name="tpu",
        topology=f"{kind}:{text}",
        title=f"TPU {kind}",
        shape=shape,
        memory=generation.memory * 2**30,
        packages=("libtpu",),
        install=f"'jax[tpu]=={jax.__version__}'",
        description=description,
        environment=_TPU_ENVIRONMENT,
    )


def _h100(shape: tuple[int, ...]) -> Target:
    text = "x".join(map(str, shape))
    partitions, hosts, gpus = (*(1,) * (3 - len(shape)), *shape)[:3]
    if len(shape) > 3 or partitions != 1 or gpus > 8:
        raise TopologyError(
            f"h100:{text}: expected GPUs, hosts x GPUs or 1 x hosts x GPUs, of which a host has 8: h100:2x8"
        )
    version = jax.__version__
    return Target(
        name="h100",
        topology=f"h100:{hosts}x{gpus}",
        title="H100",
        shape=(hosts, gpus),
        memory=84_942_979_072,  # as in h100.txtpb
        packages=("jax_cuda13_plugin", "jax_cuda12_plugin"),
        install=f"jax-cuda13-plugin=={version} jax-cuda13-pjrt=={version} nvidia-cuda-nvcc",
        description={
            "platform": "cuda",
            "topology_name": "h100",
            "topology": f"1x{hosts}x{gpus}",  # partitions, hosts, GPUs per host
            "target_config": (Path(__file__).parent / "h100.txtpb").read_text(),
        },
    )
