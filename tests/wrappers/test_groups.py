"""Groups, conditions, flatten, functions as links, measures: Optax's numbers, in float64."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optax_steps import GRADS, PARAMS, alike, close, steps

import gradchain as gc

optax = pytest.importorskip("optax")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


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
