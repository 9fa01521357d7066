"""SPAM and Stable-SPAM: Adam between resets, warmup, and spikes."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, draw, problem, take


def test_without_resets_and_clipping_is_adam(x64):
    params, grads = problem(steps=4, dtype="float64")
    spam = take(gc.spam(0.1, eps=1e-3, threshold=None, weight_decay=0.2), params, grads)
    adam = take(gc.adamw(0.1, eps=1e-3, weight_decay=0.2), params, grads)
    close(spam.updates, adam.updates, 1e-14)


def test_restarted_is_adam_afresh(x64):
    params, grads = problem(steps=7, dtype="float64")
    tx = gc.scale_by_spam(eps=1e-3, threshold=None, reset_every=4, warmup_steps=None, restart=True)
    found = take(tx, params, grads).updates
    close(found[3:], take(gc.scale_by_adam(eps=1e-3), params, grads[3:]).updates, 1e-14)


def test_warmup_after_a_reset(x64):
    params, grads = problem(steps=8, dtype="float64")
    warm, cold = (
        take(gc.scale_by_spam(threshold=None, reset_every=4, warmup_steps=n), params, grads).updates
        for n in (2, None)
    )
    ratio = [float(w["bias"][0] / c["bias"][0]) for w, c in zip(warm, cold, strict=True)]
    cycle = [1 - 0.99 * 0.75, 1 - 0.99 * 0.25, 1, 1]  # cosines of pi / 3, 2 pi / 3, pi
    close(ratio, [1, 1, 1, *cycle, cycle[0]], 1e-12)


def test_a_spike_is_cut_to_its_element_s_past(x64):
    params = {"bias": jnp.zeros(3)}
    calm, spike = jnp.asarray([1.0, -2.0, 0.0]), jnp.asarray([1.0, -500.0, 3.0])
    tx = gc.scale_by_spam(b2=0.5, threshold=9.0, wait_steps=2)
    state = take(tx, params, [{"bias": calm}, {"bias": spike}]).state["scale_by_spam"]
    nu = 0.5 * np.square(calm)
    cut = np.array([1.0, 9 * nu[1], 9.0])  # squares: the second was a spike, the third has no past
    close(state.nu["bias"], 0.5 * nu + 0.5 * cut, 1e-12)


def test_stable_spam_is_its_links(x64):
    params, grads = draw({"kernel": (4, 3)}, dtype="float64"), problem({"kernel": (4, 3)}, 3, "float64")[1]
    links = gc.chain(gc.clip_by_spikes(0.9), gc.normalize_by_history(0.6, 0.8, 1e-3), gc.adam(0.1, eps=1e-3))
    tx = gc.stable_spam(0.1, eps=1e-3, gamma1=0.6, gamma2=0.8, theta=0.9)
    close(take(tx, params, grads).updates, take(links, params, grads).updates, 1e-14)
