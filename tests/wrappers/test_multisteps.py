"""MultiSteps, apply_every, apply_if_finite and lookahead in pairs: Optax's numbers, in float64."""

import copy
import functools
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optax_steps import GRADS, NAN, PARAMS, alike, close, steps

import gradchain as gc

optax = pytest.importorskip("optax")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# MultiSteps ------------------------------------------------------------------------------------------------

LARGE = {lib: functools.partial(lib.skip_large_updates, max_squared_norm=10.0) for lib in (gc, optax)}
MULTI = {
    "mean": lambda lib: (lib.adam(0.1), 3),
    "sum": lambda lib: (lib.adam(0.1), 3, False),
    "schedule": lambda lib: (lib.sgd(0.1), lambda n: 1 + n // 2),
    "not finite": lambda lib: (lib.adam(0.1), 3, True, lib.skip_not_finite),
    "large": lambda lib: (lib.adam(0.1), 3, False, LARGE[lib]),
}


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("name", MULTI)
def test_multi_steps(name, running):
    grads = [*GRADS[:4], NAN, *GRADS[4:]] if name == "not finite" else GRADS
    ours, theirs = (MULTI[name](lib) for lib in (gc, optax))
    running &= len(ours) < 3 or ours[2]
    ours = gc.MultiSteps(*ours, accumulator_dtype=jnp.float64, running_mean=running)
    theirs = optax.MultiSteps(*theirs, accumulator_dtype=jnp.float64)
    found, expected = (steps(tx, grads) for tx in (ours, theirs))
    for (params, state), (there, other) in zip(found, expected, strict=True):
        close(params, there)
        entry = state["accumulate"]
        assert entry.mini_step == other.mini_step and entry.gradient_step == other.gradient_step
        assert bool(ours.has_updated(state)) == bool(theirs.has_updated(other))
        close(getattr(entry, "skip_state", ()), other.skip_state)
        if (running or name in ("sum", "large")) and entry.mini_step:
            close(entry.acc_grads, other.acc_grads)
    assert ours.gradient_transformation() == ours and ours.inner_opt == MULTI[name](gc)[0]
    if name == "not finite":
        assert found[-1][1]["accumulate"].skipped == 1


def test_multi_steps_is_a_value_with_methods():
    tx = gc.MultiSteps(gc.adam(0.1), 2, should_skip_update_fn=gc.skip_not_finite)
    for again in (pickle.loads(pickle.dumps(tx)), copy.deepcopy(tx), eval(repr(tx), vars(gc)), tx.replace()):
        assert again == tx and type(again) is type(tx) and hash(again) == hash(tx)
        assert not again.has_updated(again.init(PARAMS))
    assert type(gc.accumulate(gc.adam(0.1), 2)) is type(tx) and type(gc.adam(0.1)) is gc.Transform
    assert isinstance(tx, gc.Transform)
    nested = gc.chain(gc.clip(1.0), tx)
    assert type(nested) is gc.Transform and "accumulate" in nested.init(PARAMS)


def test_large_microbatches_are_left_out_and_others_take_their_place():
    """A NaN is large as well, which Optax's comparison lets through."""
    huge = jax.tree.map(lambda x: 1e3 * x, GRADS[0])
    tx = gc.MultiSteps(gc.sgd(0.1), 2, True, functools.partial(gc.skip_large_updates, max_squared_norm=1e3))
    (_, first), (params, state), *_ = steps(tx, [huge, GRADS[0]])
    assert first["accumulate"].skip_state["should_skip"] and first["accumulate"].mini_step == 0
    close(params, PARAMS)
    params, state = steps(tx, [huge, GRADS[0], NAN, GRADS[1]])[-1]
    close(params, jax.tree.map(lambda p, a, b: p - 0.05 * (a + b), PARAMS, *GRADS[:2]))
    assert state["accumulate"].skipped == 2 and tx.has_updated(state)


def test_the_accumulators_dtype():
    tx = gc.MultiSteps(gc.sgd(0.1), 2, accumulator_dtype="bfloat16")
    assert tx.init(PARAMS)["accumulate"].acc_grads["dec"].dtype == jnp.bfloat16
    assert gc.accumulate(gc.sgd(0.1)).init(PARAMS)["accumulate"].acc_grads["dec"].dtype == jnp.float64


@pytest.mark.parametrize("k", [1, 3])
def test_apply_every(k):
    ours, theirs = alike(gc.chain(gc.apply_every(k), gc.scale(-0.1)),
                         optax.chain(optax.apply_every(k), optax.scale(-0.1)))  # fmt: skip
    assert ours["accumulate"].mini_step == theirs[0].count
    close(ours["accumulate"].acc_grads, theirs[0].grad_acc)


# apply_if_finite -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1, 3])
def test_apply_if_finite_gives_up_after_so_many(most):
    grads = [GRADS[0], NAN, GRADS[1], *[NAN] * 5, GRADS[2]]
    ours = steps(gc.apply_if_finite(gc.sgd(0.1), most), grads)
    theirs = steps(optax.apply_if_finite(optax.sgd(0.1), most), grads)
    for (params, state), (expected, other) in zip(ours, theirs, strict=True):
        close(params, expected)
        entry = state["skip"]
        assert entry.skipped == other.total_notfinite and entry.consecutive == other.notfinite_count
        assert bool(entry.last_skipped) != bool(other.last_finite)
    assert not np.isfinite(ours[-1][0]["dec"]).any()
    kept = steps(gc.skip(gc.sgd(0.1)), grads)[-1][0]
    close(kept, steps(gc.sgd(0.1), GRADS[:3])[-1][0])


# lookahead -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("period", [1, 3])
def test_lookahead_in_pairs(period, reset):
    seen = []
    for lib, more in ((gc, {"pairs": True}), (optax, {})):
        tx = lib.lookahead(lib.adam(0.1), period, 0.4, reset, **more)
        params = lib.LookaheadParams.init_synced(jax.tree.map(jnp.asarray, PARAMS))
        state, update, rows = tx.init(params), jax.jit(tx.update), []
        for i in range(20):
            grads = jax.tree.map(lambda p, i=i: jnp.sin(3 * p + i) + p, params.fast)
            updates, state = update(grads, state, params)
            params = optax.apply_updates(params, updates)
            assert type(params).__name__ == "LookaheadParams"
            entry = state["lookahead_pairs"] if lib is gc else state
            rows.append((params.fast, params.slow, entry.steps_since_sync))
        assert update._cache_size() == 1
        seen.append(rows)
    close(*seen)


def test_pairs_are_the_other_lookahead():
    pairs = gc.lookahead(gc.adam(0.1), 3, 0.4, pairs=True)
    plain = gc.lookahead(gc.adam(0.1), 3, 0.4)
    both = gc.LookaheadParams.init_synced(jax.tree.map(jnp.asarray, PARAMS))
    state, other, params = pairs.init(both), plain.init(both.fast), both.fast
    in_pairs, plainly = jax.jit(pairs.step), jax.jit(plain.step)
    for g in GRADS[:7]:
        both, state = in_pairs(g, state, both)
        params, other = plainly(g, other, params)
        close(both.fast, params)
        close(both.slow, other["lookahead_sync"].slow)
    assert eval(repr(pairs), vars(gc)) == pairs == pickle.loads(pickle.dumps(pairs)) != plain
    assert type(eval(repr(pairs), vars(gc))) is type(pairs)
    assert {x.size for x in jax.tree.leaves(state["lookahead_pairs"])} == {1}
    with pytest.raises(TypeError, match="expected LookaheadParams"):
        pairs.init(PARAMS)
    tuned = gc.lookahead(gc.sgd(gc.tunable(0.1)), gc.tunable(2), 0.4, pairs=True)
    state = gc.set_hyperparams(tuned, tuned.init(both), sync_period=5)
    assert gc.hyperparams(tuned, state)["lookahead_pairs/sync_period"] == 5


def test_states_pickled_under_the_old_name_are_read():
    assert sys.modules["gradchain.wrappers.average"].LookaheadState is gc.LookaheadSyncState
    state = gc.lookahead(gc.sgd(0.1), 2, gc.tunable(0.5)).init(PARAMS)
    data = pickle.dumps(state, 0).replace(b"gradchain.wrappers.lookahead", b"gradchain.wrappers.average")
    again = pickle.loads(data.replace(b"LookaheadSyncState", b"LookaheadState"))
    assert jax.tree.structure(again) == jax.tree.structure(state)
