"""gradchain.optax where Optax's behaviour is another than gradchain's: what its own tests hold, in short."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
import gradchain.optax as optax

PARAMS = {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}
SHAPES = jax.eval_shape(lambda: PARAMS)


def alike(ours, theirs):
    """The same classes by name, fields and leaves."""
    shown = [jax.tree_util.tree_flatten_with_path(x)[0] for x in (ours, theirs)]
    names = [[jax.tree_util.keystr(path) for path, _ in rows] for rows in shown]
    assert names[0] == names[1]
    assert str(jax.tree.structure(ours)) == str(jax.tree.structure(theirs))


@pytest.mark.parametrize("name", ["adam", "adafactor", "sm3"])
def test_the_state_of_shapes_is_that_of_parameters(name):
    tx = getattr(optax, name)(0.1)
    jax.tree.map(np.testing.assert_array_equal, tx.init(SHAPES), tx.init(PARAMS))


def test_a_state_of_values_asks_for_them():
    with pytest.raises(TypeError, match="schedule_free_sgd: the state starts with values of the parameters"):
        optax.contrib.schedule_free_sgd(0.1).init(SHAPES)


def test_names_are_those_of_gradchain():
    """A module of the package has not taken the place of a function of the same name."""
    for name in gc.__all__:
        assert inspect.ismodule(getattr(optax, name)) == inspect.ismodule(getattr(gc, name)), name
    assert (
        optax.describe(optax.adam(0.1), PARAMS).total_bytes == gc.describe(gc.adam(0.1), PARAMS).total_bytes
    )


CASES = {
    "noise": lambda o: o.add_noise(0.1, 0.5, 7),
    "muon": lambda o: o.contrib.muon(0.1, weight_decay=0.1, adam_weight_decay=0.1, weight_decay_mask=MASK),
    "muon_plain": lambda o: o.contrib.muon(0.1, weight_decay_mask=MASK),
    "galore": lambda o: o.contrib.galore(0.1, rank=2),
    "galore_decay": lambda o: o.contrib.galore(0.1, rank=2, weight_decay=0.1, mask=MASK),
    "sam": lambda o: o.contrib.sam(o.adam(0.1), o.sgd(0.1, momentum=0.9)),
    "sam_opaque": lambda o: o.contrib.sam(o.sgd(0.1), o.sgd(0.1), opaque_mode=True),
}
MASK = {"kernel": True, "bias": False}


@pytest.mark.parametrize("name", CASES)
def test_form_is_optaxs(name):
    peer = pytest.importorskip("optax")
    tx = CASES[name](optax)
    state = jax.jit(tx.init)(PARAMS)
    alike(state, CASES[name](peer).init(PARAMS))
    alike(tx.formed(tx.flat(state, PARAMS), PARAMS), state)


@pytest.mark.parametrize("wrap", [lambda f: f, functools.partial], ids=["factory", "partial"])
def test_injected_is_with_optaxs_numbers(wrap):
    tx = optax.inject_hyperparams(wrap(optax.amsgrad))(learning_rate=0.1)
    assert tx.transform.args["arguments"]["debias_first"] is True
    mine = optax.inject_hyperparams(wrap(optax.amsgrad))(learning_rate=0.1, debias_first=False)
    assert mine.transform.args["arguments"]["debias_first"] is False


def test_static_args_are_checked_before_the_factory_is_called():
    with pytest.raises(ValueError, match="static_args has 'b3', which adam has not; did you mean b"):
        gc.inject_hyperparams(gc.adam, static_args="b3")


def test_what_optax_deprecates_warns():
    with pytest.warns(DeprecationWarning, match="optimistic_adam_v2"):
        assert optax.optimistic_adam(0.1).transform == gc.optimistic_adam(0.1)
    log_p = jnp.log(jnp.asarray([0.25, 0.75]))
    with pytest.warns(DeprecationWarning, match="generalized_kl_divergence"):
        found = optax.losses.convex_kl_divergence(log_p, jnp.exp(log_p))
    np.testing.assert_allclose(found, 0, atol=1e-7)


def test_extra_args_support_is_a_pair():
    pair = optax.GradientTransformation(
        lambda params: (), lambda updates, state, params=None: (updates, state)
    )
    tx = optax.with_extra_args_support(pair)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    assert tx.update(PARAMS, tx.init(PARAMS), PARAMS, unknown=1)[0] is not None


def test_lbfgs_takes_complex_gradients_conjugated():
    def f(z):
        return jnp.sum(jnp.abs(z - jnp.asarray([1 + 2j, 3 - 1j])) ** 2)

    for tx in (optax.lbfgs(), optax.lbfgs(linesearch=optax.scale_by_zoom_linesearch(20))):
        z = jnp.asarray([1 - 1j, 1j])
        state = tx.init(z)
        for _ in range(3):
            value, grad = jax.value_and_grad(f)(z)
            updates, state = tx.update(grad.conj(), state, z, value=value, grad=grad.conj(), value_fn=f)
            z = optax.apply_updates(z, updates)
        assert f(z) < 1e-6


def test_dice_loss_takes_either_without_the_axis_of_its_class():
    r = np.random.default_rng(0)
    logits, truth = r.normal(size=(2, 4, 4)), r.integers(0, 2, size=(2, 4, 4))
    expected = gc.losses.dice_loss(logits[..., None], truth[..., None])
    np.testing.assert_array_equal(gc.losses.dice_loss(logits, truth[..., None]), expected)
    np.testing.assert_array_equal(gc.losses.dice_loss(logits[..., None], truth), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint32", "int32", "bfloat16"])
def test_safe_increment_stays_at_the_largest(dtype):
    limits = jnp.iinfo if "int" in dtype else jnp.finfo
    top = jnp.asarray(limits(dtype).max, dtype)
    assert gc.safe_increment(top) == top
    assert gc.safe_increment(jnp.asarray(3, dtype)) == 4


def test_safe_increment_of_complex_numbers_is_an_error():
    with pytest.raises(ValueError, match="safe_increment: count is complex64"):
        gc.safe_increment(jnp.asarray(1, "complex64"))
