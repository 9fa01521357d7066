"""Aggregators of gradients of examples, against Optax, and against means and variances of all examples."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.experimental import aggregating as ag

optax = pytest.importorskip("optax")
theirs = optax.experimental.aggregating

RNG = np.random.default_rng(0)
PARAMS = {"w": jnp.asarray(RNG.standard_normal((3, 2)), jnp.float32), "b": jnp.zeros(())}


def gradients(step, dtype=jnp.float64):
    rng = np.random.default_rng(step)
    return {k: jnp.asarray(rng.standard_normal((4, *v.shape)), dtype) for k, v in PARAMS.items()}


def wide(tree):
    return gc.tree.cast(tree, jnp.float64)


FLOAT32 = 1e-6  # Optax joins the deviations of microbatches with weights in float32


def close(x, y, tol=1e-12):
    pairs = list(zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True))
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def run(tx, steps=5, per_example=True, jit=True):
    """All updates and states of some steps; of the plain updates the means over examples."""
    params = wide(PARAMS)
    state, found = tx.init(params), []
    update = jax.jit(tx.update) if jit else tx.update
    for i in range(steps):
        g = gradients(i) if per_example else jax.tree.map(lambda g: g.mean(0), gradients(i))
        updates, state = update(g, state, params)
        found.append((updates, state))
    return found


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in dir(theirs)
        if not n.startswith("_") and getattr(getattr(theirs, n), "__module__", "").startswith("optax.exp")
    ],
)
def test_every_name_of_optax(name):
    ours, other = getattr(ag, name), getattr(theirs, name)
    if inspect.isfunction(other):
        a, b = (inspect.signature(f).parameters.values() for f in (ours, other))
        assert [(p.name, p.kind, p.default) for p in a] == [(p.name, p.kind, p.default) for p in b]
    elif hasattr(other, "_fields"):
        assert ours._fields == other._fields


SINGLE = {
    "mean": lambda m: m.average_per_element_updates(),
    "mean of two axes": lambda m: m.average_per_element_updates([0]),
    "both": lambda m: m.average_incrementally_updates(0, 2),
    "examples alone": lambda m: m.average_incrementally_updates(0, 1),
    "deviations": lambda m: m.get_per_element_mean_and_sum_sq_diff_grads(),
    "deviations over microbatches": lambda m: m.get_per_element_mean_and_sum_sq_diff_grads((0,), 3),
    "microbatches": lambda m: m.accumulate_avg_updates(3),
    "microbatches alone": lambda m: m.average_incrementally_updates(None, 2),
    "nothing": lambda m: m.average_incrementally_updates(None, 1),
}


@pytest.mark.parametrize("name", SINGLE)
def test_numbers_and_states_are_those_of_optax(x64, name):
    per_example = name not in ("microbatches", "microbatches alone", "nothing")
    ours, other = (run(SINGLE[name](m), per_example=per_example) for m in (ag, theirs))
    close(ours, other, FLOAT32 if name == "deviations over microbatches" else 1e-12)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("steps", [1, 2])
def test_mean_and_variance_beside_an_optimizer(x64, steps, jit):
    ours = run(ag.add_mean_variance_to_opt(gc.adam(0.1), 0.9, 0, steps), jit=jit)
    other = run(theirs.add_mean_variance_to_opt(optax.adam(0.1), 0.9, 0, steps))
    for (u, state), (v, their_state) in zip(ours, other, strict=True):
        close(u, v)
        found = ag.get_unbiased_mean_and_variance_ema(state)
        if gc.tree.get(state, "PerElementMeanAndVarianceEMAState").count > 0:
            theirs_found = theirs.get_unbiased_mean_and_variance_ema(their_state)
            close(found, theirs_found, FLOAT32 if steps > 1 else 1e-12)
        else:
            assert not any(np.any(x) for x in jax.tree.leaves(found))


def test_variance_of_all_examples(x64):
    tx = ag.add_mean_variance_to_opt(gc.sgd(0.1), accumulation_steps=3)
    _, state = run(tx, steps=3)[-1]
    mean, variance = ag.get_unbiased_mean_and_variance_ema(state)
    every = {k: np.concatenate([gradients(i)[k] for i in range(3)]) for k in PARAMS}
    close(mean, {k: g.mean(0) for k, g in every.items()})
    close(variance, {k: g.var(0, ddof=1) for k, g in every.items()})


@pytest.mark.parametrize("post", ["gradchain", "optax"])
def test_process_waits_for_the_aggregator(x64, post):
    opt = gc.sgd(0.1, 0.9) if post == "gradchain" else optax.sgd(0.1, 0.9)
    tx = ag.process(gc.clip(0.5), ag.average_incrementally_updates(0, 2), opt)
    assert isinstance(tx, ag.Aggregator)
    clip = optax.stateless(lambda g, _: jax.tree.map(lambda x: jnp.clip(x, -0.5, 0.5), g))
    other = theirs.process(clip, theirs.average_incrementally_updates(0, 2), optax.sgd(0.1, 0.9))
    for (u, state), (v, _) in zip(run(tx), run(other), strict=True):
        close(u, v)
        assert state._fields == ("preprocessor", "aggregator", "postprocessor")


def test_process_of_plain_transformations_is_one(x64):
    tx = ag.process(gc.identity(), ag.accumulate_avg_updates(2), gc.adam(0.1))
    assert isinstance(tx, gc.types.GradientTransformation) and not isinstance(tx, ag.Aggregator)
    updates = [jnp.any(u["w"] != 0) for u, _ in run(tx, per_example=False)]
    assert updates == [False, True, False, True, False]
    loss = lambda p: jnp.sum(p["w"] ** 2)  # noqa: E731
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(40):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = gc.apply_updates(params, updates)
    assert loss(params) < 0.1 * loss(PARAMS)


def test_errors():
    with pytest.raises(ValueError, match=r"one number of examples along \(0,\); 'a' has 2, 'b' has 3"):
        ag.get_batch_size_from_per_elt_updates({"a": jnp.ones((2, 3)), "b": jnp.ones((3, 3))}, 0)
    assert ag.get_batch_size_from_per_elt_updates({"a": jnp.ones((2, 5, 3))}, [0, 1]) == 10
    with pytest.raises(
        ValueError, match="accumulate_avg_updates: accumulation_steps is 0; expected at least 1"
    ):
        ag.accumulate_avg_updates(0)
    with pytest.raises(TypeError, match="process: aggregator is <function mean>; expected a transformation"):
        ag.process(gc.identity(), jnp.mean, gc.sgd(0.1))
    with pytest.raises(TypeError, match="process: postprocessor is"):
        ag.process(gc.identity(), ag.average_per_element_updates(), gc.sgd)
    with pytest.raises(ValueError, match="the state tracks no variance"):
        ag.get_unbiased_mean_and_variance_ema(gc.sgd(0.1).init(PARAMS))


def test_one_example_has_no_variance():
    tx = ag.add_mean_variance_to_opt(gc.sgd(0.1))
    params = {"w": jnp.ones(3)}
    _, state = tx.update({"w": jnp.ones((1, 3))}, tx.init(params), params)
    assert not np.any(ag.get_unbiased_mean_and_variance_ema(state)[1]["w"])
