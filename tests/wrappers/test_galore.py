"""GaLore beside Optax's, and which matrices it projects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc

optax = pytest.importorskip("optax")
SHAPES = {"tall": (5, 3), "wide": (3, 4), "square": (4, 4), "bias": (3,)}


def train(tx, shapes, apply, steps=20):
    rng = np.random.default_rng(0)
    params = {k: jnp.asarray(rng.standard_normal(shape)) for k, shape in shapes.items()}
    state, update = tx.init(params), jax.jit(tx.update)
    for _ in range(steps):
        g = {k: jnp.asarray(rng.standard_normal(shape)) for k, shape in shapes.items()}
        updates, state = update(g, state, params)
        params = apply(params, updates)
    return params, state


def test_optax_s_numbers():
    """It finds the singular vectors in float32, whatever the gradient is."""
    args = {"rank": 2, "update_proj_gap": 3, "scale": 0.5, "weight_decay": 0.1}
    with jax.enable_x64(True):
        found, state = train(gc.galore(0.01, side="long", **args), SHAPES, gc.apply_updates)
        expected, theirs = train(optax.contrib.galore(0.01, **args), SHAPES, optax.apply_updates)
    for name in SHAPES:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
        ours, other = state["scale_by_galore"].projector[name], theirs[0].projector[name]
        assert ours.shape == other.shape or (name == "bias" and not ours.shape)


def test_state_is_small():
    _, state = train(gc.galore(0.01, rank=2), SHAPES, gc.apply_updates, 1)
    mu = state["scale_by_adam"].mu
    assert {k: x.shape for k, x in mu.items()} == {
        "tall": (5, 2),
        "wide": (2, 4),
        "square": (2, 4),
        "bias": (3,),
    }
    basis = state["scale_by_galore"].projector["tall"]
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-5)


def test_full_rank_keeps_the_gradient():
    """With a base that does nothing and all singular vectors nothing is lost, for stacks as well."""
    shapes = {**SHAPES, "kernel": (2, 3, 4)}
    rng = np.random.default_rng(0)
    g = {k: jnp.asarray(rng.standard_normal(shape), jnp.float32) for k, shape in shapes.items()}
    for side in ("short", "long"):
        tx = gc.scale_by_galore(9, base_optimizer=gc.identity(), side=side)
        found, state = tx.update(g, tx.init(g), g)
        short = {"tall": 5 > 3, "wide": True, "kernel": True}
        for name in short if side == "short" else ():
            np.testing.assert_allclose(found[name], g[name], atol=1e-5)
        assert state["scale_by_galore"].projector["kernel"].shape[0] == 2


def test_layers_of_a_stack_are_projected_one_by_one():
    rng = np.random.default_rng(0)
    g = jnp.asarray(rng.standard_normal((2, 3, 4)), jnp.float32)
    tx = gc.scale_by_galore(1, base_optimizer=gc.identity())
    together, _ = tx.update({"kernel": g}, tx.init({"kernel": g}), None)
    for i in range(2):
        alone, _ = tx.update({"kernel": g[i]}, tx.init({"kernel": g[i]}), None)
        np.testing.assert_allclose(together["kernel"][i], alone["kernel"], atol=1e-5)
        assert np.linalg.matrix_rank(alone["kernel"], tol=1e-4) == 1


def test_dimension_numbers():
    numbers = gc.GaLoreDimensionNumbers(0, (1, 2))
    shapes = {"attention": (4, 2, 3), "plain": (3, 4)}
    given = {"attention": numbers, "plain": None}
    with jax.enable_x64(True):
        for say in (given, lambda params: given):
            args = {"rank": 2, "weight_dimension_numbers": say}
            found, state = train(gc.galore(0.01, side="long", **args), shapes, gc.apply_updates, 5)
            expected, _ = train(optax.contrib.galore(0.01, **args), shapes, optax.apply_updates, 5)
            for name in shapes:
                np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
            assert state["scale_by_adam"].mu["plain"].shape == (3, 4)
    wrong = gc.scale_by_galore(weight_dimension_numbers=gc.GaLoreDimensionNumbers(0, 1))
    with pytest.raises(ValueError, match=r"'attention' of shape \[4, 2, 3\]; expected each of its axes once"):
        wrong.init({"attention": jnp.ones((4, 2, 3))})
    with pytest.raises(ValueError, match="1 entries for 2 leaves"):
        gc.scale_by_galore(weight_dimension_numbers=[None]).init([jnp.ones((2, 2)), jnp.ones(2)])


def test_a_base_that_needs_parameters_says_so():
    tx, params = gc.scale_by_galore(2, base_optimizer=gc.adamw(0.1)), {"kernel": jnp.ones((3, 4))}
    with pytest.raises(ValueError, match="needs the parameters"):
        tx.update(params, tx.init(params), params)


@pytest.mark.parametrize("spec", [P("data"), P(None, "data")])
@pytest.mark.parametrize("shape", [(16, 16), (8, 24)])
def test_a_split_matrix_is_projected_as_a_whole_one(shape, spec):
    """Also a square one, of which either side may come first on a mesh."""
    tx, params = gc.galore(0.1, rank=3), {"w": jnp.ones(shape)}
    grads = {"w": jax.random.normal(jax.random.key(0), shape)}
    home = NamedSharding(jax.make_mesh((8,), ("data",)), spec)
    there = jax.device_put((params, grads), home)
    (one, _), (split, _) = (
        jax.jit(lambda p, g: tx.step(g, tx.init(p), p))(*x) for x in ((params, grads), there)
    )
    np.testing.assert_allclose(split["w"], one["w"], atol=1e-6)
