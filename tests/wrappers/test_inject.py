"""inject_hyperparams: the numbers of Optax, values set between steps, one compilation, whatever is around."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")
PARAMS = {"a": np.array([1.0, -2.0, 0.3]), "b": {"c": np.array([[0.5, -0.1]])}}


def arrays(dtype=jnp.float64):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), PARAMS)


def train(tx, steps=20, params=None, state=None, **extra):
    """Parameters and state after some steps, of one compilation."""
    params = arrays() if params is None else params
    state = tx.init(params) if state is None else state
    update = jax.jit(lambda g, s, p: tx.update(g, s, p, **extra))
    for i in range(steps):
        grads = jax.tree.map(lambda p, i=i: jnp.sin(3 * p + i) + p, params)
        updates, state = update(grads, state, params)
        params = jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)
    assert update._cache_size() <= 1  # none of its own under vmap
    return params, state


def close(x, y, rtol=1e-10):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), x, y)


def line(step):
    return 0.1 - 0.003 * jnp.asarray(step, jnp.result_type(float))


def own(lib):
    def make(learning_rate, limit=1.0, *, twice=False, name="x"):
        return lib.chain(lib.clip(limit), lib.scale_by_adam(), lib.scale(-(1 + twice) * learning_rate))

    return make


CASES = {
    "a number": lambda lib: lib.inject_hyperparams(lib.adam)(0.1),
    "a schedule": lambda lib: lib.inject_hyperparams(lib.adamw)(line, weight_decay=0.05),
    "sgd": lambda lib: lib.inject_hyperparams(lib.sgd)(learning_rate=0.1, momentum=0.9, nesterov=True),
    "static": lambda lib: lib.inject_hyperparams(lib.adam, static_args=("b1", "b2"))(0.1, b1=0.8),
    "own": lambda lib: lib.inject_hyperparams(own(lib))(line, twice=True),
    "stateful": lambda lib: lib.inject_hyperparams(lib.sgd)(lib.WrappedSchedule(line), momentum=0.5),
    "a mask": lambda lib: lib.inject_hyperparams(lib.adamw, static_args="mask")(
        0.1, weight_decay=0.1, mask=lambda p: {"a": True, "b": False}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_of_optax(name):
    with jax.enable_x64(True):
        close(train(CASES[name](gc))[0], train(CASES[name](optax))[0])


def test_a_factory_of_optax():
    with jax.enable_x64(True):
        tx = gc.inject_hyperparams(optax.adamw)(line, weight_decay=0.05)
        params, state = train(tx)
        close(params, train(optax.inject_hyperparams(optax.adamw)(line, weight_decay=0.05))[0])
    assert set(state) == {"injected", "chain"}
    names = {"learning_rate", "b1", "b2", "eps", "eps_root", "weight_decay"}
    assert set(state["injected"].hyperparams) == names


def test_what_the_state_holds():
    tx = gc.inject_hyperparams(gc.adamw)(gc.linear_schedule(0.2, 0.0, 4), weight_decay=0.5, mask="a")
    params, state = train(tx, 3, arrays(jnp.float32))
    entry = state["injected"]
    assert entry.count == 3 and entry._fields == ("count", "hyperparams")
    assert set(entry.hyperparams) == {"learning_rate", "b1", "b2", "eps", "eps_root", "weight_decay"}
    np.testing.assert_allclose(entry.hyperparams["learning_rate"], 0.1, rtol=1e-6)
    assert set(state) == {"injected", "scale_by_adam", "scale_by_learning_rate"}
    assert gc.metrics(state)["learning_rate"] == entry.hyperparams["learning_rate"]
    found = gc.hyperparams(tx, state)
    assert found["injected/weight_decay"] == found["add_decayed_weights/weight_decay"] == 0.5
    assert "injected" in str(gc.describe(tx, params))


@pytest.mark.parametrize("how", ["set_hyperparams", "an array", "a number", "traced"])
def test_values_set_between_steps(how):
    tx = gc.inject_hyperparams(gc.sgd)(0.5, momentum=0.25)
    params = arrays(jnp.float32)
    state = tx.init(params)
    step = jax.jit(tx.step)
    params, state = step(params, state, params)
    if how == "set_hyperparams":
        state = gc.set_hyperparams(tx, state, {"injected/learning_rate": 0.125})
    elif how == "traced":
        state = jax.jit(lambda s, x: gc.set_hyperparams(tx, s, {"injected/learning_rate": x}))(state, 0.125)
    else:
        state["injected"].hyperparams["learning_rate"] = jnp.float32(0.125) if how == "an array" else 0.125
    moved, state = step(params, state, params)
    assert step._cache_size() == (2 if how == "a number" else 1)  # a Python number is of another type
    assert state["injected"].hyperparams["learning_rate"].dtype == jnp.float32
    assert gc.hyperparams(tx, state)["scale_by_learning_rate/learning_rate"] == 0.125
    start = arrays(jnp.float32)
    first = jax.tree.map(lambda p: p - 0.5 * p, start)
    close(moved, jax.tree.map(lambda p, q: q - 0.125 * (0.25 * p + q), start, first), 1e-6)


def test_what_cannot_be_set():
    tx = gc.inject_hyperparams(gc.sgd)(line)
    state = tx.init(PARAMS := arrays(jnp.float32))
    with pytest.raises(ValueError, match="injected/learning_rate is <function line>, fixed"):
        gc.set_hyperparams(tx, state, {"injected/learning_rate": 0.1})
    tx = gc.inject_hyperparams(gc.adam)(0.1)
    with pytest.raises(ValueError, match=r"b1 is 1.5; expected"):
        gc.set_hyperparams(tx, tx.init(PARAMS), {"injected/b1": 1.5})
    tx = gc.inject_hyperparams(lambda n: optax.scale(-0.1 * n))(3)
    with pytest.raises(ValueError, match="expected a whole number"):
        gc.set_hyperparams(tx, tx.init(PARAMS), {"injected/n": 0.5})


@dataclasses.dataclass(frozen=True)
class Halved:
    """The rate is halved where the extra argument `value` has risen."""

    start: float

    def init(self):
        return {"rate": jnp.float32(self.start), "last": jnp.float32(jnp.inf)}

    def update(self, state, *, value=jnp.inf, **extra):
        rose = value > state["last"]
        return {"rate": jnp.where(rose, state["rate"] / 2, state["rate"]), "last": jnp.asarray(value)}

    def __call__(self, state, **extra):
        return state["rate"]


def test_a_schedule_with_a_state_of_its_own():
    tx = gc.inject_hyperparams(gc.sgd)(Halved(0.5))
    assert isinstance(Halved(0.5), gc.StatefulSchedule) and not isinstance(line, gc.StatefulSchedule)
    params = arrays(jnp.float32)
    state, step, rates = tx.init(params), jax.jit(tx.update), []
    for value in (3.0, 2.0, 4.0, 5.0, 1.0):
        _, state = step(params, state, params, value=value)
        rates.append(float(state["injected"].hyperparams["learning_rate"]))
    assert rates == [0.5, 0.5, 0.5, 0.25, 0.125] and step._cache_size() == 1
    assert state["injected"].hyperparams_states["learning_rate"]["rate"] == 0.125


def test_dtypes():
    params = arrays(jnp.bfloat16)
    for dtype, expected in ((None, jnp.float32), (jnp.bfloat16, jnp.bfloat16)):
        tx = gc.inject_hyperparams(gc.adam, hyperparam_dtype=dtype)(0.1)
        _, state = train(tx, 2, params)
        assert {x.dtype for x in state["injected"].hyperparams.values()} == {jnp.dtype(expected)}


def nested(lib, n):
    """inject around multi_transform around masked, in MultiSteps."""

    def make(learning_rate, decay):
        inner = lib.masked(lib.trace(decay), {"a": True, "b": False})
        one = lib.chain(inner, lib.scale(-learning_rate))
        return lib.multi_transform({"x": one, "y": lib.adam(learning_rate)}, {"a": "x", "b": "y"})

    more = {"accumulator_dtype": jnp.float64}
    return lib.MultiSteps(lib.inject_hyperparams(make)(line, decay=0.5), n, **more)


def test_nested():
    with jax.enable_x64(True):
        found, state = train(nested(gc, 3))
        close(found, train(nested(optax, 3))[0])
        assert set(state) == {"accumulate", "injected", "x", "y"} and state["injected"].count == 6
        state = gc.set_hyperparams(nested(gc, 3), state, {"injected/decay": 0.25})
    around = gc.inject_hyperparams(lambda rate: gc.MultiSteps(gc.adam(rate), 2))(0.1)
    start = arrays(jnp.float32)
    close(train(around, 4, start)[0], train(gc.MultiSteps(gc.adam(0.1), 2), 4, start)[0], 1e-5)


def test_a_value():
    tx = gc.inject_hyperparams(gc.adamw)(learning_rate=gc.cosine_decay_schedule(0.1, 10), weight_decay=0.1)
    assert tx == gc.injected(gc.adamw, tx.args["arguments"]) == pickle.loads(pickle.dumps(tx))
    assert eval(repr(tx), vars(gc)) == tx and hash(eval(repr(tx), vars(gc))) == hash(tx)
    assert tx != gc.inject_hyperparams(gc.adamw)(learning_rate=0.1)
    assert gc.inject_hyperparams(gc.adam).__name__ == "adam"


def test_vmap_over_an_injected_value():
    def after(rate):
        return train(gc.inject_hyperparams(gc.sgd)(rate), 3, arrays(jnp.float32))[0]

    found = jax.vmap(after)(jnp.asarray([0.1, 0.2]))
    close(jax.tree.map(lambda x: x[1], found), after(0.2), 1e-6)


def test_keyword_arguments_of_a_factory():
    def make(rate, **more):
        return gc.chain(gc.scale(more["size"]), gc.scale(-rate))

    tx = gc.inject_hyperparams(make)(0.5, size=3.0, flag=True, text="x", nothing=None, fn=lambda p, q: 1)
    updates, state = tx.update(arrays(jnp.float32), tx.init(arrays(jnp.float32)))
    close(updates["a"], -1.5 * PARAMS["a"], 1e-6)
    assert set(state["injected"].hyperparams) == {"rate", "size"}


def test_the_other_name():
    assert gc.inject_stateful_hyperparams(gc.sgd)(0.1) == gc.inject_hyperparams(gc.sgd)(0.1)


def test_errors():
    with pytest.raises(TypeError, match=r"inject_hyperparams: missing a required.*adam\(learning_rate"):
        gc.inject_hyperparams(gc.adam)()
    with pytest.raises(ValueError, match=r"adam: b1 is 1.5"):
        gc.inject_hyperparams(gc.adam)(0.1, b1=1.5)
    with pytest.raises(ValueError, match=r"static_args has 'wieght_decay'.*did you mean weight_decay"):
        gc.inject_hyperparams(gc.adamw, static_args="wieght_decay")(0.1)
    with pytest.raises(TypeError, match="without calling it"):
        gc.injected(optax.adam(0.1), {})


def test_with_nnx_and_train_state():
    nnx = pytest.importorskip("flax.nnx")
    from flax.training.train_state import TrainState

    tx = gc.inject_hyperparams(gc.adam)(gc.linear_schedule(0.1, 0.0, 10))
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, x):
        optimizer.update(model, nnx.grad(lambda m: jnp.mean(jnp.square(m(x) - 1.0)))(model))

    for _ in range(3):
        step(model, optimizer, jnp.ones((1, 3)))
    np.testing.assert_allclose(gc.metrics(optimizer)["learning_rate"], 0.08, rtol=1e-6)
    tunable = gc.inject_hyperparams(gc.adam)(0.1)
    held = TrainState.create(apply_fn=lambda p: p, params=arrays(jnp.float32), tx=tunable)
    held = gc.set_hyperparams(tunable, held, {"injected/learning_rate": 0.5})
    held = jax.jit(lambda s: s.apply_gradients(grads=s.params))(held)
    close(held.params["a"], PARAMS["a"] - 0.5 * np.sign(PARAMS["a"]), 1e-4)


def test_optax_around_ours():
    with jax.enable_x64(True):
        tx = optax.MultiSteps(gc.inject_hyperparams(gc.adam)(0.1).optax, 2, accumulator_dtype=jnp.float64)
        theirs = optax.MultiSteps(optax.adam(0.1), 2, accumulator_dtype=jnp.float64)
        close(train(tx)[0], train(theirs)[0])
        close(train(optax.chain(optax.clip(0.5), gc.inject_hyperparams(gc.adam)(0.1)))[0],
              train(optax.chain(optax.clip(0.5), optax.adam(0.1)))[0])  # fmt: skip
