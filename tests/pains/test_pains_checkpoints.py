"""What users of checkpoints suffer from: runs that hold more than parameters, steps that start over.

Each run here stops, is restored into fresh objects, goes on, and must be where it would have been.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

pytest.importorskip("flax")
from flax import linen, nnx
from flax.training.train_state import TrainState

X = jnp.linspace(-1.0, 1.0, 24).reshape(8, 3)
TX = gc.adamw(gc.cosine_decay_schedule(0.1, 10))


def same(found, expected):
    """The same leaves, bit for bit."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        a, b = (jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (a, b))
        np.testing.assert_array_equal(a, b)


# Batch statistics, random keys -----------------------------------------------------------------------------


class Model(nnx.Module):
    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.linear, self.norm = nnx.Linear(3, 4, rngs=rngs), nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.norm(self.linear(x)))


OTHERS = nnx.Any(nnx.BatchStat, nnx.RngState)


@nnx.jit
def step(model, optimizer):
    grads = nnx.grad(lambda m: jnp.mean(m(X + optimizer.step[...]) ** 2))(model)
    optimizer.update(model, grads)


def test_an_nnx_model_with_batch_norm_and_dropout_goes_on_as_it_was(tmp_path):
    model = Model(0)
    optimizer = nnx.Optimizer(model, TX, wrt=nnx.Param)
    step(model, optimizer)
    step(model, optimizer)
    file = tmp_path / "run"
    gc.save(file, TX, optimizer, nnx.state(model, nnx.Param), aux=nnx.state(model, OTHERS))

    fresh = Model(1)
    again = nnx.Optimizer(fresh, TX, wrt=nnx.Param)
    run = gc.load(file, TX, nnx.state(fresh, nnx.Param), aux=nnx.state(fresh, OTHERS), strict=True)
    assert run.step == 2 and "aux/norm/mean" in run.report.loaded
    nnx.update(fresh, run.params, run.aux)
    assert gc.set_state(again, run) is again and int(again.step[...]) == 2
    same(nnx.state(fresh), nnx.state(model))
    step(model, optimizer)
    step(fresh, again)
    same((nnx.state(fresh), nnx.state(again)), (nnx.state(model), nnx.state(optimizer)))
    with pytest.raises(gc.CheckpointError, match="aux="):
        gc.save(file, TX, optimizer, nnx.state(model))  # all of the model: nothing could load that


class Net(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(1)(linen.BatchNorm(use_running_average=False)(linen.Dense(4)(x)))


class WithStats(TrainState):
    batch_stats: Any
    key: jax.Array


def linen_run(seed):
    variables = Net().init(jax.random.key(seed), X)
    return WithStats.create(
        apply_fn=Net().apply, params=variables["params"], tx=TX, batch_stats=variables["batch_stats"],
        key=jax.random.key(seed),
    )  # fmt: skip


@jax.jit
def linen_step(run):
    noise = jax.random.normal(jax.random.fold_in(run.key, run.step), X.shape)

    def loss(params):
        variables = {"params": params, "batch_stats": run.batch_stats}
        y, new = run.apply_fn(variables, X + noise, mutable="batch_stats")
        return jnp.mean((y - 1.0) ** 2), new["batch_stats"]

    grads, stats = jax.grad(loss, has_aux=True)(run.params)
    return run.apply_gradients(grads=grads, batch_stats=stats)


def test_a_linen_train_state_with_batch_stats_goes_on_as_it_was(tmp_path):
    run = linen_step(linen_step(linen_run(0)))
    aux = {"batch_stats": run.batch_stats, "key": run.key}
    gc.save(tmp_path / "run", TX, run, run.params, aux=aux)

    fresh = linen_run(1)
    aux = {"batch_stats": fresh.batch_stats, "key": fresh.key}
    found = gc.load(tmp_path / "run", TX, fresh.params, aux=aux, strict=True)
    again = gc.set_state(fresh.replace(params=found.params, **found.aux), found)
    assert int(again.step) == 2 and type(again.step) is int
    same(linen_step(again), linen_step(run))
    with pytest.raises(gc.CheckpointError, match=r"batch_stats.*aux="):
        gc.save(tmp_path / "run", TX, run, {"params": run.params, "batch_stats": run.batch_stats})


# The holder's own step -------------------------------------------------------------------------------------


def test_the_step_of_a_holder_is_set_with_its_state():
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    state = TX.init(params)
    for _ in range(3):
        params, state = TX.step(params, state, params)
    made = TrainState.create(apply_fn=None, params=params, tx=TX)
    traced = made.replace(step=jnp.int32(0))
    optimizer = nnx.Optimizer(model, TX, wrt=nnx.Param)
    for holder in (made, traced, optimizer):
        kind, old = type(holder.step), getattr(holder.step, "dtype", None)
        for given, step in (((state,), 3), ((state, 7), 7), ((state, jnp.uint32(8)), 8)):
            new = gc.set_state(holder, *given)
            assert int(jnp.asarray(new.step)) == step and type(new.step) is kind
            assert getattr(new.step, "dtype", None) == old
        found = gc.Restored(params, state, 9, gc.LoadReport(()), None)
        assert int(jnp.asarray(gc.set_state(holder, found).step)) == 9
        assert int(jnp.asarray(gc.set_state(holder, found._replace(step=None)).step)) == 3
    other = gc.set_state(made, made.replace(step=5, opt_state=state))  # one holder into another
    assert other.step == 5
    assert gc.set_state(made.replace(step=4, opt_state={}), {}).step == 4  # nothing counts: it stays


def test_microbatches_are_counted_by_the_holder_alone(tmp_path):
    """The state of accumulate(every=4) knows of 2 updates after 8 microbatches; the checkpoint knows 8."""
    tx = gc.accumulate(gc.adam(0.1), 4)
    run = TrainState.create(apply_fn=None, params={"w": jnp.ones(3)}, tx=tx)
    fresh = run
    for _ in range(9):
        run = run.apply_gradients(grads=run.params)
    gc.save(tmp_path / "run", tx, run, run.params)
    found = gc.load(tmp_path / "run", tx, run.params)
    assert found.step == gc.set_state(fresh, found).step == 9
    assert gc.set_state(fresh, found.state).step == 2 and gc.set_state(fresh, found.state, 9).step == 9


# Ensembles -------------------------------------------------------------------------------------------------


def test_an_ensemble_goes_on_as_it_was(tmp_path):
    tx = gc.stored(gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(gc.tunable(0.1))), "int8", min_size=0)
    params = {"w": jnp.linspace(-1, 1, 60).reshape(5, 3, 4)}
    do = jax.jit(jax.vmap(lambda params, state: tx.step(params, state, params)))
    state = jax.vmap(tx.init)(params)
    rates = jnp.linspace(0.01, 0.1, 5)
    state = gc.set_hyperparams(tx, state, learning_rate=rates)
    params, state = do(params, state)
    gc.save(tmp_path / "run", tx, state, params)
    found = gc.load(tmp_path / "run", tx, jax.tree.map(jnp.zeros_like, params), strict=True)
    same(do(found.params, found.state), do(params, state))
    np.testing.assert_array_equal(gc.metrics(found.state)["learning_rate"], rates)
    note = found.report.notes["scale_by_learning_rate/hyperparams/learning_rate"]
    assert note.startswith("0.01, 0.0325, 0.055, ... from the checkpoint; the optimizer says 0.1")
