"""A run that began with Optax goes on here with the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import says

import gradchain as gc

optax = pytest.importorskip("optax")
rng = np.random.default_rng(0)
SHAPES = {"a": {"kernel": (140, 130), "bias": (3,)}, "w": (130, 150)}
is_shape = lambda x: isinstance(x, tuple)  # noqa: E731
normal = lambda s: jnp.asarray(rng.normal(size=s), jnp.float32)  # noqa: E731
PARAMS = jax.tree.map(normal, SHAPES, is_leaf=is_shape)
GRADS = [jax.tree.map(normal, SHAPES, is_leaf=is_shape) for _ in range(7)]
MASK = {"a": {"kernel": True, "bias": False}, "w": False}
LABELS = {"a": {"kernel": "x", "bias": "x"}, "w": "y"}
RATE = 0.01


def both(name, *args, **kwargs):
    return getattr(gc, name)(*args, **kwargs), getattr(optax, name)(*args, **kwargs)


PLAIN = ("adam", "adamw", "nadam", "radam", "lion", "adafactor", "rmsprop", "adagrad", "lamb", "sgd")


def clipped(lib):
    return lib.chain(lib.clip_by_global_norm(1.0), lib.adamw(RATE, weight_decay=0.1))


PAIRS = {name: both(name, RATE) for name in PLAIN} | {
    "adadelta": both("adadelta", 1.0),
    "lars": both("lars", 0.5),
    "momentum": both("sgd", RATE, momentum=0.9),
    "nesterov": both("sgd", RATE, momentum=0.9, nesterov=True),
    "rmsprop with momentum": both("rmsprop", RATE, momentum=0.9, bias_correction=True),
    "adafactor with momentum": both("adafactor", RATE, momentum=0.9),
    "schedule": (gc.adamw(gc.linear_schedule(RATE, 0, 10)), optax.adamw(optax.linear_schedule(RATE, 0, 10))),
    "clipped": (clipped(gc), clipped(optax)),
    "masked": (gc.masked(gc.adamw(RATE), "**/kernel"), optax.masked(optax.adamw(RATE), MASK)),
    "masked decay": (
        gc.adamw(RATE, weight_decay=0.1, mask="**/kernel"),
        optax.adamw(RATE, weight_decay=0.1, mask=MASK),
    ),
    "two traces": tuple(lib.chain(lib.trace(0.9), lib.trace(0.5), lib.scale(-0.1)) for lib in (gc, optax)),
    "MultiSteps": (gc.MultiSteps(gc.adam(RATE), 2), optax.MultiSteps(optax.adam(RATE), 2)),
    "MultiSteps, sums": (
        gc.MultiSteps(gc.adam(RATE), 2, use_grad_mean=False),
        optax.MultiSteps(optax.adam(RATE), 2, use_grad_mean=False),
    ),
    "MultiSteps, a running mean": (
        gc.MultiSteps(gc.adam(RATE), 2, running_mean=True, should_skip_update_fn=gc.skip_not_finite),
        optax.MultiSteps(optax.adam(RATE), 2, should_skip_update_fn=optax.skip_not_finite),
    ),
    "conditionally_mask": tuple(
        lib.conditionally_mask(lib.adam(RATE), lambda step: step % 3 != 1) for lib in (gc, optax)
    ),
    "injected": tuple(
        lib.inject_hyperparams(lib.adamw)(lib.linear_schedule(RATE, 0.0, 50), b1=0.8) for lib in (gc, optax)
    ),
    "apply_if_finite": (gc.apply_if_finite(gc.adam(RATE), 3), optax.apply_if_finite(optax.adam(RATE), 3)),
    "inject_hyperparams": (
        gc.adamw(gc.tunable(0.5)),
        optax.inject_hyperparams(optax.adamw)(learning_rate=RATE),
    ),
    "partition": (
        gc.partition({"x": gc.adam(RATE), "y": gc.adam(0.1)}, {"a/**": "x", "**": "y"}),
        optax.partition({"x": optax.adam(RATE), "y": optax.adam(0.1)}, LABELS),
    ),
    "named_chain": tuple(
        lib.named_chain(("first", lib.clip(1.0)), ("second", lib.adam(RATE))) for lib in (gc, optax)
    ),
}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
def test_it_goes_on(ours, theirs):
    params, before = PARAMS, theirs.init(PARAMS)
    update = jax.jit(theirs.update)
    for grads in GRADS[:3]:
        updates, before = update(grads, before, params)
        params = optax.apply_updates(params, updates)
    state, report = gc.from_optax(ours, params, before)
    assert jax.tree.structure(state) == jax.tree.structure(ours.init(params))
    a = b = params
    step = jax.jit(ours.step)
    for grads in GRADS[3:]:
        updates, before = update(grads, before, a)
        a = optax.apply_updates(a, updates)
        b, state = step(grads, state, b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)
    fresh = ours.init(params)
    c = params
    for grads in GRADS[3:]:
        c, fresh = step(grads, fresh, c)
    moved = max(
        float(jnp.max(jnp.abs(x - y))) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(c), strict=True)
    )
    if any(x.shape for x in jax.tree.leaves(fresh)):
        assert moved > 2e-3  # a state that had begun anew would show
    assert not [path for path in report.dropped if not path.startswith(("optax/hyperparams", "optax/count"))]


def run(tx, params, steps=3):
    state, update = tx.init(params), jax.jit(tx.update)
    for i in range(steps):
        _, state = update(jax.tree.map(lambda x, i=i: x + i, params), state, params)
    return state


@pytest.mark.slow
def test_adafactor_along_other_axes():
    """Optax factors the two longest axes of a stack or of attention; the moments are multiplied out."""
    params = {
        "layers": {"kernel": normal((4, 130, 150))},
        "attention": {"query": {"kernel": normal((256, 8, 20))}},
        "tall": normal((200, 129)),
        "square": normal((128, 128)),
        "small": normal((4, 5)),
    }
    ours, theirs = both("adafactor", RATE)
    state, report = gc.from_optax(ours, params, run(theirs, params))
    assert (
        report.notes["scale_by_adafactor/v_row/attention/query/kernel"]
        == "from Optax's factors along other axes"
    )
    assert "scale_by_adafactor/v_row/tall" not in report.notes
    here, expected = state["scale_by_adafactor"], run(ours, params)["scale_by_adafactor"]
    for field in ("v_row", "v_col", "v"):
        found, wanted = getattr(here, field), getattr(expected, field)
        for leaf, tolerance in (("tall", 1e-5), ("square", 1e-5), ("small", 1e-5)):
            np.testing.assert_allclose(found[leaf], wanted[leaf], rtol=tolerance)
        # An approximation, as any factored moment is.
        np.testing.assert_allclose(found["layers"]["kernel"], wanted["layers"]["kernel"], rtol=0.5)
        where = lambda tree: tree["attention"]["query"]["kernel"]  # noqa: E731
        np.testing.assert_allclose(where(found), where(wanted), rtol=0.5)


def test_from_the_first_axes_on_a_mesh_and_into_codes():
    params = jax.tree.map(lambda x: x[:128] if x.ndim == 2 else x, PARAMS)
    mesh = jax.make_mesh((8,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    where = jax.sharding.NamedSharding(mesh, jax.P())
    placed = jax.tree.map(lambda x: jax.device_put(x, where), params)
    tx = gc.stored(gc.adamw(RATE), "log8")
    state, report = gc.from_optax(tx, placed, run(optax.adamw(RATE), params))
    assert report.notes["scale_by_adam/nu/w"] == "exact -> log8"
    assert all(x.sharding.mesh == mesh for x in jax.tree.leaves(state))
    assert int(state["stored"].count) == 3


def test_what_optax_has_and_we_have_not():
    theirs = optax.chain(optax.scale_by_belief(), optax.trace(0.9), optax.scale(-RATE))
    ours = gc.chain(gc.scale_by_adam(), gc.trace(0.9), gc.scale_by_learning_rate(RATE))
    state, report = gc.from_optax(ours, PARAMS, run(theirs, PARAMS))
    assert "optax/0/mu/w" in report.dropped and "scale_by_adam/mu/w" in report.initialised
    assert report.notes["scale_by_adam/mu/w"] == "Optax keeps no such thing"
    assert "trace/trace/w" in report.loaded and state["trace"].trace["w"].any()
    assert int(state["scale_by_learning_rate"].count) == 3
    assert report.notes["scale_by_learning_rate/count"] == "the largest count of Optax's state"
    assert int(state["scale_by_adam"].count) == 0  # its moments begin anew
    noted = gc.from_optax(gc.amsgrad(RATE), PARAMS, run(optax.amsgrad(RATE), PARAMS))[1].notes
    assert noted["scale_by_amsgrad/nu_max/w"] == "Optax's maximum is over bias-corrected moments"


def test_errors():
    state = run(optax.adam(RATE), PARAMS)
    with pytest.raises(gc.CheckpointError) as error:
        gc.from_optax(gc.lion(RATE), PARAMS, state)
    says(error, "from_optax: nothing fits", "Optax", "'optax/0/mu/a/bias'", "'scale_by_lion/mu/a/bias'")
    with pytest.raises(gc.CheckpointError) as error:
        gc.from_optax(gc.adam(RATE), {**PARAMS, "w": jnp.ones(3)}, state)
    says(error, "from_optax", "'scale_by_adam/mu/w'", "float32[130, 150]", "expected float32[3]")
    with pytest.raises(gc.CheckpointError, match="strict=True"):
        gc.from_optax(gc.chain(gc.trace(0.9), gc.adam(RATE)), PARAMS, state, strict=True)
    assert gc.from_optax(gc.chain(gc.trace(0.9), gc.adam(RATE)), PARAMS, state)[1].initialised


def test_of_an_nnx_optimizer():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(4, 6, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adamw(RATE), wrt=nnx.Param)
    optimizer.update(model, nnx.grad(lambda m: jnp.sum(m(jnp.ones((2, 4)))))(model))
    params = nnx.state(model, nnx.Param)
    state, report = gc.from_optax(gc.adamw(RATE), params, optimizer)
    assert len(report.loaded) == 6 and report.dropped == ()
    again = gc.set_state(nnx.Optimizer(model, gc.adamw(RATE), wrt=nnx.Param), state)
    np.testing.assert_array_equal(
        gc.state_dict(again)["scale_by_adam/nu/kernel"], gc.state_dict(state)["scale_by_adam/nu/kernel"]
    )
