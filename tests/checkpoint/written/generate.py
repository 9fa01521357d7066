"""Write what later versions must still read: a checkpoint of each of some optimizers, and every registered
transform's config and state paths. Run at the version whose files are to be kept: python generate.py.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc

HERE = Path(__file__).resolve().parent
SHAPES = {"encoder": {"kernel": (16, 8), "bias": (8,)}, "head": {"kernel": (8, 64)}}


def tree(seed: int):
    """Normal numbers of the shapes above."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s: jnp.asarray(rng.standard_normal(s), jnp.float32),
        SHAPES,
        is_leaf=lambda s: isinstance(s, tuple),
    )


OPTIMIZERS = {
    "adamw": lambda: gc.chain(
        gc.clip_by_global_norm(1.0), gc.adamw(gc.cosine_decay_schedule(0.01, 10), mask="**/kernel")
    ),
    "log8": lambda: gc.chain(gc.stored(gc.adamw(gc.tunable(0.01)), "log8")),
    "groups": lambda: gc.partition(
        {"matrices": gc.muon(0.02), "rest": gc.adafactor(0.01)}, {"**/kernel": "matrices", "**": "rest"}
    ),
    "wrapped": lambda: gc.skip(gc.accumulate(gc.average(gc.lamb(0.01)), 2)),
}


def trained(tx: gc.Transform):
    """Parameters and state after three steps."""
    params = tree(0)
    state = tx.init(params)
    for seed in range(1, 4):
        params, state = tx.step(tree(seed), state, params)
    return params, state


def registry() -> dict:
    """Config and state paths, with shapes and dtypes, of every registered transform's example."""
    from gradchain.core.transform import example

    found = {}
    for name in sorted(gc.REGISTRY):
        tx = example(name)
        slots = jax.tree_util.tree_flatten_with_path(jax.eval_shape(tx.init, tree(0)))[0]
        paths = {
            jax.tree_util.keystr(p, simple=True, separator="/"): f"{x.dtype}{list(x.shape)}" for p, x in slots
        }
        found[name] = {"config": config_of(tx), "state": paths}
    return found


def config_of(tx: gc.Transform):
    """The config of a transform, None of one that is made with a function."""
    try:
        return gc.to_config(tx)
    except gc.ConfigError:
        return None


if __name__ == "__main__":
    for name, make in OPTIMIZERS.items():
        tx = make()
        params, state = trained(tx)
        gc.save(HERE / f"{name}.safetensors", tx, state, params)
        (HERE / f"{name}.json").write_text(json.dumps(gc.to_config(tx), indent=1) + "\n")
    (HERE / "registry.json").write_text(json.dumps(registry(), indent=1) + "\n")
