"""States as Flax holds them: saved from an nnx.Optimizer or a TrainState, and put back into one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import ADAMW, CLIPPED, PARAMS, same_bits, says, trained

import gradchain as gc

pytest.importorskip("flax")
pytest.importorskip("orbax.checkpoint")
from flax import nnx
from flax.training.train_state import TrainState

TXS = {
    "adamw": ADAMW,
    "masked": gc.masked(CLIPPED, "**/kernel"),
    "stored": gc.stored(ADAMW, "int8", min_size=0),
    "partition": gc.partition({"a": ADAMW, "b": gc.sgd(0.1, momentum=0.9)}, {"**/bias": "b", "**": "a"}),
    "adafactor": gc.adafactor(1e-3, min_dim_size_to_factor=2),
}


class Model(nnx.Module):
    def __init__(self, seed=0):
        rngs = nnx.Rngs(seed)
        self.layers = nnx.List([nnx.Linear(4, 6, rngs=rngs), nnx.Linear(6, 2, rngs=rngs)])

    def __call__(self, x):
        return self.layers[1](jnp.tanh(self.layers[0](x)))


def step(model, optimizer):
    grads = nnx.grad(lambda m: jnp.mean(m(jnp.ones((3, 4))) ** 2))(model)
    optimizer.update(model, grads)


def same_model(a, b):
    for x, y in zip(jax.tree.leaves(nnx.state(a)), jax.tree.leaves(nnx.state(b)), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("how", ["file", "orbax", "dict"])
@pytest.mark.parametrize("tx", TXS.values(), ids=TXS)
def test_nnx(tx, how, tmp_path):
    model = Model()
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    for _ in range(2):
        step(model, optimizer)
    fresh = Model(1)
    again = nnx.Optimizer(fresh, tx, wrt=nnx.Param)
    params = nnx.state(fresh, nnx.Param)
    if how == "file":
        gc.save(tmp_path / "run", tx, optimizer, nnx.state(model, nnx.Param))
        found = gc.load(tmp_path / "run", tx, params, strict=True)
    elif how == "orbax":
        with gc.Checkpointer(tmp_path / "run") as checkpointer:
            checkpointer.save(2, tx, optimizer, nnx.state(model, nnx.Param))
            found = checkpointer.restore(tx, params, strict=True)
    else:
        state, report = gc.load_state(tx, params, gc.state_dict(optimizer), strict=True)
        found = gc.Restored(nnx.state(model, nnx.Param), state, None, report, None)
    assert sorted(gc.state_dict(found.state)) == sorted(gc.state_dict(optimizer))
    nnx.update(fresh, found.params)
    assert gc.set_state(again, found.state) is again
    same_model(model, fresh)
    for path, x in gc.state_dict(optimizer).items():
        np.testing.assert_array_equal(gc.state_dict(again)[path], x)
    step(model, optimizer)
    step(fresh, again)
    same_model(model, fresh)
    assert gc.metrics(again)["step"] == 3


def test_train_state(tmp_path):
    made = TrainState.create(apply_fn=None, params=PARAMS, tx=CLIPPED)
    done = made.apply_gradients(grads=PARAMS)
    gc.save(tmp_path / "run", CLIPPED, done, done.params, step=int(done.step))
    found = gc.load(tmp_path / "run", CLIPPED, made.params, strict=True)
    again = gc.set_state(made, found.state)
    same_bits(again.opt_state, done.opt_state)
    assert int(made.opt_state["scale_by_adam"].count) == 0  # a TrainState is a value


def test_names_do_not_depend_on_the_framework():
    model = nnx.Linear(4, 6, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, ADAMW, wrt=nnx.Param)
    plain = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    assert list(gc.state_dict(optimizer)) == list(gc.state_dict(ADAMW.init(plain)))
    state, _ = gc.load_state(ADAMW, plain, optimizer, strict=True)
    assert isinstance(state["scale_by_adam"].mu["kernel"], jax.Array)


def test_a_state_of_other_links_is_not_put():
    made = TrainState.create(apply_fn=None, params=PARAMS, tx=ADAMW)
    with pytest.raises(gc.CheckpointError) as error:
        gc.set_state(made, trained(CLIPPED)[1])
    says(
        error,
        "set_state",
        "'clip_by_global_norm/clipped_norm'",
        "only in the new state",
        "load_state(tx, params",
    )
