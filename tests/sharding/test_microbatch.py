"""Gradients over microbatches: equal to those of the full batch, and reduced once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain.aot.collectives import collectives
from gradchain.aot.hlo import Program

WIDTH, HIDDEN, BATCH = 64, 128, 64
SPECS = {"up": (None, "model"), "bias": ("model",), "down": ("model",)}
MESHES = {"data": (8,), "data0 data1": (2, 4), "data model": (4, 2), "data0 data1 model": (2, 2, 2)}


def parameters():
    keys = jax.random.split(jax.random.key(0), 2)
    return {
        "up": jax.random.normal(keys[0], (WIDTH, HIDDEN)) / 8,
        "bias": jnp.zeros(HIDDEN),
        "down": jax.random.normal(keys[1], (HIDDEN, WIDTH)) / 11,
    }


def examples():
    """Inputs, and a mask of a random half of them: the microbatches weigh differently."""
    keys = jax.random.split(jax.random.key(1), 2)
    return jax.random.normal(keys[0], (BATCH, WIDTH)), jax.random.bernoulli(keys[1], 0.5, (BATCH,)) * 1.0


def squares(params, x):
    return ((jnp.tanh(x @ params["up"] + params["bias"]) @ params["down"]) ** 2).mean(-1)


def mean(params, batch):
    return squares(params, batch[0]).mean()


def masked_mean(params, batch):
    x, mask = batch
    return (squares(params, x) * mask).sum() / mask.sum()


def tokens(batch):
    return batch[1].sum()


def mesh_of(names, kind=AxisType.Auto):
    axes = names.split()
    grid = np.array(jax.devices()).reshape(MESHES[names])
    return Mesh(grid, axes, axis_types=(kind,) * len(axes))


def placed(mesh, stage, kind=AxisType.Auto):
    """Parameters and batch on a mesh, and the optimizer."""
    model = "model" in mesh.axis_names
    specs = {k: P(*SPECS[k]) if model else P() for k in SPECS}
    params = {k: jax.device_put(v, NamedSharding(mesh, specs[k])) for k, v in parameters().items()}
    tx = gc.sgd(0.1)
    if stage:
        tx = gc.zero(tx, stage=stage, min_size=256, specs=SPECS if model and kind is AxisType.Auto else None)
    batch = jax.device_put(examples(), NamedSharding(mesh, P(gc.data_axes(mesh))))
    return jax.device_put(params, gc.layout(tx, params).params), batch, tx


def moved(f, *args):
    return collectives(Program(jax.jit(f).lower(*args).compile().as_text()))


def close(a, b, tolerance=2e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=tolerance), a, b)


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("stage", [None, 1, 2, 3])
@pytest.mark.parametrize("names", MESHES)
def test_equal_to_the_full_batch_whatever_the_microbatches_weigh(names, stage, n):
    params, batch, tx = placed(mesh_of(names), stage)
    loss, grads = jax.jit(gc.microbatch_value_and_grad(masked_mean, n, optimizer=tx, weight=tokens))(
        params, batch
    )
    wanted = jax.value_and_grad(masked_mean)(parameters(), examples())
    close((loss, grads), wanted)
    if stage:
        slots = gc.layout(gc.zero(gc.ema(0.9), stage=stage, min_size=256, specs=tx.args["specs"]), params)
        assert grads["up"].sharding == slots.shardings()["ema"].ema["up"]


@pytest.mark.parametrize("stage", [None, 1, 2, 3])
def test_on_an_explicit_mesh(stage):
    params, batch, tx = placed(mesh_of("data0 data1", AxisType.Explicit), stage, AxisType.Explicit)
    found = jax.jit(gc.microbatch_value_and_grad(mean, 2, optimizer=tx))(params, batch)
    close(found, jax.value_and_grad(mean)(parameters(), examples()))


def test_without_a_mesh():
    found = jax.jit(gc.microbatch_value_and_grad(masked_mean, 4, weight=tokens))(parameters(), examples())
    close(found, jax.value_and_grad(masked_mean)(parameters(), examples()))


def test_a_microbatch_of_padding_counts_nothing():
    x, mask = examples()
    mask = mask.at[:16].set(0)
    found = jax.jit(gc.microbatch_value_and_grad(masked_mean, 4, weight=tokens))(parameters(), (x, mask))
    close(found, jax.value_and_grad(masked_mean)(parameters(), (x, mask)))


@pytest.mark.parametrize("stage", [None, 1])
def test_one_reduction_after_the_loop(stage):
    params, batch, tx = placed(mesh_of("data"), stage)
    found = moved(gc.microbatch_grad(mean, 4, optimizer=tx), params, batch)
    assert not [c for c in found if c.loop], "a collective within the loop"
    assert {c.kind for c in found} == ({"all-reduce", "reduce-scatter"} if stage else {"all-reduce"})
    scattered = [c for c in found if c.kind == "reduce-scatter"]
    assert sum(c.operand_bytes for c in scattered) == (4 * 2 * WIDTH * HIDDEN if stage else 0)
    reduced = sum(c.operand_bytes for c in found if c.kind == "all-reduce")
    assert reduced <= 4 * (HIDDEN + 2 + (0 if stage else 2 * WIDTH * HIDDEN))  # bias, weight and loss


def test_stage_2_scatters_within_the_loop_and_sums_parts():
    params, batch, tx = placed(mesh_of("data"), 2)
    found = moved(gc.microbatch_grad(mean, 4, optimizer=tx), params, batch)
    assert {c.kind for c in found if c.loop} == {"reduce-scatter"}
    whole = jax.jit(gc.microbatch_grad(mean, 4, optimizer=tx.replace(stage=1))).lower(params, batch).compile()
    parts = jax.jit(gc.microbatch_grad(mean, 4, optimizer=tx)).lower(params, batch).compile()
    saved = whole.memory_analysis().temp_size_in_bytes - parts.memory_analysis().temp_size_in_bytes
    assert saved > 0


def test_zero_takes_the_gradients_as_they_arrive():
    params, batch, tx = placed(mesh_of("data0 data1"), 1)
    grads = gc.microbatch_grad(mean, 2, optimizer=tx)
    state = gc.init(tx, params)
    found = moved(lambda p, s, b: tx.step(grads(p, b), s, p), params, state, batch)
    gathered = [c for c in found if c.kind == "all-gather"]
    size = 4 * WIDTH * HIDDEN
    assert sum(c.moved for c in gathered) == 2 * size * 7 / 8  # the parameters, and nothing else
    assert {c.kind for c in found} == {"reduce-scatter", "all-reduce", "all-gather"}


def test_a_run_time_number_of_microbatches_compiles_once():
    params, batch, tx = placed(mesh_of("data"), 1)
    f = jax.jit(gc.microbatch_value_and_grad(mean, 4, optimizer=tx))
    for steps in (1, 3, 4):
        found = f(params, batch, steps=jnp.int32(steps))
        cut = examples()[0].reshape(8, 4, 2, WIDTH)[:, :steps].reshape(-1, WIDTH)  # of each device
        close(found, jax.value_and_grad(mean)(parameters(), (cut, None)))
    assert f._cache_size() == 1


def test_sums_are_float32_for_bfloat16_parameters():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), parameters())
    exact = jax.grad(mean)(jax.tree.map(lambda x: x.astype(jnp.float32), params), examples())
    grads = jax.jit(gc.microbatch_grad(mean, 32))(params, examples())
    coarse = jax.jit(gc.microbatch_grad(mean, 32, accumulator_dtype=jnp.bfloat16))(params, examples())

    def error(found):
        return float(gc.global_norm(jax.tree.map(jnp.subtract, found, exact)) / gc.global_norm(exact))

    assert grads["up"].dtype == jnp.float32
    assert 2 * error(grads) < error(coarse)


def test_what_comes_with_the_loss_is_averaged_alike():
    def loss(params, batch):
        return masked_mean(params, batch), {"largest": batch[0].max(), "ones": jnp.float32(1)}

    params, batch, _ = placed(mesh_of("data"), None)
    f = gc.microbatch_value_and_grad(loss, 2, has_aux=True, weight=tokens)
    (value, aux), grads = jax.jit(f)(params, batch)
    assert aux["ones"] == pytest.approx(1)
    weights = examples()[1].reshape(16, -1).sum(-1)
    largest = examples()[0].reshape(16, -1).max(-1)
    assert aux["largest"] == pytest.approx(float((weights * largest).sum() / weights.sum()), rel=1e-5)
    close((value, grads), jax.value_and_grad(masked_mean)(parameters(), examples()))
    only, with_aux = jax.jit(gc.microbatch_grad(loss, 2, has_aux=True, weight=tokens))(params, batch)
    close((only, with_aux), (grads, aux))


def test_further_arguments_are_the_same_for_all():
    params, batch, _ = placed(mesh_of("data"), None)
    f = gc.microbatch_value_and_grad(lambda p, b, factor: factor * mean(p, b), 2)
    found = jax.jit(f)(params, batch, jnp.float32(3))
    close(found, jax.value_and_grad(lambda p, b: 3 * mean(p, b))(parameters(), examples()), 6e-6)


def test_parameters_of_stage_3_are_gathered_outside_the_loop_in_a_narrower_dtype():
    params, batch, tx = placed(mesh_of("data"), 3)
    f = gc.microbatch_grad(mean, 4, optimizer=tx, gather_dtype=jnp.bfloat16)
    text = jax.jit(f).lower(params, batch).as_text()
    assert "bf16" in text
    found = jax.jit(f)(params, batch)
    close(found, jax.grad(mean)(parameters(), examples()), 2e-3)


# Errors ---------------------------------------------------------------------------------------------------


def test_a_loss_that_is_reduced_already_is_an_error():
    params, batch, _ = placed(mesh_of("data"), None)
    with pytest.raises(ValueError, match=r"does not differ from device to device along 'data'.*psum, pmean"):
        jax.jit(gc.microbatch_grad(lambda p, b: jax.lax.pmean(mean(p, b), "data"), 4))(params, batch)


def test_a_batch_that_does_not_divide_is_an_error():
    params, (x, mask), _ = placed(mesh_of("data"), None)
    with pytest.raises(ValueError, match=r"\[64, 64\]; its first axis must be a multiple of 8 devices x 3"):
        gc.microbatch_grad(mean, 3)(params, (x, mask))
    with pytest.raises(ValueError, match=r"must be a multiple of 1 devices x 3 microbatches"):
        gc.microbatch_grad(mean, 3)(parameters(), examples())  # without a mesh


def test_a_loss_that_is_no_number_is_an_error():
    params, batch, _ = placed(mesh_of("data"), None)
    with pytest.raises((ValueError, TypeError), match=r"scalar|a number"):
        jax.jit(gc.microbatch_grad(lambda p, b: squares(p, b[0]), 2))(params, batch)


def test_an_axis_that_the_mesh_has_not_is_an_error():
    params, batch, _ = placed(mesh_of("data"), None)
    with pytest.raises(ValueError, match="microbatch_grad: the mesh has no axis 'batch'; it has 'data'"):
        gc.microbatch_grad(mean, 2, axis="batch")(params, batch)


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_a_number_of_microbatches_that_is_none_is_an_error(n):
    with pytest.raises(ValueError, match="expected a whole number, 1 or more"):
        gc.microbatch_grad(mean, n)


def test_explicit_axes_that_jax_would_gather_are_warned_of():
    params, batch, _ = placed(mesh_of("data model", AxisType.Explicit), None, AxisType.Explicit)

    def loss(p, b):
        return (b[0] @ p["up"]).mean() ** 2

    with pytest.warns(gc.ShardingWarning, match="'bias' is split as"):
        jax.jit(gc.microbatch_grad(loss, 2)).lower(params, batch)
