"""One of two processes with two devices each that save, restore and pass over a damaged checkpoint together.

python two_processes.py PROCESS PORT FOLDER
"""

import sys
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc

VALUES = {
    "kernel": np.arange(64 * 32, dtype=np.float32).reshape(64, 32) / 100,
    "bias": np.arange(32, dtype=np.float32),
}
TX = gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-2))


def placed(mesh):
    def put(x):
        home = NamedSharding(mesh, PartitionSpec("data") if x.ndim == 2 else PartitionSpec())
        return jax.make_array_from_callback(x.shape, home, lambda index: x[index])

    return jax.tree.map(put, VALUES)


def same(found, expected):
    """This process's parts are alike."""
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert x.sharding.is_equivalent_to(y.sharding, x.ndim)
        for a, b in zip(x.addressable_shards, y.addressable_shards, strict=True):
            np.testing.assert_array_equal(a.data, b.data)


def refused(call, *words):
    try:
        call()
    except gc.CheckpointError as error:
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError(f"not refused: {words}")


def main(process, port, folder):
    jax.distributed.initialize(f"localhost:{port}", 2, int(process))
    folder = Path(folder)
    params = placed(jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,)))
    params, state = jax.jit(TX.step)(params, gc.init(TX, params), params)
    with gc.Checkpointer(folder / "runs") as checkpointer:
        for step in (1, 2, 3):
            checkpointer.save(step, TX, state, params, step)
        found = checkpointer.restore(TX, params, strict=True)
        same((found.params, found.state), (params, state))
        found = checkpointer.restore(gc.chain(gc.trace(0.9), TX), params)
        assert found.report.initialised == ("trace/trace/bias", "trace/trace/kernel")
        multihost_utils.sync_global_devices("before damage")
        if process == "0":  # of what the second process wrote and will read
            for file in (folder / "runs" / "3" / "arrays" / "ocdbt.process_1" / "d").iterdir():
                file.write_bytes(file.read_bytes()[:100])
        multihost_utils.sync_global_devices("after damage")
        found = checkpointer.restore(TX, params, strict=True)
        assert found.step == 2 and "passed over step 3" in found.report.remarks[0]
        same((found.params, found.state), (params, state))
        checkpointer.save(3, TX, state, params)
        assert checkpointer.steps() == [1, 2, 3]
        refused(lambda: checkpointer.save(4, TX, TX.init(VALUES)), "on the devices of one process")
    refused(lambda: gc.save(folder / "file", TX, state), "spread over 2 processes", "Checkpointer")
    gc.save(folder / "file", TX, state, params, gather_processes=True)
    found = gc.load(folder / "file", TX, params, strict=True)
    same((found.params, found.state), (params, state))
    print("both agree", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
