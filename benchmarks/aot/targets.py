"""The machines that are compiled for, one chip of a TPU v5e 2x4 slice and one H100; neither need be there."""

from __future__ import annotations

import functools
import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

PyTree = Any


class MissingCompiler(RuntimeError):
    """A compiler that is not installed here."""


class Compiled(NamedTuple):
    text: str  # the optimized program
    temp: int  # bytes of scratch memory
    lower_seconds: float
    compile_seconds: float


@dataclass(frozen=True, eq=False)
class Target:
    """A compiler: the packages it lives in, what make target installs them, how to describe its machine."""

    name: str
    title: str
    packages: tuple[str, ...]  # importable, any one is enough
    install: str
    topology: Mapping[str, Any]  # keyword arguments of topologies.get_topology_desc
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        """Why this target cannot be compiled for here, or None."""
        if any(importlib.util.find_spec(package) for package in self.packages):
            return None
        return (
            f"the compiler for {self.title} is not installed in this environment (no {self.packages[0]}): "
            f"`make {self.install}` makes one that has it, and `make test-aot` and `make bench-aot` use it"
        )

    @functools.cached_property
    def devices(self) -> Sequence[Any]:
        """The described devices; nothing can be run on them."""
        if reason := self.missing():
            raise MissingCompiler(reason)
        for name, value in self.environment.items():  # read when the plugin is loaded, which is now
            os.environ.setdefault(name, value)
        jax.config.update("jax_platforms", "cpu")  # never look for the hardware itself
        return topologies.get_topology_desc(**self.topology).devices

    def compile(self, f: Callable, *args: PyTree, donate: tuple[int, ...] = ()) -> Compiled:
        """Compile f for one device from abstract arguments.

        JAX pairs donated inputs with results of the same shape in order: give them in the order in which f
        returns them. Moments before parameters in, parameters before moments out costs a copy of each.
        """
        sharding = SingleDeviceSharding(self.devices[0])
        placed = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), args)
        start = time.perf_counter()
        lowered = jax.jit(f, donate_argnums=donate).lower(*placed)
        between = time.perf_counter()
        try:
            compiled = lowered.compile()
        except jax.errors.JaxRuntimeError as error:
            if "ptxas" not in str(error):
                raise
            raise MissingCompiler(
                f"{self.title}: XLA needs CUDA's assembler, and found no ptxas: put one on the PATH, or "
                f"install nvidia-cuda-nvcc beside the plugin, as `make {self.install}` does"
            ) from error
        end = time.perf_counter()
        temp = compiled.memory_analysis().temp_size_in_bytes
        return Compiled(compiled.as_text(), temp, between - start, end - between)


TPU = Target(
    name="tpu",
    title="TPU v5e",
    packages=("libtpu",),
    install=".envs/tpu/.installed",
    topology={"platform": "tpu", "topology_name": "v5e:2x4"},
    environment={
        "TPU_SKIP_MDS_QUERY": "1",  # no metadata server outside Google's cloud
        "TPU_ACCELERATOR_TYPE": "v5litepod-8",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_WORKER_ID": "0",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # otherwise two processes meet at one lock file
    },
)
H100 = Target(
    name="h100",
    title="H100",
    packages=("jax_cuda13_plugin", "jax_cuda12_plugin"),
    install=".envs/h100/.installed",
    topology={
        "platform": "cuda",
        "topology_name": "h100",
        "topology": "1x1x1",  # partitions, hosts, GPUs per host
        "target_config": (Path(__file__).parent / "h100.txtpb").read_text(),
    },
)
TARGETS = {target.name: target for target in (TPU, H100)}
