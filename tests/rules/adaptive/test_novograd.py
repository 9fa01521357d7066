"""NovoGrad: one second moment for each layer, or for each leaf."""

import jax.numpy as jnp

import gradchain as gc
from tests.rules.steps import close, draw, stack_is_layers, take


def test_stack():
    stack_is_layers(gc.novograd(0.1, weight_decay=0.1), (3, 4, 2))


def test_shapes_of_the_moment():
    params = draw({"kernel": (2, 4, 3), "bias": (2, 3), "b": (3,), "x": ()})
    assert {k: v.shape for k, v in gc.scale_by_novograd().init(params)["scale_by_novograd"].nu.items()} == {
        "kernel": (2,), "bias": (2,), "b": (), "x": (),
    }  # fmt: skip
    whole = gc.scale_by_novograd(per_leaf=True).init(params)["scale_by_novograd"].nu
    assert all(v.shape == () for v in whole.values())


def test_the_first_update_has_norm_one():
    params = draw({"kernel": (4, 3)})
    found = take(gc.scale_by_novograd(eps=0.0), params, [params]).updates[0]["kernel"]
    close(jnp.linalg.norm(found), jnp.float32(1))
