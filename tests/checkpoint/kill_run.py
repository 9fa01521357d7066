"""A run that saves without pause, to be killed: each line on stdin starts one, in a process of its own.

python kill_run.py file|orbax FOLDER
"""

import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

import gradchain as gc
from gradchain.checkpoint.sums import checksums

TX = gc.trace(0.9)
SHAPES = {"a": (256, 1024), "b": (512, 512), "c": (7,)}


def state_of(step, tx=TX):
    """The state of a step: every number says which one it is."""
    return {"trace": jax.tree.map(lambda x: x + step, tx.init(params_of(0))["trace"])}


def params_of(step):
    return {name: jnp.full(shape, float(step)) for name, shape in SHAPES.items()}


def newest(kind, folder):
    """What a resumed run begins with: None in an empty folder."""
    params = jax.eval_shape(lambda: params_of(0))
    if kind == "file":
        return gc.load(folder / "run", TX, params, strict=True) if (folder / "run").exists() else None
    checkpointer = gc.Checkpointer(folder / "runs", keep=2)
    return checkpointer.restore(TX, params, strict=True) if checkpointer.steps() else None


def save_for_ever(kind, folder):
    found = newest(kind, folder)
    step = 0 if found is None else found.step
    checkpointer = gc.Checkpointer(folder / "runs", keep=2) if kind == "orbax" else None
    if checkpointer is not None:
        checksums(params_of(step))  # compiled before the clock runs
    jax.block_until_ready(state_of(step))
    print(f"from {step}", flush=True)
    while True:
        step += 1
        print(f"saving {step}", flush=True)
        state, params = state_of(step), params_of(step)
        if checkpointer is None:
            gc.save(folder / "run", TX, state, params, step=step)
        else:
            checkpointer.save(step, TX, state, params)


def main(kind, folder):
    for _ in sys.stdin:  # forked before JAX has any device, which is what takes time
        if not (child := os.fork()):
            print(f"pid {os.getpid()}", flush=True)
            save_for_ever(kind, Path(folder))
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
