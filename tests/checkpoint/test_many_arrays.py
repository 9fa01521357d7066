"""Checksums of more arrays than XLA's CPU client runs programs at once."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from gradchain import make_mesh
from gradchain.checkpoint.sums import checksums

at = NamedSharding(make_mesh(), PartitionSpec("data"))
arrays = {str(i): jax.device_put(np.full((512, 128), i, np.float32), at) for i in range(64)}
found = [checksums(arrays) for _ in range(5)]
assert len(set(found[0].values())) == 64 and all(sums == found[0] for sums in found)
print("done")
"""


def test_checksums_of_many_divided_arrays_do_not_hang():
    """With 64 programs under way on eight CPU devices the client stops, and aborts the process."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | flags, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "done\n", done.stderr
