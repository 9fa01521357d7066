"""Wrappers under Optax's names: its numbers in float64, its states' quantities, and what is ours alone."""

import copy
import functools
import pickle
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")
RNG = np.random.default_rng(0)
SHAPES = {"enc": {"kernel": (3, 2), "bias": (2,)}, "dec": (2, 2)}


def draw(scale=1.0):
    return jax.tree.map(
        lambda s: np.asarray(scale * RNG.standard_normal(s)), SHAPES, is_leaf=lambda s: isinstance(s, tuple)
    )


PARAMS, GRADS = draw(), [draw() for _ in range(24)]
NAN = jax.tree.map(lambda x: x * np.nan, GRADS[0])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def steps(tx, grads=GRADS, **extra):
    """Parameters and state after each step, of one compilation."""
    params = jax.tree.map(jnp.asarray, PARAMS)
    state, seen = tx.init(params), []
    update = jax.jit(lambda g, s, p, extra: tx.update(g, s, p, **extra))
    for i, g in enumerate(grads):
        updates, state = update(g, state, params, {k: v[i] for k, v in extra.items()})
        params = optax.apply_updates(params, updates)
        seen.append((params, state))
    assert update._cache_size() == 1 or not isinstance(tx, gc.Transform)
    return seen


def close(x, y, rtol=1e-12):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13), x, y)


def alike(ours, theirs, grads=GRADS, **extra):
    """The same parameters after each step; the last states."""
    pairs = list(zip(steps(ours, grads, **extra), steps(theirs, grads, **extra), strict=True))
    for (params, _), (expected, _) in pairs:
        close(params, expected)
    return pairs[-1][0][1], pairs[-1][1][1]


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
    for g in GRADS[:7]:
        both, state = jax.jit(pairs.step)(g, state, both)
        params, other = jax.jit(plain.step)(g, other, params)
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


# Groups and masks ------------------------------------------------------------------------------------------

FAST, SLOW, WHERE = ("fast",), 7, {"enc": ("fast",), "dec": 7}
LABELS = {
    "prefix": {"enc": "x", "dec": "y"},
    "full": {"enc": {"kernel": "x", "bias": "y"}, "dec": "x"},
    "function": lambda p: jax.tree.map(lambda v: "x" if v.ndim > 1 else "y", p),
}


@pytest.mark.parametrize("name", LABELS)
def test_multi_transform(name):
    def make(lib):
        return lib.multi_transform({"x": lib.adam(0.1), "y": lib.sgd(0.1), "z": lib.adam(1.0)}, LABELS[name])

    state, _ = alike(make(gc), make(optax))
    assert set(state) == {"x", "y", "z"} and not state["z"]["scale_by_adam"].mu


@pytest.mark.parametrize("labels", [(0, 1), (True, False), (1, "1"), (1.5, "a b/c")], ids=str)
def test_labels_of_any_kind(labels):
    a, b = labels

    def make(lib, a, b):
        return lib.multi_transform({a: lib.adam(0.1), b: lib.sgd(0.1, 0.9)}, {"enc": a, "dec": b})

    state, _ = alike(make(gc, a, b), make(optax, "a", "b"))
    assert len(state) == 2 and set(state["1_" if labels == (1, "1") else str(b)]) >= {"trace"}


def test_a_leaf_whose_label_no_transformation_has():
    with pytest.raises(ValueError, match="the leaf 'dec' has the label 'z'"):
        gc.multi_transform({"x": gc.adam(0.1)}, {"enc": "x", "dec": "z"}).init(PARAMS)


def scale_by_other(lib):
    """u = g + other, an extra argument that is a tree."""

    def update(updates, state, params=None, *, other, **extra):
        return jax.tree.map(lambda g, o: g + o, updates, other), state

    return lib.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


