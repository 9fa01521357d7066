"""A warning is an error in tests, wherever it says that it comes from, and the error names the place."""

import subprocess
import sys
import traceback
import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import gradchain as gc


def deprecated(stacklevel: int):
    warnings.warn("jax has given up old", DeprecationWarning, stacklevel=stacklevel)


@pytest.mark.parametrize("stacklevel", [1, 2, 3, 1000])
def test_in_a_test(stacklevel):
    with pytest.raises(DeprecationWarning, match="jax has given up old") as found:
        jax.jit(lambda x: x if deprecated(stacklevel) else -x)(1.0)
    assert "in deprecated" in "".join(traceback.format_exception(found.value))


PROGRAM = """
import warnings
def old():
    warnings.warn("is old", DeprecationWarning, stacklevel=%d)
old()
"""


@pytest.mark.parametrize("stacklevel", [1, 1000])
def test_in_a_program_that_a_test_starts(stacklevel):
    command = [sys.executable, "-c", PROGRAM % stacklevel]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "line 4, in old" in done.stderr and "DeprecationWarning: is old" in done.stderr


def test_where_the_library_goes_on_after_an_error():
    """State of another library is traced over explicit axes first; what that cannot do is no error."""

    def init(params):
        if jax.sharding.get_abstract_mesh().axis_names:
            deprecated(1)
        return params

    tx = gc.chain(SimpleNamespace(init=init, update=lambda g, s, p=None: (g, s)))
    x = jax.device_put(jnp.ones(8), NamedSharding(gc.make_mesh(), PartitionSpec("data")))
    with pytest.raises(DeprecationWarning, match="jax has given up old"):
        tx.slots({"w": x})
