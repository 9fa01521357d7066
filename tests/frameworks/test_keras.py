"""gc.keras: under fit the numbers of a plain loop, saved and loaded with its state, what is refused."""

import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "jax":
    pytest.skip(f"Keras runs on {keras.backend.backend()}", allow_module_level=True)

# Keras 3.15 with NumPy 2, while it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = (X[:, :1] * 2).astype(np.float32)
LAYERS = ("dense", "dense_1")
FIT = {"batch_size": 16, "shuffle": False, "verbose": 0}


@pytest.fixture(autouse=True)
def fresh():
    """Layers named as in a new process."""
    keras.utils.set_random_seed(0)
    keras.utils.clear_session(free_memory=False)


def model_with(optimizer):
    layers = [keras.layers.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer=optimizer, loss="mse")
    return model


def loss(params, x, y):
    (bias, first), (last, second) = (
        [params[f"sequential/{n}/{k}"] for k in ("bias", "kernel")] for n in LAYERS
    )
    return jnp.mean((jnp.tanh(x @ first + bias) @ second + last - y) ** 2)


def plain(tx, params, epochs):
    """The same training as a loop; parameters and state."""
    state = tx.init(params)
    step = jax.jit(lambda p, s, x, y: tx.step(jax.grad(loss)(p, x, y), s, p))
    for _ in range(epochs):
        for i in range(0, 64, 16):
            params, state = step(params, state, X[i : i + 16], Y[i : i + 16])
    return params, state


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    schedule = gc.warmup_cosine_decay_schedule(0.0, 0.05, 3, 20)
    inner = gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(schedule, weight_decay=0.1, mask="**/kernel"))
    tx = gc.skip(gc.stored(inner, "log8", min_size=0))
    model = model_with(gc.keras(tx))
    start = {v.path: jnp.array(v.value) for v in model.trainable_variables}
    model.fit(X, Y, epochs=2, **FIT)
    return tx, model, start


def test_numbers_of_a_plain_loop(trained):
    tx, model, start = trained
    params, state = plain(tx, start, 2)
    for v in model.trainable_variables:
        np.testing.assert_allclose(v.value, params[v.path], rtol=1e-6, atol=1e-7)
    held = model.optimizer.state
    assert jax.tree.structure(held) == jax.tree.structure(state) and int(model.optimizer.iterations) == 8
    for one, other in zip(jax.tree.leaves(held), jax.tree.leaves(state), strict=True):
        assert one.dtype == other.dtype
    assert float(model.optimizer.learning_rate) == float(gc.metrics(state)["learning_rate"]) > 0
    names = [v.path for v in model.optimizer.variables]
    assert any(n.endswith("scale_by_adam/mu/sequential/dense/kernel") for n in names), names


def test_saved_and_loaded(trained, tmp_path):
    from gradchain.frameworks import keras as module

    tx, model, _ = trained
    model.save(tmp_path / "m.keras")
    keras.saving.get_custom_objects().clear()  # as in a new process
    module._class.cache_clear()
    with pytest.raises(TypeError, match="GradchainOptimizer"):
        keras.models.load_model(tmp_path / "m.keras")
    gc.keras()
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.optimizer.tx == tx
    for one, other in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    after, again = (m.fit(X, Y, epochs=1, **FIT).history for m in (model, loaded))
    assert after == again


def test_learning_rate_is_set_by_callbacks():
    callback = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 * (epoch + 1))
    model = model_with(gc.keras(gc.sgd(gc.tunable(0.1))))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    model.optimizer.build(model.trainable_variables)
    model.fit(X, Y, epochs=2, callbacks=[callback], **FIT)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    fixed = gc.keras(gc.sgd(0.1))
    with pytest.raises(ValueError, match="no state yet"):
        fixed.learning_rate = 0.2
    fixed.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"learning_rate=tunable\(\.\.\.\)"):
        fixed.learning_rate = 0.2


def test_what_is_refused(monkeypatch):
    from gradchain.frameworks import keras as module

    with pytest.raises(TypeError, match=r"call the factory first: gc\.adam"):
        gc.keras(gc.adam)
    with pytest.raises(TypeError, match="tx is 'adam'"):
        gc.keras("adam")
    with pytest.raises(ValueError, match="needs 'value'"):
        gc.keras(gc.polyak_sgd(1.0))
    with pytest.raises(TypeError, match="'clipnorm' is no argument here; write chain"):
        gc.keras()(gc.sgd(0.1), clipnorm=1.0)
    with pytest.raises(ValueError, match="no state yet"):
        _ = gc.keras(gc.sgd(0.1)).state
    module._class.cache_clear()
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(RuntimeError, match="Keras runs on torch; expected the JAX backend"):
        gc.keras()
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r"gc\.keras needs the package keras.*gradchain\[keras\]"):
        gc.keras()
