"""Runs of two arrays that no model has, saved and restored by the example's own functions."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from lm.checkpoint import RunFolder

import gradchain as gc

TX = gc.adam(1e-3)
CONFIG = {"flags": {"steps": 9}, "model": {}, "optimizer": {"adam": {}}, "text": {}, "order": {"seed": 0}}


def state_at(step: int):
    """Parameters and state that tell the step."""
    params = {"a": jnp.arange(4.0) + step, "b": jnp.full((2, 3), float(step))}
    return params, jax.tree.map(lambda x: x + step, TX.init(params))


def train_to(folder: RunFolder, start: int, *steps: int) -> None:
    """Record steps and save some of them."""
    for step in range(start + 1, steps[-1] + 1):
        folder.record({"step": step, "loss": 1.0 / step, "seconds": float(step)})
        if step in steps:
            params, state = state_at(step)
            folder.save(step, TX, state, params)


def resume(path: Path):
    """The step, the arrays and the metrics that a run goes on with."""
    folder = RunFolder(path)
    folder.read_config()
    found = folder.restore(TX, jax.eval_shape(lambda: state_at(0)[0]))
    return found, folder


def check_whole(path: Path, least: int) -> int:
    """A run can be resumed from `least` or later, with just the arrays of that step and all metrics."""
    found, folder = resume(path)
    assert found.step >= least
    expected = jax.tree.leaves(state_at(found.step))
    for x, y in zip(jax.tree.leaves((found.params, found.state)), expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert [row["step"] for row in folder.rows] == list(range(1, found.step + 1))
    return found.step
