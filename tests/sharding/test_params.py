"""param_shardings: patterns of paths become places on a mesh, and what does not fit is named."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec as P

import gradchain as gc

PARAMS = {
    "blocks": [{"up": jnp.ones((4, 8)), "down": jnp.ones((8, 4))} for _ in range(2)],
    "scale": jnp.ones(4),
}
SPECS = {"blocks/1/up": (), "**/up": (None, "model"), "**/down": P("model")}


def test_the_first_pattern_that_matches_counts_and_the_rest_is_whole():
    mesh = gc.make_mesh(2)
    found = gc.param_shardings(PARAMS, mesh, SPECS)
    specs = jax.tree.map(lambda s: s.spec, found)
    first, second = specs["blocks"]
    assert first == {"up": P(None, "model"), "down": P("model")}
    assert second == {"up": P(), "down": P("model")} and specs["scale"] == P()
    placed = jax.device_put(PARAMS, found)
    assert placed["blocks"][0]["up"].addressable_shards[0].data.shape == (4, 4)
    assert jax.tree.map(lambda x: x.sharding, placed) == found


@pytest.mark.parametrize("explicit", [False, True])
def test_they_are_the_specs_that_zero_takes(explicit):
    mesh = gc.make_mesh(2, explicit=explicit)
    params = jax.device_put(PARAMS, gc.param_shardings(PARAMS, mesh, SPECS))
    tx = gc.zero(gc.adam(1e-3), "data", specs=SPECS, min_size=0)
    mu = gc.init(tx, params)["scale_by_adam"].mu
    assert mu["blocks"][0]["up"].addressable_shards[0].data.shape == (1, 4)


def test_abstract_parameters_of_a_model_keep_their_structure():
    shapes = nnx.state(nnx.eval_shape(lambda: nnx.Linear(4, 8, rngs=nnx.Rngs(0))), nnx.Param)
    found = gc.param_shardings(shapes, gc.make_mesh(2), {"kernel": (None, "model")})
    assert found["kernel"].get_value().spec == P(None, "model")


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({"**/upp": ("model",)}, r"'\*\*/upp' matches no parameter; there are 'blocks/0/down'"),
        ({"scale": (None, "model")}, r"longer than the shape of 'scale', \[4\]"),
        ({"scale": ("expert",)}, "'scale' is to be split over 'expert'; the mesh has 'data', 'model'"),
        (
            {"scale": (("data", "model"),)},
            r"'scale' has shape \[4\], and 4 cannot be divided over the 8 devices",
        ),
    ],
)
def test_what_does_not_fit_is_named(specs, expected):
    with pytest.raises(ValueError, match=expected):
        gc.param_shardings(PARAMS, gc.make_mesh(2), specs)
