"""DiLoCo: the inner optimizer where nothing is outer, means over replicas in due steps alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P
from training import GRADS, PARAMS, near, run, same

import gradchain as gc
from gradchain.aot import hlo


def test_one_inner_step_and_an_outer_step_of_one_is_the_inner_optimizer():
    for adam in (gc.adam(0.1), gc.adamw(0.1, weight_decay=0.3)):
        tx = gc.diloco(adam, gc.sgd(1.0), every=1)
        near(run(tx, GRADS)[-1][0], run(adam, GRADS)[-1][0])


def outer_steps(every, lr=0.7, momentum=0.9):
    """Nesterov's momentum on how far gradient descent went, in NumPy: parameters and anchor by step."""
    p = {k: np.asarray(x, np.float64) for k, x in PARAMS.items()}
    anchor, velocity = dict(p), {k: 0 * x for k, x in p.items()}
    for i, g in enumerate(GRADS):
        p = {k: x - 0.1 * np.asarray(g[k]) for k, x in p.items()}
        if (i + 1) % every == 0:
            for k, x in p.items():
                way = anchor[k] - x
                velocity[k] = momentum * velocity[k] + way
                anchor[k] = anchor[k] - lr * (way + momentum * velocity[k])
            p = dict(anchor)
        yield p, dict(anchor)


@pytest.mark.parametrize("every", [1, 3])
def test_is_the_paper(every):
    tx = gc.diloco(gc.sgd(0.1), every=every)
    for (p, state), (expected, anchor) in zip(run(tx, GRADS), outer_steps(every), strict=True):
        near(p, expected)
        near(gc.eval_params(tx, state, p), anchor)


def test_update_is_step():
    tx = gc.diloco(gc.adam(0.1), every=2)
    p, s = PARAMS, tx.init(PARAMS)
    for g, (expected, _) in zip(GRADS[:4], run(tx, GRADS[:4]), strict=True):
        u, s = tx.update(g, s, p)
        p = gc.apply_updates(p, u)
        near(p, expected)


MESH = jax.make_mesh((8,), ("replica",), axis_types=(AxisType.Auto,))


@functools.cache
def replicated():
    """A step of eight replicas: [8, ...] parameters and inner state, one anchor and one outer state."""
    tx = gc.diloco(gc.adam(0.1), every=3, axis_name="replica")
    state = tx.init(PARAMS)
    alone = ("diloco", "trace", "scale_by_learning_rate_1")
    specs = {k: P() if k in alone else P("replica") for k in state}

    def many(x):
        return jnp.broadcast_to(x, (8, *x.shape))

    params = jax.tree.map(many, PARAMS)
    state = {k: s if k in alone else jax.tree.map(many, s) for k, s in state.items()}

    def each(f, tree, *axes):
        return {k: s if k in alone else jax.tree.map(f, s) for k, s in tree.items()}

    def local(params, state, grads):
        first = functools.partial(jax.tree.map, lambda x: x[0])
        new, state = tx.step(first(grads), each(lambda x: x[0], state), first(params))
        return jax.tree.map(lambda x: x[None], new), each(lambda x: x[None], state)

    over = P("replica")
    mapped = jax.shard_map(local, mesh=MESH, in_specs=(over, specs, over), out_specs=(over, specs))
    return jax.jit(mapped), params, state


def of_replicas(i):
    """Gradients that differ from replica to replica."""
    return jax.tree.map(lambda g: g[None] * (1 + jnp.arange(8.0).reshape(8, *[1] * g.ndim)), GRADS[i])


def test_replicas_meet_where_the_mean_leads():
    step, params, state = replicated()
    single = gc.adam(0.1)
    ps, ss = [PARAMS] * 8, [single.init(PARAMS)] * 8
    for i in range(3):
        g = of_replicas(i)
        params, state = step(params, state, g)
        for r in range(8):
            ps[r], ss[r] = single.step(jax.tree.map(lambda x, r=r: x[r], g), ss[r], ps[r])
        if i < 2:
            near(jax.tree.map(lambda x: x[5], params), ps[5])
            same(state["diloco"].anchor, PARAMS)
    mean = jax.tree.map(lambda *x: sum(x) / 8, *ps)
    anchor = jax.tree.map(lambda p, m: p - 0.7 * 1.9 * (p - m), PARAMS, mean)
    near(state["diloco"].anchor, anchor)
    for r in (0, 7):
        near(jax.tree.map(lambda x, r=r: x[r], params), anchor)


def test_replicas_communicate_within_the_conditional_loop_alone():
    step, params, state = replicated()
    program = hlo.Program(step.lower(params, state, of_replicas(0)).compile().as_text())
    found = [loop for _, i, loop in program.running() if i.op.startswith("all-")]
    assert found and all(found)
