"""Adafactor: what is factored along which axes, the fused kernel against its parts, and what is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, problem, stack_is_layers, take

PARTS = {"min_dim_size_to_factor": 2}


def factors(shape, path="kernel", **kwargs):
    """Shapes of v_row, v_col and v for one leaf."""
    tx = gc.scale_by_factored_rms(min_dim_size_to_factor=4, **kwargs)
    keys = path.split("/")
    params = jax.ShapeDtypeStruct(shape, jnp.float32)
    for key in reversed(keys):
        params = {key: params}
    s = tx.slots(params)["scale_by_factored_rms"]
    return [jax.tree.leaves(field)[0].shape for field in (s.v_row, s.v_col, s.v)]


def test_what_is_factored():
    assert factors((4, 6)) == [(4,), (6,), ()]
    assert factors((4, 3)) == [(), (), (4, 3)]  # too few columns
    assert factors((4, 6), factored=False) == [(), (), (4, 6)]
    assert factors((100,), "bias") == [(), (), (100,)]
    assert factors((8, 100), "bias") == [(), (), (8, 100)]  # a stack of vectors is no matrix
    assert factors((5, 4, 6)) == [(5, 4), (5, 6), ()]  # a stack of matrices
    assert factors((3, 3, 4, 6), "conv/kernel") == [(3, 3, 4), (6,), ()]
    assert factors((8, 2, 3), "attention/query/kernel") == [(8,), (2, 3), ()]
    assert factors(()) == [(), (), ()]
    assert factors((0, 6)) == [(), (), (0, 6)]


LEAVES = {
    "dense/kernel": (6, 4),
    "stack/kernel": (3, 6, 4),
    "conv/kernel": (3, 3, 2, 4),
    "query/kernel": (6, 2, 3),
    "dense/bias": (5,),
}


@pytest.mark.parametrize("scaled", [True, False])
def test_fused_kernel_is_the_chain_of_its_parts(scaled, x64):
    params, grads = problem(LEAVES, dtype="float64")  # a key with a slash is a path as well
    grads = [jax.tree.map(lambda x, s=s: s * x, g) for s, g in zip([1.0, 5.0, 1e-6], grads, strict=True)]
    links = [gc.scale_by_factored_rms(**PARTS), gc.clip_by_block_rms(0.9)]
    parts = gc.chain(*links, *([gc.scale_by_param_block_rms()] if scaled else []))
    fused = gc.scale_by_adafactor(**PARTS, multiply_by_parameter_scale=scaled, clipping_threshold=0.9)
    found, expected = take(fused, params, grads), take(parts, params, grads)
    close(found.updates, expected.updates, rtol=1e-12)
    close(found.state["scale_by_adafactor"], expected.state["scale_by_factored_rms"], rtol=1e-12)


def test_clipping_bites_and_can_be_left_out():
    params, grads = problem({"kernel": (6, 4)})
    rms = lambda u: float(jnp.sqrt(jnp.mean(u["kernel"] ** 2)))  # noqa: E731
    tx = gc.scale_by_adafactor(**PARTS, multiply_by_parameter_scale=False, clipping_threshold=0.3)
    assert all(rms(u) == pytest.approx(0.3, rel=1e-5) for u in take(tx, params, grads).updates)
    free = take(tx.replace(clipping_threshold=None), params, grads).updates
    close(free, take(gc.scale_by_factored_rms(**PARTS), params, grads).updates)


def test_rank_one_squares_are_exact():
    """Where |g|^2 is an outer product the factors lose nothing: u = sign(g)."""
    a, b = jnp.array([1e-3, -2.0, 30.0]), jnp.array([0.1, -5.0, 700.0, 1.0])
    g = {"kernel": jnp.outer(a, b)}
    found = take(gc.scale_by_factored_rms(**PARTS), {"kernel": jnp.ones((3, 4))}, [g, g, g])
    for u in found.updates:
        close(u["kernel"], jnp.sign(g["kernel"]))


def test_a_stack_is_its_layers():
    stack_is_layers(gc.adafactor(0.1, min_dim_size_to_factor=2, weight_decay=0.01))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("eps", [1e-30, 0.0])
def test_zero_gradients(dtype, eps):
    params, grads = problem({"kernel": (4, 3), "bias": (3,), "scalar": ()}, dtype=dtype)
    zero = jax.tree.map(jnp.zeros_like, params)
    tx = gc.adafactor(0.1, **PARTS, eps=eps)
    for u, g in zip(take(tx, params, [zero, grads[0], zero]).updates, [zero, grads[0], zero], strict=True):
        for x, y in zip(jax.tree.leaves(u), jax.tree.leaves(g), strict=True):
            assert np.all(np.isfinite(x)) and np.array_equal(x != 0, y != 0)


@pytest.mark.parametrize("eps", [1e-30, 0.0])
def test_differentiable_at_zero(eps):
    tx, params = gc.adafactor(0.1, **PARTS, eps=eps), {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}

    def moved(g):
        return sum(jnp.sum(u) for u in jax.tree.leaves(tx.update(g, tx.init(params), params)[0]))

    for g in (jax.tree.map(jnp.zeros_like, params), params):
        assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(jax.grad(moved)(g)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("least", [1, 128], ids=["factored", "whole"])
def test_narrow_parameters_where_64_bits_are_on(dtype, least, x64):
    """The weight of the average is float64 then, and XLA reduces arrays of one dtype together only."""
    tx = gc.scale_by_adafactor(min_dim_size_to_factor=least, eps=gc.tunable(1e-30))
    params = {"kernel": jnp.asarray([[1.0, 2.0], [3.0, -4.0]], dtype)}
    updates, after = jax.jit(tx.update)(params, state := tx.init(params), params)
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)
    with jax.enable_x64(False):
        expected, _ = jax.jit(tx.update)(params, tx.init(params), params)
    np.testing.assert_allclose(updates["kernel"], expected["kernel"], rtol=2e-6)


def test_decay_of_the_average():
    """w = t^-0.8 from the step after the offset; up to it the average starts afresh each step."""
    params, grads = problem({"bias": (3,)})
    found = take(gc.scale_by_factored_rms(step_offset=1), params, grads)
    g2, g3 = (np.square(g["bias"]) for g in grads[1:])
    w = 2**-0.8
    close(found.state["scale_by_factored_rms"].v["bias"], (1 - w) * g2 + w * g3)


def test_on_a_mesh():
    mesh = jax.make_mesh(
        (2, 2), ("x", "y"), devices=jax.devices()[:4], axis_types=(jax.sharding.AxisType.Auto,) * 2
    )
    params, grads = problem({"kernel": (8, 4)})
    tx = gc.adafactor(0.1, **PARTS)
    expected = take(tx, params, grads)
    place = lambda tree: jax.device_put(tree, jax.NamedSharding(mesh, jax.P("x", "y")))  # noqa: E731
    found = take(tx, place(params), [place(g) for g in grads])
    close(found.updates, expected.updates)
    assert found.state["scale_by_adafactor"].v_row["kernel"].sharding.spec == jax.P("x")
    assert found.state["scale_by_adafactor"].v_col["kernel"].sharding.spec == jax.P("y")


def test_links_by_argument():
    links = lambda **kwargs: [link.name for link in gc.adafactor(**kwargs).body.links]  # noqa: E731
    assert links() == ["scale_by_adafactor", "scale"]
    assert links(learning_rate=0.1, momentum=0.9, weight_decay_rate=0.1) == [
        "scale_by_adafactor",
        "scale_by_learning_rate",
        "ema",
        "add_decayed_weights",
        "scale",
    ]
