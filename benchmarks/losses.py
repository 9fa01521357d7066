"""A small problem trained on a card and on the CPU: the losses must agree."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.aot.measure import step_of
from benchmarks.aot.optimizers import registered

STEPS = 30
# Of the loss at each step, with products of float32 in full precision. On the CPU alone, losses of parameters
# that differ in their last bits come 3e-7 apart, with state in bfloat16 1e-6, in log8 1e-5.
AGREE = 1e-4


def problem() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Parameters of two layers, inputs and targets; the same everywhere."""
    chance = np.random.default_rng(0)
    normal = lambda *shape: chance.standard_normal(shape).astype(np.float32)  # noqa: E731
    params = {"one": normal(64, 96) / 8, "bias": normal(96) / 8, "two": normal(96, 64) / 10}
    return params, normal(32, 64), normal(32, 64)


@functools.cache
def trajectory(name: str, device: Any) -> np.ndarray:
    """The losses of STEPS steps of an optimizer on a device."""
    tx = registered()[name]()
    with jax.default_device(device), jax.default_matmul_precision("highest"):
        params, inputs, targets = jax.device_put(problem(), device)

        def loss_of(params):
            hidden = jnp.tanh(inputs @ params["one"] + params["bias"])
            return jnp.mean((hidden @ params["two"] - targets) ** 2)

        def step(carry, _):
            loss, grads = jax.value_and_grad(loss_of)(carry[0])
            return step_of(tx)(*carry, grads), loss

        run = jax.jit(lambda params: jax.lax.scan(step, (params, tx.init(params)), length=STEPS)[1])
        return np.asarray(run(params), np.float64)


def difference(one: np.ndarray, two: np.ndarray) -> float:
    """The largest relative difference of two trajectories; infinite where one is not finite."""
    apart = np.abs(one - two) / np.abs(two)
    return float(apart.max()) if np.isfinite(apart).all() else float("inf")


def apart(name: str, device: Any = None) -> float:
    """How far the losses of an optimizer on a device, by default the first, are from the CPU's.

    NaN where JAX has no CPU.
    """
    try:
        cpu = jax.devices("cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS leaves it out
        return float("nan")
    device = jax.devices()[0] if device is None else device
    return difference(trajectory(name, device), trajectory(name, cpu))
