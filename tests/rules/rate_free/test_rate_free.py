"""Rate-free rules: Optax's numbers, whole-tree numbers under masks, zero gradients, 16 bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc


def draw(seed, dtype):
    rng = np.random.default_rng(seed)
    return {"w": jnp.asarray(rng.normal(size=(4, 3)), dtype), "b": jnp.asarray(rng.normal(size=3), dtype)}


def loss(params):
    return sum(jnp.sum((1 + jnp.arange(p.size).reshape(p.shape)) * (p - 0.7) ** 2) for p in params.values())


def run(tx, steps=25, value=False, dtype="float64"):
    """Parameters and state after each step of a gradient descent on the loss, stacked."""

    def step(carry, _):
        params, state = carry
        f, g = jax.value_and_grad(loss)(params)
        updates, state = tx.update(g, state, params, **({"value": f} if value else {}))
        params = jax.tree.map(lambda p, u: (p + u).astype(p.dtype), params, updates)
        return (params, state), (params, state)

    params = draw(0, dtype)
    return jax.jit(lambda p: jax.lax.scan(step, (p, tx.init(p)), length=steps)[1])(params)


def exact(found, expected):
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-14)


def falling(count):
    """A schedule in float64."""
    return 0.9 ** jnp.asarray(count, float)


MOMO = {"proximal": False}  # Optax's, and what else it takes
CASES = {
    "prodigy": ({"learning_rate": falling, "estim_lr0": 1e-2, "weight_decay": 0.1}, {}),
    "prodigy warming": ({"safeguard_warmup": True, "estim_lr0": 0.1, "beta3": 0.9}, {}),
    "dadapt_adamw": ({"learning_rate": falling, "estim_lr0": 1e-2, "weight_decay": 0.1}, {}),
    "dog": ({"learning_rate": falling, "init_step": ("heuristic", 1e-2), "weight_decay": 0.1}, {}),
    "dog distance": ({"init_step": ("distance", 1e-2)}, {}),
    "dog learning_rate": ({"init_step": ("learning_rate", 1e-2), "learning_rate": 0.5}, {}),
    "dowg": ({"learning_rate": falling, "init_estim_sq_dist": 1e-2, "weight_decay": 0.1}, {}),
    "cocob": ({"learning_rate": falling, "alpha": 3.0, "weight_decay": 0.1}, {}),
    "momo": ({"learning_rate": falling, "weight_decay": 0.1}, MOMO),
    "momo bound": ({"lower_bound": 5.0, "adapt_lower_bound": True, "learning_rate": 0.03}, MOMO),
    "momo_adam": ({"learning_rate": falling, "weight_decay": 0.1}, MOMO),
    "momo_adam bound": ({"lower_bound": 5.0, "adapt_lower_bound": True}, MOMO),
}


@pytest.mark.parametrize("case", CASES)
def test_is_optax(case, x64):
    contrib = pytest.importorskip("optax").contrib
    name, (given, more) = case.split()[0], CASES[case]
    value = name.startswith("momo")
    params, state = run(getattr(gc, name)(**given, **more), value=value)
    expected, other = run(getattr(contrib, name)(**given), value=value)
    exact(params, expected)
    assert float(jnp.max(jnp.abs(params["w"][-1] - params["w"][0]))) > 0.1
    ours = next(s for s in state.values() if hasattr(s, "_fields") and len(s._fields) > 2)
    others = other if hasattr(other, "_fields") else next(s for s in other if len(s) > 2)
    assert type(others).__name__ == ours.__class__.__name__
    assert ours._fields[: len(others._fields)] == others._fields
    for field in others._fields:
        exact(getattr(ours, field), getattr(others, field))


@pytest.mark.parametrize("name", ["dog", "dowg", "cocob", "prodigy", "dadapt_adamw", "momo", "momo_adam"])
def test_starts_as_optax(name, x64):
    contrib = pytest.importorskip("optax").contrib
    params = draw(0, "float64")
    ours = next(s for s in getattr(gc, name)().init(params).values() if len(s._fields) > 2)
    theirs = getattr(contrib, name)().init(params)
    theirs = theirs if hasattr(theirs, "_fields") else next(s for s in theirs if len(s) > 2)
    for field in theirs._fields:
        exact(getattr(ours, field), getattr(theirs, field))
        shapes = [jax.tree.map(jnp.shape, getattr(x, field)) for x in (ours, theirs)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("given", [{}, {"reps_rel": 0.01, "eps": 0.1, "global_scale": 2.0}])
def test_layerwise_is_optax(given, x64):
    optax = pytest.importorskip("optax")
    theirs = optax.chain(optax.scale_by_distance_over_gradients(**given), optax.scale(-1.0))
    ours = gc.scale_by_distance_over_gradients(param_dtype="float32", **given)
    params, state = run(gc.chain(ours, gc.scale(-1.0)))
    expected, (other, _) = run(theirs)
    exact(params, expected)
    exact(state["scale_by_distance_over_gradients"], other)


def test_layerwise_is_dog_of_each_leaf():
    """Of a tree of one leaf both are the same rule."""
    params = {"w": draw(0, "float32")["w"]}
    grads = [{"w": draw(i, "float32")["w"]} for i in range(1, 5)]
    found = []
    for tx in (gc.scale_by_distance_over_gradients(0.01), gc.scale_by_dog(("heuristic", 0.01))):
        tx, p = gc.chain(tx, gc.scale(-1.0)), params
        state = tx.init(p)
        for g in grads:
            p, state = tx.step(g, state, p)
        found.append(p["w"])
    np.testing.assert_allclose(*found, rtol=1e-6)


RULES = {
    "prodigy": gc.prodigy(estim_lr0=0.01),
    "dadapt_adamw": gc.dadapt_adamw(estim_lr0=0.01),
    "dog": gc.dog(init_step=("heuristic", 0.1)),
    "dowg": gc.dowg(),
    "momo": gc.momo(),
    "momo_adam": gc.momo_adam(0.1),
}


def steps(tx, params, grads):
    step, state = jax.jit(tx.step), tx.init(params)
    for g in grads:
        params, state = step(g, state, params, value=1.0)
    assert step._cache_size() == 1
    return params, state


@pytest.mark.parametrize("name", RULES)
def test_leaves_know_of_each_other_unless_masked(name):
    """Norms and products are of all leaves that the link sees, and of no others."""
    params, g = draw(0, "float32"), draw(1, "float32")
    grads = [{"w": g["w"], "b": (-1) ** t * 5 * g["b"]} for t in range(9)]  # b goes to and fro
    both, _ = steps(RULES[name], params, grads)
    alone, _ = steps(RULES[name], {"w": params["w"]}, [{"w": g["w"]} for g in grads])
    masked, _ = steps(gc.partition({"a": RULES[name], "b": gc.sgd(0.1)}, {"w": "a", "b": "b"}), params, grads)
    np.testing.assert_allclose(masked["w"], alone["w"], rtol=1e-6)
    assert np.max(np.abs(both["w"] - alone["w"])) > 1e-4


@pytest.mark.parametrize("name", RULES)
def test_sums_of_float16_do_not_overflow(name):
    """4,000 squares of 100 are 4e7: float16 ends at 65,504, and bfloat16 would stop adding at 2.6e5."""
    params = {"w": jnp.zeros(4000, jnp.float16)}
    params, state = steps(RULES[name], params, [{"w": jnp.full(4000, 100, jnp.float16)}] * 2)
    for x in jax.tree.leaves(state):
        assert x.dtype in (jnp.float32, jnp.int32, jnp.bool_) and bool(jnp.all(jnp.isfinite(x)))
    if name == "dog":
        np.testing.assert_allclose(state["scale_by_dog"].sum_sq_norm_grads, 8e7, rtol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_zero_gradients_move_nothing(name):
    """The first estimate would be 0 / 0, which makes Optax's prodigy NaN for good."""
    params, zeros = draw(0, "float32"), jax.tree.map(jnp.zeros_like, draw(0, "float32"))
    after, _ = steps(RULES[name], params, [zeros] * 2)
    jax.tree.map(np.testing.assert_array_equal, after, params)


