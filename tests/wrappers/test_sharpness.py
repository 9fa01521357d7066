"""ASAM, GSAM, LookSAM: where they are SAM, what they cost, what they keep; TRAC's first steps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import GRADS, PARAMS, near, run, same

import gradchain as gc
from gradchain.wrappers.trac import erfi

RHO = 0.3


def loss(params):
    return jnp.sum(jnp.sin(3 * params["kernel"]) * params["bias"]) + jnp.sum(params["bias"] ** 4)


grad = jax.grad(loss)


def train(tx, steps=6, params=PARAMS):
    step = jax.jit(lambda p, s: tx.step(grad(p), s, p, grad_fn=grad))
    state = tx.init(params)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def sam(base):
    return gc.sam(base, gc.chain(gc.normalize(), gc.sgd(RHO)), opaque_mode=True)


def test_looksam_in_every_step_and_gsam_without_alpha_are_sam():
    expected = train(sam(gc.adam(0.05)))[0]
    near(train(gc.looksam(gc.adam(0.05), RHO, every=1))[0], expected)
    near(train(gc.gsam(gc.adam(0.05), RHO, alpha=0.0))[0], expected)
    assert np.any(np.abs(expected["bias"] - train(gc.adam(0.05))[0]["bias"]) > 1e-3)


def test_asam_with_parameters_of_one_size_is_sam():
    even = jax.tree.map(jnp.ones_like, PARAMS)
    found = train(gc.asam(gc.sgd(0.05), RHO / 1.5, eta=0.5), 1, even)[0]
    near(found, train(sam(gc.sgd(0.05)), 1, even)[0])


def test_looksam_asks_for_a_gradient_in_due_steps_alone():
    asked = []

    def counted(p):
        asked.append(1)
        return grad(p)

    tx, p = gc.looksam(gc.adam(0.05), RHO, every=3), PARAMS
    s = tx.init(p)
    for n in (1, 1, 1, 2, 2):
        p, s = tx.step(grad(p), s, p, grad_fn=counted)
        assert len(asked) == n
    direction = s["looksam"].direction
    assert direction.keys() == PARAMS.keys()
    codes = gc.stored(tx, "log8", min_size=0).init(PARAMS)
    assert codes["looksam"].direction["kernel"].dtype == jnp.int8


def test_a_gradient_that_does_not_turn_gives_no_direction():
    tx = gc.looksam(gc.sgd(0.1), RHO, every=2)
    p, s = PARAMS, tx.init(PARAMS)
    alike = lambda x: jax.tree.map(lambda y: 2 * y, GRADS[0])  # noqa: E731
    for expected in (2.0, 1.0):
        u, s = tx.update(GRADS[0], s, p, grad_fn=alike)
        near(u, jax.tree.map(lambda g, a=expected: -0.1 * a * g, GRADS[0]))
    same(s["looksam"].direction, jax.tree.map(jnp.zeros_like, PARAMS))


def test_the_climb_reaches_grad_fn_and_a_mean_over_shards():
    tx = gc.gsam(gc.sgd(0.1), RHO, batch_axis_name="shard")
    p, s = PARAMS, tx.init(PARAMS)
    weights = jnp.array([0.5, 1.5])  # of mean 1

    def one(w):
        part = lambda x: jax.tree.map(lambda g: w * g, grad(x))  # noqa: E731
        return tx.step(grad(p), s, p, grad_fn=part)[0]

    found = jax.vmap(one, axis_name="shard")(weights)
    near(jax.tree.map(lambda x: x[0], found), train(gc.gsam(gc.sgd(0.1), RHO), 1)[0])
    with pytest.raises(TypeError, match="gsam needs 'grad_fn'"):
        tx.update(p, s, p)


def test_trac_begins_where_it_began_and_grows_when_steps_pay():
    tx = gc.trac(gc.sgd(0.1), s_init=0.01)
    downhill = [jax.tree.map(jnp.ones_like, PARAMS)] * 8
    seen = run(tx, downhill)
    same(seen[0][0], PARAMS)
    scales = [float(gc.metrics(s)["trac_scale"]) for _, s in seen]
    assert scales[0] == 0 and all(x < y for x, y in itertools.pairwise(scales[1:]))
    uphill = run(tx, [jax.tree.map(lambda g, i=i: (-1) ** i * g, downhill[0]) for i in range(8)])
    assert min(float(gc.metrics(s)["trac_scale"]) for _, s in uphill) == 0


def test_erfi():
    special = pytest.importorskip("scipy.special")
    x = np.array([-2.0, 0.0, 1e-6, 0.5, 3.0, 8.0])
    np.testing.assert_allclose(erfi(jnp.asarray(x, jnp.float32)), special.erfi(x), rtol=3e-5)
    assert np.isfinite(erfi(jnp.array([1e30, -1e30]))).all()
