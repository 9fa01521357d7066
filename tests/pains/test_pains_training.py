"""What users of Optax suffer from in training: accumulation, masks, NaN and spikes, freezing, donation.

"#n" is google-deepmind/optax; each check runs on gradchain, where it holds, and on Optax, where it must not.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library import Optax, arrays, equal, fails_on_optax, finite, holds_on_both, stepper

pytest.importorskip("flax")
from flax import nnx
from flax.core import freeze

X = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)


class Model(nnx.Module):
    def __init__(self, width=4):
        rngs = nnx.Rngs(0)
        self.enc, self.dec = nnx.Linear(3, width, rngs=rngs), nnx.Linear(width, 1, rngs=rngs)

    def __call__(self, x):
        return self.dec(self.enc(x))


def loss(model, x=X):
    return jnp.mean(jnp.square(model(x) - 1.0))


def train(tx, steps=2):
    """A model, its parameters before, and the optimizer after some steps under nnx.jit."""
    model = Model()
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(model, nnx.grad(loss)(model))

    for _ in range(steps):
        step(model, optimizer)
    return model, before, optimizer


def says(tree, words: str, yes: Any, no: Any):
    """A tree like this one: `yes` where a path holds the words, `no` elsewhere."""
    return jax.tree_util.tree_map_with_path(
        lambda p, _: yes if words in jax.tree_util.keystr(p) else no, tree
    )


@fails_on_optax(AssertionError, "poisoned for ever")
def test_pain_04_a_nan_microbatch_is_survived(lib):
    """#828: one NaN in a microbatch costs its step, not the training."""
    params, tx = arrays(), lib.MultiSteps(lib.sgd(0.5), 2)
    step, state = stepper(lib, tx), tx.init(params)
    bad = jax.tree.map(lambda g: g.at[0].set(jnp.nan), params)
    for g in (bad, params, params, params):
        params, state = step(g, state, params)
    assert finite(params), "poisoned for ever"
    np.testing.assert_allclose(params["bias"], [0.5, 0.5])


@fails_on_optax(AssertionError, "ran in every microbatch")
def test_pain_04_the_optimizer_runs_when_due(lib):
    """#472, #320, #596: the inner optimizer runs once in `every` updates; in Optax in each, masked after."""
    ran = []

    def update(updates, state, params=None):
        jax.debug.callback(lambda: ran.append(1))
        return updates, state

    inner = pytest.importorskip("optax").GradientTransformation(lambda params: (), update)
    params, tx = arrays(), lib.MultiSteps(inner, 3)
    step, state = stepper(lib, tx), tx.init(params)
    for _ in range(6):
        params, state = step(params, state, params)
    jax.effects_barrier()
    assert len(ran) == 2, f"ran in every microbatch: {len(ran)}"


@fails_on_optax(ValueError, "pytree structure error")
def test_pain_05_a_mask_tree_on_nnx(lib):
    """flax#3955, #1148: the mask is a tree made of nnx.state. (A function of it works in Optax 0.2.8.)"""
    mask = says(nnx.state(Model(), nnx.Param), "kernel", True, False)
    model, before, _ = train(lib.masked(lib.set_to_zero(), mask))
    after = nnx.state(model, nnx.Param)
    assert equal(after["enc"]["kernel"], before["enc"]["kernel"])
    assert not equal(after["enc"]["bias"], before["enc"]["bias"])


@fails_on_optax(ValueError, "pytree structure error")
def test_pain_05_a_partition_on_nnx(lib):
    """flax#5372, flax#3955: so are the labels of a partition; each group is trained with its optimizer."""
    labels = says(nnx.state(Model(), nnx.Param), "kernel", "a", "b")
    model, before, optimizer = train(lib.partition({"a": lib.adam(0.1), "b": lib.set_to_zero()}, labels))
    after = nnx.state(model, nnx.Param)
    assert equal(after["dec"]["bias"], before["dec"]["bias"])
    assert not equal(after["dec"]["kernel"], before["dec"]["kernel"])
    sizes = {x.shape for x in jax.tree.leaves(optimizer.opt_state) if x.ndim}
    assert sizes == {(3, 4), (4, 1)}, "state for a leaf of the group that keeps none"


