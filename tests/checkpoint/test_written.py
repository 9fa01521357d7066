"""What earlier versions wrote is read unchanged: checkpoints, configs and the paths of state (written/)."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file
from written import generate

import gradchain as gc


@pytest.mark.parametrize("name", generate.OPTIMIZERS)
def test_a_checkpoint_of_an_earlier_version_is_read_bit_for_bit(name):
    config = json.loads((generate.HERE / f"{name}.json").read_text())
    tx = generate.OPTIMIZERS[name]()
    assert gc.from_config(config) == tx and gc.to_config(tx) == config
    file = generate.HERE / f"{name}.safetensors"
    restored = gc.load(file, tx, jax.tree.map(jnp.zeros_like, generate.tree(0)))
    assert not restored.report.initialised and not restored.report.dropped
    found, written = {"params": restored.params, "state": restored.state}, load_file(file)
    leaves = jax.tree_util.tree_flatten_with_path(found)[0]
    assert len(leaves) == len(written)
    for path, x in leaves:
        y = written[jax.tree_util.keystr(path, simple=True, separator="/")]
        assert x.dtype == y.dtype and np.asarray(x).tobytes() == y.tobytes(), path


def test_configs_and_state_paths_are_those_of_the_earlier_version():
    written = json.loads((generate.HERE / "registry.json").read_text())
    found = generate.registry()
    assert {name: found.get(name) for name in written} == written
