"""A leaf that begins in the middle of a run: its statistics count its own steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RATE = 1e-3
PARAMS = {"body": jnp.ones(3), "head": jnp.ones((2, 3))}
GRADS = jax.tree.map(lambda x: jnp.full_like(x, 0.5), PARAMS)
BORN = "scale_by_adam/born/head"


def after(tx, params, state, steps, grads=GRADS):
    """Parameters and state after steps with a constant gradient."""

    def body(carry, _):
        return tx.step(grads, carry[1], carry[0]), None

    return jax.jit(lambda *carry: jax.lax.scan(body, carry, length=steps)[0])(params, state)


def sizes(tx, params, state, grads=GRADS, steps=4):
    """|step| / rate of each leaf, one row for each step."""

    def body(carry, _):
        updates, state = tx.update(grads, carry[1], carry[0])
        return (carry[0], state), jax.tree.map(lambda u: jnp.max(jnp.abs(u)) / RATE, updates)

    return jax.jit(lambda p, s: jax.lax.scan(body, (p, s), length=steps)[1])(params, state)


OPTIMIZERS = {
    "adam": lambda: gc.adam(RATE),
    "nadam": lambda: gc.nadam(RATE),
    "amsgrad": lambda: gc.amsgrad(RATE),
    "radam": lambda: gc.radam(RATE),
    "rmsprop": lambda: gc.rmsprop(RATE, bias_correction=True),
    "adafactor": lambda: gc.adafactor(RATE, multiply_by_parameter_scale=False),
    "factored": lambda: gc.adafactor(RATE, min_dim_size_to_factor=2),
    "ema": lambda: gc.chain(gc.ema(0.9), gc.scale_by_learning_rate(RATE)),
    "muon": lambda: gc.chain(gc.scale_by_muon(bias_correction=True), gc.scale_by_learning_rate(RATE)),
    "stored": lambda: gc.stored(gc.adam(RATE), "bfloat16", min_size=1),
    "scheduled": lambda: gc.adam(RATE, b1=lambda count: jnp.where(count < 4000, 0.0, 0.9)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_leaf_that_starts_anew_steps_as_with_a_fresh_optimizer(name, tmp_path):
    tx = OPTIMIZERS[name]()
    params, state = after(tx, PARAMS, tx.init(PARAMS), 5000)
    gc.save(tmp_path / "run", tx, state, params)
    loaded = gc.load(tmp_path / "run", tx, PARAMS, initialise=["**/head", "params/head"])
    found = sizes(tx, loaded.params, loaded.state)
    head = {"head": PARAMS["head"]}
    alone = tx.init(head)
    if name == "scheduled":  # schedules go on with the run, in which b1 is 0.9 by now
        tx = gc.adam(RATE)
        alone = tx.init(head)
    fresh = sizes(tx, head, alone, {"head": GRADS["head"]})
    np.testing.assert_allclose(found["head"], fresh["head"], rtol=1e-6)
    if name in ("adam", "amsgrad", "adafactor"):
        np.testing.assert_allclose([found["body"], found["head"]], 1, rtol=1e-4)


def test_unfrozen_and_new_leaves_and_leaves_of_another_group():
    first = gc.chain(gc.freeze("head"), gc.adam(RATE))
    params, state = after(first, PARAMS, first.init(PARAMS), 5000)
    tx = gc.adam(RATE)
    unfrozen, report = gc.load_state(tx, params, state)
    grown = {**params, "adapter": jnp.ones(2)}
    larger, _ = gc.load_state(tx, grown, unfrozen)
    found = sizes(tx, grown, larger, {**GRADS, "adapter": jnp.ones(2)})
    np.testing.assert_allclose(jax.tree.leaves(found), 1, rtol=1e-4)
    assert [o.note for o in report.outcomes if o.path == BORN] == ["begins at the count of its link"]

    def groups(**labels):
        return gc.partition({"fast": gc.adam(RATE), "slow": gc.sgd(RATE)}, labels)

    first, tx = groups(body="fast", head="slow"), gc.chain(groups(body="fast", head="fast"))
    params, state = after(first, PARAMS, first.init(PARAMS), 5000)
    moved, _ = gc.load_state(tx, params, state)
    np.testing.assert_allclose(jax.tree.leaves(sizes(tx, params, moved)), 1, rtol=1e-4)
    assert moved["fast"]["scale_by_adam"].born["head"] == 5000


@pytest.fixture(scope="module")
def run():
    """(optimizer, parameters, state) of 300 steps in which the head began at 200."""
    tx = gc.adam(RATE)
    params, state = after(tx, PARAMS, tx.init(PARAMS), 200)
    state, _ = gc.load_state(tx, params, state, initialise="**/head")
    return tx, *after(tx, params, state, 100)


def test_ages_are_saved_and_loaded(run, tmp_path):
    tx, params, state = run
    assert int(state["scale_by_adam"].born["head"]) == 200 and int(state["scale_by_adam"].count) == 300
    gc.save(tmp_path / "run", tx, state, params)
    loaded = gc.load(tmp_path / "run", tx, PARAMS, strict=True)
    assert jax.tree.structure(loaded.state) == jax.tree.structure(state)
    assert all(map(np.array_equal, jax.tree.leaves(loaded.state), jax.tree.leaves(state)))
    with gc.Checkpointer(tmp_path / "runs") as folder:
        folder.save(1, tx, state, params)
        assert folder.restore(tx, PARAMS).state["scale_by_adam"].born["head"] == 200


def test_where_all_begin_anew_or_the_count_does_no_age_is_kept(run):
    tx, params, state = run
    fresh = tx.init(params)
    for anew in ("scale_by_adam/**", "**/count"):
        made, _ = gc.load_state(tx, params, state, initialise=anew)
        assert jax.tree.structure(made) == jax.tree.structure(fresh) and made["scale_by_adam"].count == 0
    frozen = gc.chain(gc.freeze("head"), gc.adam(RATE))
    made, _ = gc.load_state(frozen, params, state)
    assert jax.tree.structure(made) == jax.tree.structure(frozen.init(params))


@pytest.mark.parametrize("wrap", [
    lambda tx: gc.offload(tx, min_size=0),
    lambda tx: gc.zero(tx, min_size=0),
    lambda tx: gc.masked(tx, "**"),
    lambda tx: gc.with_axes(tx, {}),
    lambda tx: gc.stored(tx, "int8", min_size=1),
])  # fmt: skip
def test_wrappers_carry_ages(run, wrap):
    tx, params, state = run
    outer = wrap(tx)
    inner, _ = gc.load_state(outer, params, state, saved_by=tx)
    assert inner["scale_by_adam"].born["head"] == 200
    found, after = jax.jit(outer.step)(GRADS, inner, params)
    assert jax.tree.structure(after) == jax.tree.structure(inner)
    expected, _ = tx.step(GRADS, state, params)
    for x, y, p in zip(*map(jax.tree.leaves, (found, expected, params)), strict=True):
        np.testing.assert_allclose(x - p, y - p, rtol=0.05)


def test_reading_converting_and_laying_out_a_state_with_ages(run):
    tx, params, state = run
    assert int(gc.metrics(state)["step"]) == 300
    to = gc.stored(tx, "int8", min_size=1)
    small = gc.convert(state, tx, to, params)
    assert small["scale_by_adam"].born["head"] == 200
    back = gc.convert(small, to, tx, params)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    mesh = jax.make_mesh((2,), ("data",))
    placed = jax.device_put(params, jax.NamedSharding(mesh, jax.P()))
    shardings = gc.layout(tx, placed, state=state).shardings()
    assert jax.tree.structure(shardings) == jax.tree.structure(state)


def test_a_reset_gives_all_leaves_one_age(run):
    tx, params, state = run
    outer = gc.reset_every(tx, 2)
    state, _ = gc.load_state(outer, params, state)
    params, state = after(outer, params, state, 2)
    assert int(state["scale_by_adam"].count) == 0 and int(state["scale_by_adam"].born["head"]) == 0
    np.testing.assert_allclose(jax.tree.leaves(sizes(outer, params, state)), 1, rtol=1e-4)


def test_an_optimizer_of_flax_takes_ages_and_gives_them_up(run):
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):
        def __init__(self):
            self.body = nnx.Param(jnp.ones(3))
            self.head = nnx.Param(jnp.ones(2))

    model, tx = Model(), gc.adam(RATE)
    holder = nnx.Optimizer(model, tx, wrt=nnx.Param)
    grads = jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param))
    step = nnx.jit(lambda holder, model, grads: holder.update(model, grads))
    step(holder, model, grads)
    before, params = gc.state_dict(holder), nnx.state(model, nnx.Param)
    state, _ = gc.load_state(tx, params, before, initialise="**/head")
    gc.set_state(holder, state)
    step(holder, model, grads)
    assert int(gc.state_dict(holder)[BORN]) == 1 and int(gc.metrics(holder)["step"]) == 2
    gc.set_state(holder, gc.load_state(tx, params, before)[0])
    assert gc.state_dict(holder).keys() == before.keys()


def test_ages_cost_nothing_where_there_are_none(run):
    tx, params, state = run
    fresh = tx.init(params)

    def equations(state):
        return len(jax.make_jaxpr(tx.step)(GRADS, state, params).eqns)

    assert equations(state) == equations(fresh) + 1  # one subtraction for one leaf


def test_a_constant_that_became_a_schedule_goes_on_at_the_step_of_the_run():
    def optimizer(decay):
        return gc.chain(gc.scale_by_adam(), gc.add_decayed_weights(decay), gc.scale_by_learning_rate(RATE))

    first, tx = optimizer(0.1), optimizer(lambda count: 0.01 * count)
    params, state = after(first, PARAMS, first.init(PARAMS), 7)
    state, report = gc.load_state(tx, params, state)
    assert int(state["add_decayed_weights"].count) == 7
    assert report.notes["add_decayed_weights/count"] == "goes on from the largest count"
    _, state = tx.step(GRADS, state, params)
    assert float(gc.hyperparams(tx, state)["add_decayed_weights/weight_decay"]) == pytest.approx(0.07)


def test_a_count_that_nobody_kept_goes_on_with_the_statistics_that_it_corrects():
    first, tx = gc.rmsprop(RATE), gc.rmsprop(RATE, bias_correction=True)
    params, state = after(first, PARAMS, first.init(PARAMS), 7)
    state, _ = gc.load_state(tx, params, state)
    assert int(state["scale_by_rms"].count) == 7
    np.testing.assert_allclose(jax.tree.leaves(sizes(tx, params, state)), 1, rtol=1e-4)


def test_a_wrapper_made_anew_counts_on_where_a_schedule_reads_it():
    first, tx = gc.adam(RATE), gc.accumulate(gc.adam(RATE), lambda count: 1 + count // 7)
    params, state = after(first, PARAMS, first.init(PARAMS), 7)
    state, _ = gc.load_state(tx, params, state)
    assert int(state["accumulate"].gradient_step) == 7 and int(state["accumulate"].mini_step) == 0
