"""Optimizers made ready to take steps on the device, each with what it costs to make and to keep."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.aot.measure import floor, step_of
from benchmarks.aot.optimizers import Make, optax_rows, registered
from benchmarks.torch_adamw import TorchAdamW

TORCH = {"adamw": False, "clip+adamw": True}  # name -> whether it clips


class JaxStep:
    """The compiled step of a transformation; parameters and state, in this order, are donated."""

    def __init__(self, make: Make, tree: Any, grads: Any):
        tx, self.grads = make(), grads
        self.params = filled(tree)
        self.state = jax.jit(tx.init)(self.params)
        start = time.perf_counter()
        step = jax.jit(step_of(tx), donate_argnums=(0, 1))
        self.compiled = step.lower(self.params, self.state, self.grads).compile()
        self.compile_seconds = time.perf_counter() - start
        self.floor = floor(self.params, self.state)  # bytes for each parameter
        used = self.compiled.memory_analysis()
        self.program = math.nan  # GB of arguments, results and scratch memory
        if used is not None:
            kept = used.argument_size_in_bytes + used.output_size_in_bytes - used.alias_size_in_bytes
            self.program = (kept + used.temp_size_in_bytes) / 1e9
        self.version = jax.__version__

    def step(self, count: int) -> float:
        """Seconds of one of so many steps, without waiting in between."""
        start = time.perf_counter()
        for _ in range(count):
            self.params, self.state = self.compiled(self.params, self.state, self.grads)
        jax.block_until_ready((self.params, self.state))
        return (time.perf_counter() - start) / count


class TorchStep(TorchAdamW):
    """torch.optim.AdamW(fused=True) on the card."""

    floor, compile_seconds, program = 28.0, math.nan, math.nan

    def __init__(self, tree: Any, clip: bool):
        shapes = [x.shape for x in jax.tree.leaves(tree)]
        super().__init__(shapes, clip, os.cpu_count() or 1, device="cuda")


@jax.jit
def _numbers(like: jax.Array) -> jax.Array:
    index = jax.lax.iota(jnp.int32, like.size).reshape(like.shape)
    return ((index % 997 - 498) * 4e-5).astype(like.dtype)


def filled(tree: Any) -> Any:
    """Arrays of given shapes on the device, with numbers that are neither all equal nor zero."""
    return jax.tree.map(lambda x: _numbers(jnp.zeros(x.shape, x.dtype)), tree)


def contestants(name: str, tree: Any, grads: Any, torch: bool) -> dict[str, Callable[[], Any]]:
    """What makes each library's step of an optimizer ready."""
    libraries = {"gradchain": registered(), "optax": optax_rows()}
    found: dict[str, Callable[[], Any]] = {
        library: lambda make=makes[name]: JaxStep(make, tree, grads)
        for library, makes in libraries.items()
        if name in makes
    }
    if torch and name in TORCH:
        found["torch"] = lambda: TorchStep(tree, TORCH[name])
    return found
