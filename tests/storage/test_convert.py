"""convert: a state in another storage of the same optimizer, and back."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from codec_cases import grads_like
from flax import nnx

import gradchain as gc

PARAMS = {"a": jnp.ones((160, 192)), "b": {"kernel": jnp.ones((130, 140)), "bias": jnp.ones(7)}}
ADAM = gc.adamw(1e-3)
BASE = gc.partition({"x": ADAM, "y": gc.rmsprop(1e-3)}, {"a": "x", "**": "y"})
CODECS = ("float32", "bfloat16", "float16", "log8", "int8", "fp8", "rank_one")
STORED = {codec: gc.stored(BASE, codec) for codec in CODECS}
ERROR = {"float32": 0, "bfloat16": 0.003, "float16": 0.001, "log8": 0.1, "int8": 0.02, "fp8": 0.08}


@pytest.fixture(scope="module")
def trained():
    params, state = PARAMS, BASE.init(PARAMS)
    step = jax.jit(BASE.step)
    for i in range(3):
        params, state = step(grads_like(params, i), state, params)
    return params, state


def same_bits(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("codec", CODECS)
def test_there_and_back(codec, trained):
    params, state = trained
    made = gc.convert(state, BASE, STORED[codec], PARAMS)
    fresh = STORED[codec].init(PARAMS)
    assert jax.tree.structure(made) == jax.tree.structure(fresh)
    for x, y in zip(jax.tree.leaves(made), jax.tree.leaves(fresh), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
    assert int(made["stored"].count) == 3
    STORED[codec].step(grads_like(params, 3), made, params)
    back = gc.convert(made, STORED[codec], BASE, PARAMS)
    assert "stored" not in back
    same_bits(back["y"]["scale_by_rms"].nu["b/bias"], state["y"]["scale_by_rms"].nu["b/bias"])  # small: exact
    if codec != "rank_one":
        nu, was = back["x"]["scale_by_adam"].nu["a"], state["x"]["scale_by_adam"].nu["a"]
        assert np.mean(np.abs(nu / was - 1)) <= ERROR[codec]


def test_what_is_kept_alike_is_taken_over(trained):
    _, state = trained
    for codec in CODECS:
        made = gc.convert(state, BASE, STORED[codec], PARAMS)
        same_bits(gc.convert(made, STORED[codec], STORED[codec], PARAMS), made)
    mixed = gc.stored(BASE, {"nu": "log8", "mu": "bfloat16"})
    small = gc.convert(state, BASE, STORED["log8"], PARAMS)
    other = gc.convert(small, STORED["log8"], mixed, PARAMS)
    same_bits(other["x"]["scale_by_adam"].nu, small["x"]["scale_by_adam"].nu)


@pytest.mark.parametrize(("one", "two"), [*itertools.permutations(("log8", "int8", "rank_one"), 2)])
def test_from_codec_to_codec(one, two, trained):
    params, state = trained
    made = gc.convert(gc.convert(state, BASE, STORED[one], PARAMS), STORED[one], STORED[two], PARAMS)
    STORED[two].step(grads_like(params, 3), made, params)
    assert all(np.all(np.isfinite(x.astype(jnp.float32))) for x in jax.tree.leaves(made))


def test_of_an_nnx_optimizer():
    model = nnx.Linear(64, 64, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, ADAM, wrt=nnx.Param)
    small = gc.stored(ADAM, "log8", min_size=0)
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    state = gc.convert(optimizer, ADAM, small, params)
    assert state["scale_by_adam"].nu["kernel"].dtype == jnp.uint8


def test_abstract_parameters_and_placement():
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    params = {"w": jax.device_put(jnp.ones((64, 64)), jax.NamedSharding(mesh, jax.P("d", None)))}
    small = gc.stored(ADAM, "log8", min_size=0)
    abstract = jax.eval_shape(lambda: {"w": jnp.ones((64, 64))})
    made = gc.convert(ADAM.init(params), ADAM, small, abstract)
    kept = made["scale_by_adam"].mu["w"]
    assert kept.sharding.is_equivalent_to(params["w"].sharding, 2)


def test_bad_input(trained):
    _, state = trained
    with pytest.raises(
        ValueError, match=r"the state and what adamw.* differ: 'scale_by_adam/count' is only in"
    ):
        gc.convert(state, ADAM, STORED["log8"], PARAMS)
    with pytest.raises(ValueError, match="the two optimizers differ: 'scale_by_adam' is only in the second"):
        gc.convert(state, BASE, gc.stored(ADAM, "log8"), PARAMS)
    other = {"a": PARAMS["a"], "b": {"kernel": PARAMS["b"]["kernel"]}}
    with pytest.raises(ValueError, match="differ: 'y/scale_by_rms/nu/b/bias' is only in the first"):
        gc.convert(state, BASE, STORED["log8"], other)
