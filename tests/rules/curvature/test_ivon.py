"""IVON: its samples, and its steps against the paper's formulas with the same noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain import testing

HYPERS = {"ess": 20.0, "hess_init": 0.7, "b1": 0.8, "b2": 0.9, "weight_decay": 0.05, "clip_radius": 0.4}
DIAGONAL = np.array([2.0, 0.5, 1.0, 3.0])
START = np.array([1.0, -2.0, 0.5, 3.0])
STEPS = 6


def slope(p):
    return DIAGONAL * (p - 0.3)


def trajectory(tx: gc.Transform, keep_noise: bool = False):
    """The means after each step, [steps, 4], and the noise of each."""

    def step(carry, _):
        p, state = carry
        at = gc.ivon_sample(tx, state, {"x": p})["x"]
        new, state = tx.step({"x": slope(at)}, state, {"x": p})
        return (new["x"], state), (new["x"], at - p)

    p = jnp.asarray(START)
    means, noise = jax.lax.scan(step, (p, tx.init({"x": p})), length=STEPS)[1]
    return {"means": means, **({"noise": noise} if keep_noise else {})}


def paper(noise, lr, ess, hess_init, b1, b2, weight_decay, clip_radius):
    """Algorithm 1 of arXiv:2402.17641, with the given samples' distances from the mean."""
    m, h, mean = np.zeros(4), np.full(4, hess_init), START
    for t, away in enumerate(noise, 1):
        g = slope(mean + away)
        estimate = g * away * ess * (h + weight_decay)
        m = b1 * m + (1 - b1) * g
        correction = 0.5 * (1 - b2) ** 2 * (h - estimate) ** 2 / (h + weight_decay)
        h = b2 * h + (1 - b2) * estimate + correction
        u = (m / (1 - b1**t) + weight_decay * mean) / (h + weight_decay)
        mean = mean - lr * (hess_init + weight_decay) * np.clip(u, -clip_radius, clip_radius)
        yield mean


def test_steps_are_the_paper_s():
    with jax.enable_x64(True):
        tx = gc.ivon(0.3, **HYPERS)
        found = jax.tree.map(np.asarray, jax.jit(lambda: trajectory(tx, keep_noise=True))())
        expected = np.stack(list(paper(found["noise"], 0.3, **HYPERS)))
        assert testing.distance({"means": found["means"]}, {"means": expected}, 1e-10) <= 1
        testing.sensitive(gc.to_config(tx), trajectory, 1e-10, expected={"means": expected})


def test_samples_have_the_posterior_s_width():
    tx = gc.ivon(0.1, ess=25.0, hess_init=0.9, weight_decay=0.1)
    params = {"a": jnp.zeros(4096), "b": jnp.zeros(4096)}
    state = tx.init(params)
    drawn = [gc.ivon_sample(tx, state, params, i) for i in range(2)]
    assert np.std(drawn[0]["a"]) == pytest.approx(0.2, rel=0.05)  # 1 / sqrt(25)
    pairs = [(drawn[0]["a"], drawn[0]["b"]), (drawn[0]["a"], drawn[1]["a"])]
    assert all(abs(np.corrcoef(x, y)[0, 1]) < 0.08 for x, y in pairs)
    _, later = tx.update(jax.tree.map(jnp.zeros_like, params), state, params)
    assert abs(np.corrcoef(drawn[0]["a"], gc.ivon_sample(tx, later, params)["a"])[0, 1]) < 0.08


def test_many_samples_at_once():
    tx, p = gc.ivon(0.1, ess=4.0), jnp.zeros(3)
    state = tx.init(p)
    many = jax.vmap(lambda i: gc.ivon_sample(tx, state, p, i))(jnp.arange(3))
    one = [gc.ivon_sample(tx, state, p, i) for i in range(3)]
    np.testing.assert_allclose(many, jnp.stack(one), rtol=1e-6)


@pytest.mark.parametrize("wrapped", ["stored", "masked", "partition"])
def test_the_update_makes_the_same_noise_within_wrappers(wrapped):
    """The estimate f = g e / sigma of the kernel has the e of the sample: with b2 = 0 it is in the state."""
    plain = gc.scale_by_ivon(9.0, hess_init=2.0, b2=0.0, weight_decay=0.5, seed=2**40 + 3)
    tx = {
        "stored": gc.stored(plain, {"mu": "int8", "precision": "log8"}, min_size=0),
        "masked": gc.masked(plain, "w"),
        "partition": gc.partition({"ivon": plain, "sgd": gc.sgd(0.1)}, {"w": "ivon", "b": "sgd"}),
    }[wrapped]
    params = {"w": jnp.ones((4, 8)), "b": jnp.ones(8)}
    state, grads = tx.init(params), jax.tree.map(lambda p: jnp.ones_like(p), params)
    at = gc.ivon_sample(tx, state, params)
    if wrapped != "stored":
        np.testing.assert_array_equal(at["b"], params["b"])
    _, new = tx.update(grads, state, params)
    entry = new["ivon"] if wrapped == "partition" else new
    if wrapped == "stored":
        entry = gc.convert(new, tx, plain, params)
    q, away = 2.5, np.asarray(at["w"] - 1)
    x = (away * 9.0 * q - 2.0) / q
    found = entry["scale_by_ivon"].precision["w"]
    np.testing.assert_allclose(found, q * (1 + x + x * x / 2), rtol=0.2 if wrapped == "stored" else 1e-5)


def test_a_link_is_needed():
    with pytest.raises(ValueError, match="sgd has no link scale_by_ivon"):
        gc.ivon_sample(gc.sgd(0.1), gc.sgd(0.1).init(jnp.ones(2)), jnp.ones(2))