@pytest.mark.parametrize("wrap", ["masked", "multi_transform"])
def test_extra_arguments_are_masked_too(wrap):
    def make(lib):
        tx = optax.chain(scale_by_other(optax), optax.scale(-0.1))
        if wrap == "masked":
            return lib.masked(tx, {"enc": True, "dec": False}, mask_compatible_extra_args=True)
        groups = {"x": tx, "y": optax.sgd(0.1)}
        return lib.multi_transform(groups, {"enc": "x", "dec": "y"}, mask_compatible_extra_args=True)

    alike(make(gc), make(optax), other=GRADS[::-1])


def test_other_extra_arguments_stay_as_they_are():
    seen = []

    def look(updates, state, params=None, **extra):
        seen.append(extra)
        return updates, state

    listener = optax.GradientTransformationExtraArgs(lambda p: optax.EmptyState(), look)
    tx = gc.chain(gc.masked(listener, "enc/**", mask_compatible_extra_args=True))
    tx.update(GRADS[0], tx.init(PARAMS), PARAMS, other=GRADS[1], value=3.0)
    (extra,) = seen
    assert set(extra["other"]) == {"enc/kernel", "enc/bias"} and extra["value"] == 3.0


def test_selective_transform():
    frozen = {"enc": {"kernel": True, "bias": False}, "dec": False}
    state, _ = alike(*(lib.selective_transform(lib.adam(0.1), freeze_mask=frozen) for lib in (gc, optax)))
    assert set(state["scale_by_adam"].mu) == {"enc/bias", "dec"}


# Conditions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conditionally_mask", "conditionally_transform"])
def test_conditional(name):
    def make(lib, forward):
        should = (lambda step, value, **extra: value > 0) if forward else (lambda step: step % 3 == 1)
        return lib.chain(getattr(lib, name)(lib.adam(0.1), should, forward), lib.scale(0.5))

    value = [float(i % 3) for i in range(len(GRADS))]
    for forward in (False, True):
        state, other = alike(make(gc, forward), make(optax, forward), value=value)
        assert state[name].step == other[0].step == len(GRADS)
        assert state["scale_by_adam"].count == other[0].inner_state[0].count


def test_conditional_steps_apply():
    tx = gc.conditionally_transform(gc.scale(0.0), lambda step: step == 1)
    params, state = PARAMS, tx.init(PARAMS)
    for g in GRADS[:2]:
        params, state = jax.jit(tx.step)(g, state, params)
    close(params, jax.tree.map(np.add, PARAMS, GRADS[0]))
    with pytest.raises(ValueError, match=r"should_transform_fn.*shape \[2\]"):
        gc.conditionally_transform(gc.scale(0.1), lambda step: jnp.ones(2)).update(GRADS[0], state)


# flatten, stateless, extra arguments -----------------------------------------------------------------------


def test_flatten():
    def make(lib):
        return lib.flatten(
            lib.chain(lib.clip_by_global_norm(1.0), lib.adam(0.1), lib.add_decayed_weights(0.1))
        )

    state, other = alike(make(gc), make(optax))
    close(state["scale_by_adam"].mu, other[1][0].mu)
    alike(gc.flatten(optax.adam(0.1)), optax.flatten(optax.adam(0.1)))
    alike(gc.chain(gc.masked(gc.flatten(gc.adam(0.1)), "enc/**"), gc.scale(0.1)),
          gc.chain(gc.masked(gc.adam(0.1), "enc/**"), gc.scale(0.1)))  # fmt: skip


def test_flatten_keeps_each_dtype():
    dtypes = {"a": jnp.bfloat16, "b": jnp.float32, "c": jnp.complex64}
    params = {k: jnp.ones(size, dtypes[k]) for k, size in {"a": 2, "b": (1, 2), "c": 1}.items()}
    tx = gc.flatten(gc.sgd(0.5, momentum=0.5))
    params, state = tx.step(params, tx.init(params), params)
    assert [x.dtype for x in jax.tree.leaves(params)] == [*dtypes.values()]
    close(jax.tree.map(lambda x: x.astype(jnp.float32), params["a"]), np.full(2, 0.5))
    assert state["trace"].trace.shape == (5,)