@fails_on_optax(ValueError, "FrozenDict")
def test_pain_05_labels_in_other_containers(lib):
    """#271: a plain dict of labels for the parameters of a FrozenDict."""
    params = {"enc": arrays(), "dec": arrays()}
    labels = says(params, "bias", "b", "a")
    tx = lib.partition({"a": lib.sgd(1.0), "b": lib.set_to_zero()}, labels)
    frozen = freeze(params)
    updates, _ = tx.update(frozen, tx.init(frozen), frozen)
    assert type(updates) is type(frozen)
    assert equal(updates["enc"]["bias"], jnp.zeros(2)) and equal(updates["dec"]["kernel"], -jnp.ones((3, 2)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    """A module as Equinox has them: a pytree that can be called."""

    kernel: Any
    bias: Any

    def __call__(self, x):
        raise RuntimeError("the labels were called")


@fails_on_optax(RuntimeError, "the labels were called")
def test_pain_05_callable_label_trees(lib):
    """#913, #271: labels in a module that can be called are labels, not a function of the parameters."""
    params = Layer(**arrays())
    tx = lib.partition({"a": lib.sgd(1.0), "b": lib.set_to_zero()}, Layer("a", "b"))
    updates, _ = tx.update(params, tx.init(params), params)
    assert equal(updates, Layer(-params.kernel, jnp.zeros(2)))


@holds_on_both
def test_pain_05_none_and_nested_masks(lib):
    """#1148, #913: None for a parameter, a mask within a mask. Optax 0.2.8 holds this as well."""
    params = {"enc": arrays(), "dec": {"kernel": jnp.ones((2, 1)), "bias": None}}
    kernels, encoder = says(params, "kernel", True, False), says(params, "enc", True, False)
    tx = lib.masked(lib.masked(lib.scale(3.0), kernels), encoder)
    updates, _ = tx.update(params, tx.init(params), params)
    assert updates["dec"]["bias"] is None
    assert updates["enc"]["kernel"][0, 0] == 3.0
    assert updates["enc"]["bias"][0] == updates["dec"]["kernel"][0, 0] == 1.0


@fails_on_optax(AssertionError, "NaN reached the parameters")
def test_pain_12_nan_never_passes(lib):
    """levanter#973, maxtext#3490: however many NaN in a row; apply_if_finite gives up and applies them."""
    params = arrays()
    tx = lib.guard(lib.sgd(0.5))
    step, state = stepper(lib, tx), tx.init(params)
    before = params
    for _ in range(5):
        params, state = step(jax.tree.map(lambda g: g * jnp.nan, before), state, params)
    assert finite(params), "NaN reached the parameters"
    assert equal(params, before)
    params, state = step(before, state, params)
    np.testing.assert_allclose(params["bias"], [0.5, 0.5])


@fails_on_optax(AssertionError, "the spike went through")
def test_pain_12_spikes_are_left_out(lib):
    """#1746, levanter#973: a gradient far above the last ones is left out and counted."""
    params = arrays()
    tx = lib.guard(lib.sgd(0.01))
    step, state = stepper(lib, tx), tx.init(params)
    for size in (1.0, 1.1, 0.9, 1.05):
        params, state = step(
            jax.tree.map(lambda g, size=size: size * jnp.ones_like(g), params), state, params
        )
    before = params
    params, state = step(jax.tree.map(lambda g: 1e3 * jnp.ones_like(g), params), state, params)
    assert equal(params, before), "the spike went through"
    assert lib.reading(state, "skipped") == 1 and lib.reading(state, "last_skipped")


@fails_on_optax(AssertionError, "state for what is frozen")
def test_pain_16_freezing_on_nnx(lib):
    """#290, #296, #993: freeze in a chain: no state, no decay. Optax has selective_transform, around it."""
    frozen = (lambda params: says(params, "enc", True, False)) if isinstance(lib, Optax) else "enc/**"
    model, before, optimizer = train(lib.chain(lib.freeze(frozen), lib.adamw(0.1, weight_decay=0.5)))
    kept = sum(x.size for x in jax.tree.leaves(optimizer.opt_state) if x.ndim)
    assert kept == 2 * (4 + 1), f"state for what is frozen: {kept} numbers"  # mu and nu of dec
    after = nnx.state(model, nnx.Param)
    assert equal(after["enc"], before["enc"]) and not equal(after["dec"]["bias"], before["dec"]["bias"])


@fails_on_optax(AssertionError, "gradients that nothing uses")
def test_pain_16_frozen_gradients_are_not_computed(lib):
    """#993, big_vision#14: with clipping in the chain, gradients of frozen leaves are not computed."""
    graph, params = nnx.split(Model(64), nnx.Param)
    pure = nnx.as_pure(params)
    frozen = says(pure, "enc", True, False)
    x = jnp.ones((32, 3))

    def flops(tx, still=lambda params: params):
        def step(params, state):
            grads = jax.grad(lambda p: loss(nnx.merge(graph, still(p)), x))(params)
            updates, state = tx.update(grads, state, params)
            return lib.apply_updates(params, updates), state

        lowered = jax.jit(step).lower(pure, tx.init(pure))
        return lowered.compile().cost_analysis()["flops"]

    def by_hand(params):
        return {**params, "enc": jax.lax.stop_gradient(params["enc"])}

    found = flops(lib.chain(lib.clip_by_global_norm(1.0), lib.sgd(0.1, momentum=0.9), lib.freeze(frozen)))
    decoder = lib.masked(
        lib.chain(lib.clip_by_global_norm(1.0), lib.sgd(0.1, momentum=0.9)), says(pure, "dec", True, False)
    )
    expected = flops(decoder, by_hand)
    assert found <= 1.05 * expected, f"gradients that nothing uses: {found} flops, {expected} without"


@fails_on_optax((ValueError, RuntimeError), "donate the same buffer twice|donated")
def test_pain_19_parameters_and_state_are_donated(lib):
    """#1059: lookahead's slow weights are a copy; the first step can donate parameters and state."""
    tx, params = lib.lookahead(arrays())
    grads = arrays()
    step = jax.jit(lambda params, state: _applied(lib, tx, grads, state, params), donate_argnums=(0, 1))
    state = tx.init(params)
    for _ in range(3):
        params, state = step(params, state)
    assert finite(params)


def _applied(lib, tx, grads, state, params):
    updates, state = tx.update(grads, state, params)
    return lib.apply_updates(params, updates), state


@fails_on_optax(AssertionError, "shares a buffer")
def test_pain_19_state_shares_no_buffer(lib):
    """#1059: what keeps a copy of the parameters keeps a copy, in Optax's contrib an alias."""
    params = arrays()
    keepers = [lib.contrib.prodigy(), lib.contrib.dog()] if isinstance(lib, Optax) else [
        lib.average(lib.sgd(0.1)), lib.lookahead(params)[0],
    ]  # fmt: skip
    for tx in keepers:
        pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((params, tx.init(params)))]
        assert len(set(pointers)) == len(pointers), "shares a buffer"
