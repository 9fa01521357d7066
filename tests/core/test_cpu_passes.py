"""What XLA makes of AdamW on a CPU: three loops over the parameters, for any order of the operations."""

import re

import jax
import jax.numpy as jnp
import optax
import pytest

import gradchain as gc

SHAPE = (512, 256)


def ours(params, state, grads):
    return gc.adamw(1e-3).step(grads, state, params)


def theirs(params, state, grads):
    updates, state = optax.adamw(1e-3).update(grads, state, params)
    return optax.apply_updates(params, updates), state


@pytest.mark.parametrize(("step", "init"), [(ours, gc.adamw(1e-3).init), (theirs, optax.adamw(1e-3).init)])
def test_adamw_is_three_passes_over_forty_bytes(step, init):
    """One for each array written: m from (m, g), v from (v, g), p from (p, m, v): 12 + 12 + 16 bytes."""
    params = jnp.ones(SHAPE)
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(params, init(params), params).compile().as_text()
    array = f"f32[{SHAPE[0]},{SHAPE[1]}]"
    entry = compiled[compiled.index("\nENTRY") :]
    arrays = {m.group(1) for m in re.finditer(r"%(\S+) = " + re.escape(array), entry)}
    passes = [
        (
            1
            + sum(
                name in arrays for name in re.findall(r"%([\w.\-]+)", line.split("fusion(")[1].split(")")[0])
            )
        )
        for line in entry.splitlines()
        if array in line.split(" fusion(")[0] and " fusion(" in line
    ]
    assert sorted(passes) == [3, 3, 4]
    assert 4 * sum(passes) == 40
    assert not re.search(re.escape(array) + r"\S* copy\(", entry)