def test_a_rate_of_zero_at_first():
    """A warm-up from 0: no estimate is made of nothing."""
    for make in (gc.prodigy, gc.dadapt_adamw):
        tx = make(gc.linear_schedule(0.0, 1.0, 2), estim_lr0=0.1)
        after, state = steps(tx, draw(0, "float32"), [draw(i, "float32") for i in range(1, 5)])
        assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((after, state)))


def test_metrics_name_the_estimate():
    params, grads = draw(0, "float32"), [draw(1, "float32")]
    assert float(gc.metrics(steps(gc.prodigy(), params, grads)[1])["estim_lr"]) > 0
    assert float(gc.metrics(steps(gc.dog(), params, grads)[1])["max_dist"]) > 0
    assert set(gc.metrics(steps(gc.momo(0.5), params, grads)[1])) == {"step", "lb", "learning_rate"}


def test_copies_of_parameters_are_never_rounded():
    params = {"w": jnp.ones((64, 128))}
    for tx, field in [
        (gc.prodigy(), "params0"),
        (gc.dog(), "init_params"),
        (gc.cocob(), "init_particles"),
        (gc.dowg(), "init_params"),
    ]:
        (entry,) = [s for s in tx.slots(params).values() if hasattr(s, field)]
        assert getattr(entry, field)["w"].exact
    kept = gc.stored(gc.prodigy(), "log8").init(params)["scale_by_prodigy"]
    assert kept.exp_avg["w"].dtype.itemsize == 1 and kept.params0["w"].dtype == jnp.float32


def test_start_from_the_parameters_on_shapes_alone():
    """What starts with a norm has a shape before it has values."""
    params = draw(0, "float32")
    shapes = jax.eval_shape(gc.dog().init, params)
    assert shapes["scale_by_dog"].max_dist.shape == ()
    found = gc.dog(init_step=("heuristic", 0.5)).init(params)["scale_by_dog"].max_dist
    np.testing.assert_allclose(found, 0.5 * (1 + gc.tree.global_norm(params)), rtol=1e-6)
    masked = gc.masked(gc.dog(init_step=("heuristic", 0.5)), "w").init(params)["scale_by_dog"].max_dist
    np.testing.assert_allclose(masked, 0.5 * (1 + jnp.linalg.norm(params["w"])), rtol=1e-6)