def test_stateless():
    def both(updates, params):
        return jax.tree.map(lambda g, p: -0.1 * g * p, updates, params)

    alike(gc.stateless(both), optax.stateless(both))
    per_leaf = lambda g, p: -0.1 * g if p is None else -0.1 * g * p  # noqa: E731
    alike(gc.stateless_with_tree_map(per_leaf), optax.stateless_with_tree_map(per_leaf))
    tx = gc.stateless_with_tree_map(per_leaf)
    close(tx.update(GRADS[0], tx.init(PARAMS))[0], jax.tree.map(lambda g: -0.1 * g, GRADS[0]))
    assert not gc.stateless(both).init(PARAMS)


def test_with_extra_args_support():
    tx = gc.with_extra_args_support(optax.sgd(0.1))
    close(
        tx.update(GRADS[0], tx.init(PARAMS), PARAMS, value=1.0)[0], jax.tree.map(lambda g: -0.1 * g, GRADS[0])
    )
    ours = gc.adam(0.1)
    assert gc.with_extra_args_support(ours) is ours
    with pytest.raises(TypeError, match="with_extra_args_support: 3 is not a gradient transformation"):
        gc.with_extra_args_support(3)


# Measures --------------------------------------------------------------------------------------------------


def largest(updates):
    return jnp.max(jnp.stack([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(updates)]))


def test_monitor():
    def make(lib, debias=True):
        norm = optax.tree.norm
        average = lib.measure_with_ema(norm, 0.9, debias)
        return lib.chain(lib.monitor({"norm": norm, "average": average, "max": largest}), lib.scale(-0.1))

    for debias in (True, False):
        state, other = alike(make(gc, debias), make(optax, debias))
        close(state["monitor"].measurement, other[0].measurements)
        assert set(state["monitor"].measure_states) == {"average"}
        close(state["monitor"].measure_states["average"], gc_ema(other[0].measure_states[1][1]))
        close({k: gc.metrics(state)[k] for k in ("norm", "average", "max")}, other[0].measurements)


def gc_ema(state):
    from gradchain.rules.parts.averaging import EmaState

    return EmaState(*state)


def test_monitor_takes_optax_measures_extra_arguments_and_trees():
    class Loss:
        def init(self, params):
            return {"sum": jnp.zeros(())}

        def update(self, updates, state, params=None, *, value, **extra):
            return {"loss": value}, {"sum": state["sum"] + value}

    class Deaf:
        def init(self, params):
            return ()

        def update(self, updates, state, params=None):
            return jax.tree.map(jnp.sum, updates), state

    theirs = optax.measure_with_ema(optax.tree.norm, 0.5, accumulator_dtype=jnp.float32)
    tx = gc.monitor({"ours": gc.measure_with_ema(gc.global_norm, 0.5, accumulator_dtype=jnp.float32),
                     "theirs": theirs, "deaf": Deaf()})  # fmt: skip
    state = steps(tx, GRADS[:3])[-1][1]["monitor"]
    assert state.measure_states["ours"].ema.dtype == jnp.float32
    np.testing.assert_allclose(state.measurement["ours"], state.measurement["theirs"], rtol=1e-6)
    close(state.measurement["deaf"], jax.tree.map(np.sum, GRADS[2]))


def test_a_measure_is_a_value():
    measure = gc.measure_with_ema(gc.global_norm, 0.5)
    assert measure == pickle.loads(pickle.dumps(measure)) == eval(repr(measure), vars(gc))
    tx = gc.monitor({"norm": measure})
    assert tx == eval(repr(tx), vars(gc)) != gc.monitor({"norm": gc.measure_with_ema(gc.global_norm, 0.6)})
    with pytest.raises(TypeError, match="the measure 'norm' is 3"):
        gc.monitor({"norm": 3})
