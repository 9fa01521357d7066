"""gradient_release: the numbers of a scan with tx.step in less memory, or an error that names the link."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
import pytest

import gradchain as gc
from gradchain.core.transform import example
from gradchain.storage.inplace import Update
from gradchain.storage.layerwise import TakesLayersTogether
from tests.sampled import sampled, slow_but
from tests.storage.release_cases import (
    ADAMW,
    BATCH,
    EXACT,
    LAYERS,
    REST,
    ROUNDING,
    WIDTH,
    layer,
    loss,
    normal,
    same,
    scanned,
    stack,
    three_ways,
    train,
)

OPTIMIZERS = {
    "adamw": ADAMW,
    "coupled decay": gc.chain(gc.add_decayed_weights(0.1), gc.adam(1e-2)),
    "tunable": gc.lion(gc.tunable(1e-3)),
    "bfloat16 momentum": gc.adam(1e-2, mu_dtype=jnp.bfloat16),
    "freeze": gc.chain(gc.freeze("scale"), gc.adam(1e-2)),
    "partition": gc.partition({"a": gc.adam(1e-2), "b": gc.sgd(0.1, 0.9)}, {"**/bias": "b", "**": "a"}),
    "log8": gc.stored(gc.adamw(1e-2), "log8", min_size=WIDTH * LAYERS + 1),
    "log4": gc.stored(gc.adamw(1e-2), gc.codecs.log4(every=2), min_size=1),
    "log4, parameters in bfloat16": gc.stored(gc.chain(gc.lion(1e-2), gc.kahan()), "log4", min_size=1),
    "int8": gc.stored(gc.adamw(1e-2), {"mu/up/kernel": "int8"}, min_size=1),
    "average": gc.average(gc.adam(1e-2)),
}
NARROW = {
    "kahan": gc.chain(gc.adamw(1e-3), gc.kahan()),
    "stochastic": gc.chain(gc.stored(gc.adamw(1e-3), "log8"), gc.round_stochastically()),
}


# The numbers ----------------------------------------------------------------------------------------------


# What another one of them shows too: wrappers without state of their own, and codecs in pairs.
LATER = {"coupled decay", "bfloat16 momentum", "freeze", "int8", "log4, parameters in bfloat16"}


@pytest.mark.parametrize("name", slow_but([*OPTIMIZERS, *NARROW], {*OPTIMIZERS, *NARROW} - LATER))
def test_every_bit_is_that_of_a_scan(name):
    """Parameters, state, loss and the gradients of the rest, noise included."""
    tx = (OPTIMIZERS | NARROW)[name]
    params = stack(jnp.bfloat16 if name in NARROW else jnp.float32)
    found = train(gc.gradient_release(tx, layer, loss), tx, params, compiler_options=EXACT)
    same(found, train(scanned(tx), tx, params, compiler_options=EXACT))


ROUNDED = {
    "adamw": ADAMW,
    "adafactor": gc.adafactor(1e-2, min_dim_size_to_factor=16),
    "lamb": gc.lamb(1e-2),
    "of optax": gc.chain(optax.scale_by_adam(), gc.scale(-1e-2)),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_optimized_programs_differ_by_rounding_only(name):
    """XLA may divide by a root or multiply by its inverse, and sum in another order: the last bits."""
    tx = ROUNDED[name]
    found = train(gc.gradient_release(tx, layer, loss), tx, stack())
    same(found, train(scanned(tx), tx, stack()), ROUNDING)


@pytest.mark.parametrize("policy", [None, jax.checkpoint_policies.dots_saveable])
def test_rematerialisation_is_that_of_the_layer(policy):
    step = gc.gradient_release(ADAMW, jax.checkpoint(layer, policy=policy), loss)
    same(train(step, ADAMW, stack()), train(scanned(ADAMW), ADAMW, stack()), ROUNDING)


TOGETHER = {  # what takes layers together, and the link that does
    **{name: name for name in ("accumulate", "apply_if_finite", "clip_by_global_norm", "loss_scale", "skip")},
    **{
        name: name
        for name in (
            "MultiSteps",
            "apply_every",
            "snapshot",
            "zero_nans",
            "add_noise",
            "flatten",
        )
    },
    **{name: name for name in ("flatten", "monitor")},
    **{f"scale_by_{x}": f"scale_by_{x}" for x in ("dog", "dowg", "momo", "momo_adam", "prodigy")},
    **{x: f"scale_by_{x}" for x in ("dog", "dowg", "momo", "momo_adam", "prodigy")},
    **dict.fromkeys(("dadapt_adamw", "scale_by_dadapt_adam"), "scale_by_dadapt_adam"),
    **{name: name for name in ("mechanize", "scale_by_distance_over_gradients", "sam", "scale_by_galore")},
    **{name: name for name in ("normalize_by_update_norm", "scale_by_polyak", "scale_by_lbfgs")},
    **{name: name for name in ("roll_back", "trac")},
    **dict.fromkeys(("hypergradient", "hypergradient_sgd", "hypergradient_adam"), "hypergradient"),
    **dict.fromkeys(("ivon", "scale_by_ivon"), "scale_by_ivon"),
    **dict.fromkeys(("sgd_sai", "scale_by_sgd_sai"), "scale_by_sgd_sai"),
    "grokfast_ma": "grokfast_ma",
    **dict.fromkeys(("dion2", "scale_by_dion2"), "scale_by_dion2"),
    **dict.fromkeys(("psgd_kron", "scale_by_psgd"), "scale_by_psgd"),
    **dict.fromkeys(("psgd_lra", "scale_by_psgd_lra"), "scale_by_psgd_lra"),
    "polyak_sgd": "scale_by_polyak",
    "galore": "scale_by_galore",
    **dict.fromkeys(("adagc", "clip_by_past_norm"), "clip_by_past_norm"),
    **dict.fromkeys(("adai", "scale_by_adai"), "scale_by_adai"),
    **dict.fromkeys(("fira", "scale_by_fira"), "scale_by_fira"),
    **dict.fromkeys(("alice", "scale_by_alice"), "scale_by_alice"),
    **dict.fromkeys(("apollo", "apollo_mini", "scale_by_apollo"), "scale_by_apollo"),
    **{
        x: f"scale_by_{x.replace('kl_soap', 'kl_shampoo')}"
        for x in ("shampoo", "soap", "splus", "kl_shampoo", "kl_soap")
    },
    **{name: name for name in ("scale_by_shampoo", "scale_by_soap", "scale_by_splus", "scale_by_kl_shampoo")},
    "caspr": "scale_by_shampoo",
    "normalize": "normalize",
    **dict.fromkeys(("spectral_sphere", "step_on_spectral_sphere"), "step_on_spectral_sphere"),
    "monitored": "snapshot",
    "offload": "offload",
    "noisy_sgd": "add_noise",
    "prune_by_magnitude": "prune_by_magnitude",
}


@pytest.mark.parametrize("name", sampled())
def test_every_transform_works_by_layer_or_says_that_it_cannot(name):
    if example(name).body.needs - {"value"} or "per_example" in gc.REGISTRY[name].traits:
        pytest.skip("it needs functions of all parameters, or gradients of examples, which a layer has not")
    tx, params = example(name), {"kernel": normal(0, 2, 4, 6), "bias": normal(1, 2, 6)}
    grads = jax.tree.map(lambda x: 0.3 * x + 0.1, params)
    extra = dict.fromkeys(tx.body.needs, jnp.float32(0.5))

    def by_layer(params, state, grads):
        update = Update(tx, params, state, extra, 2)
        stacks = update.stacks
        for i in (1, 0):
            stacks = update.layer(jnp.int32(i), [g[i] for g in jax.tree.leaves(grads)], stacks)
        return update.result(stacks)

    at_once = jax.jit(lambda p, s, g: tx.step(g, s, p, **extra))
    params, state = at_once(params, tx.init(params), grads)
    if name in TOGETHER:
        with pytest.raises(TakesLayersTogether):
            by_layer(params, state, grads)
        with pytest.raises(ValueError, match=f"gradient_release: {TOGETHER[name]} "):
            gc.gradient_release(tx, layer, loss)(params, state, REST, *BATCH, **extra)
    else:
        found = jax.jit(by_layer)(params, state, grads)
        same(found, at_once(params, state, grads), ROUNDING)


# Memory ---------------------------------------------------------------------------------------------------


def on_cpu(step, *args):
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*args).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("remat", [False, True])
def test_24_scanned_layers_need_the_memory_of_unrolled_ones(remat):
    unrolled, plain, released = three_ways(gc.adamw(1e-3), remat, on_cpu)
    assert plain > 12  # the gradient of all layers
    assert released <= 1.3 * unrolled


def test_state_in_8_bits_is_never_whole_in_32():
    _, plain, released = three_ways(gc.stored(gc.adamw(1e-3), "log8"), True, on_cpu)
    assert plain > 12
    assert released < 3


@pytest.mark.slow
def test_state_in_4_bits_is_never_whole_in_32():
    """XLA for CPU keeps a code in a byte, and two copies of the codes of all layers: 6.8 MiB."""
    _, plain, released = three_ways(gc.stored(gc.lion(1e-3), "log4"), True, on_cpu)
    assert plain > 12
    assert released < 7
