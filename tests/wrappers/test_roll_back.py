"""roll_back: spikes are left out; where they last the snapshot comes back, with the state of its step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import BAD, GRADS, PARAMS, inner, near, run, same

import gradchain as gc


def test_without_spikes_it_is_the_base():
    for by, extra in (("norm", {}), ("value", {"value": jnp.ones(8)})):
        found = run(gc.roll_back(gc.adamw(0.1), every=3, by=by, window=4, threshold=50.0), GRADS, **extra)
        near(found[-1][0], run(gc.adamw(0.1), GRADS)[-1][0], rtol=1e-6)
        assert found[-1][1]["roll_back"].skipped == 0


def test_after_patience_the_snapshot_is_back():
    tx = gc.roll_back(gc.adam(0.1), every=2, patience=2)
    seen = run(tx, [*GRADS[:4], BAD, BAD, GRADS[4]])
    base = run(gc.adam(0.1), GRADS[:4])
    same((seen[4][0], inner(seen[4][1], "roll_back")), (seen[3][0], inner(seen[3][1], "roll_back")))
    # Snapshots are of the states before steps 3 and 5, and no fifth was let through.
    near(seen[5][0], base[1][0], rtol=1e-6)
    near(inner(seen[5][1], "roll_back"), base[1][1], rtol=1e-6)
    own = seen[5][1]["roll_back"]
    assert own.rolled_back == 1 and own.skipped == 2 and own.consecutive == own.taken == own.since == 0
    near(seen[6][0], run(gc.adam(0.1), [*GRADS[:2], GRADS[4]])[-1][0], rtol=1e-6)
    shown = gc.metrics(seen[6][1])
    assert shown["rolled_back"] == 1 and shown["skipped"] == 2 and shown["step"] == 3


def test_a_lasting_rise_of_the_loss_is_a_spike():
    losses = jnp.array([1.0, 1.1, 1.0, 1.1, 5.0, 5.0, 5.0, 5.0])
    tx = gc.roll_back(gc.sgd(0.1), every=2, patience=3, threshold=4.0, window=4, by="value")
    seen = run(tx, GRADS, value=losses)
    assert [int(s["roll_back"].skipped) for _, s in seen] == [0, 0, 0, 0, 1, 2, 3, 3]
    assert seen[-1][1]["roll_back"].rolled_back == 1  # and the new level is in the history


@pytest.mark.slow
def test_update_goes_back_as_step_does():
    tx = gc.roll_back(gc.adam(0.1), every=1, patience=1)
    (_, _), (held, _), (expected, state) = run(tx, [*GRADS[:2], BAD])
    p, s = PARAMS, tx.init(PARAMS)
    for g in (*GRADS[:2], BAD):
        u, s = jax.jit(tx.update)(g, s, p)
        p = gc.apply_updates(p, u)
    near((p, s), (expected, state), rtol=1e-6)
    assert np.any(np.asarray(p["bias"]) != np.asarray(held["bias"]))


def test_the_snapshot_in_fewer_bits():
    base = gc.roll_back(gc.adam(0.1), every=1, patience=1)
    tx = gc.stored(base, {"roll_back/params": "bfloat16"}, min_size=0)
    params, state = run(tx, [*GRADS[:2], BAD])[-1]
    assert state["roll_back"].params["kernel"].dtype == jnp.bfloat16
    near(params, run(gc.adam(0.1), GRADS[:1])[-1][0], rtol=1e-2)
    codes = gc.stored(base, "log8", min_size=0)
    _, state = run(codes, [*GRADS[:2], BAD])[-1]
    assert state["roll_back"].state["scale_by_adam/mu/kernel"].dtype == jnp.int8
    same(state["roll_back"].state["scale_by_adam/mu/kernel"], state["scale_by_adam"].mu["kernel"])


def test_the_snapshot_in_the_host_s_memory():
    tx = gc.offload(gc.roll_back(gc.adam(0.1), every=1, patience=1), "roll_back/**", min_size=0)
    state = tx.init(PARAMS)
    assert state["roll_back"].params["kernel"].sharding.memory_kind == "pinned_host"
    step, params = jax.jit(tx.step), PARAMS
    for g in (*GRADS[:2], BAD):
        params, state = step(g, state, params)
    near(params, run(gc.adam(0.1), GRADS[:1])[-1][0], rtol=1e-6)
    assert state["roll_back"].state["scale_by_adam/mu/kernel"].sharding.memory_kind == "pinned_host"
