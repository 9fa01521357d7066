"""What users of Optax suffer from in its interface: closures, names, readings, arguments, imports.

"#n" is google-deepmind/optax; each check runs on gradchain, where it holds, and on Optax, where it must not.
"""

import inspect
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library import Optax, arrays, equal, fails_on_optax, holds_on_both, stepper

import gradchain as gc

pytest.importorskip("flax")
from flax import nnx

RATE = 0.125


class Model(nnx.Module):
    def __init__(self):
        self.dense = nnx.Linear(2, 1, rngs=nnx.Rngs(0))

    def __call__(self, x):
        return self.dense(x)


def loss(model):
    return jnp.mean(jnp.square(model(jnp.ones((1, 2))) - 1.0))


@fails_on_optax(AssertionError, "traced again")
def test_pain_03_equal_optimizers_are_equal(lib):
    """#1, #577: an optimizer made anew is the same static argument; Optax's closures compile again."""
    step = jax.jit(lambda tx, g, s, p: tx.update(g, s, p), static_argnums=0)
    params = arrays()
    for _ in range(2):
        tx = lib.chain(lib.clip_by_global_norm(1.0), lib.adam(0.1))
        step(tx, params, tx.init(params), params)
    assert step._cache_size() == 1, "traced again"


@fails_on_optax(AssertionError, "repr says nothing")
def test_pain_03_repr_is_readable(lib):
    """#577, #516: the repr of an optimizer shows its hyperparameters, and evaluates back to it."""
    tx = lib.adamw(0.1, b2=0.95)
    assert "b2=0.95" in repr(tx), f"repr says nothing: {tx}"
    assert eval(repr(tx), dict(vars(lib.module))) == tx


@fails_on_optax((AttributeError, pickle.PicklingError), "local object|pickle")
def test_pain_03_optimizers_are_pickled(lib):
    """#577: an optimizer can be sent to another process."""
    tx = lib.adam(0.1)
    assert pickle.loads(pickle.dumps(tx)) == tx


@holds_on_both
def test_pain_03_vmap_over_hyperparameters(lib):
    """#1, #932: many learning rates at once, without a compilation for each. Optax 0.2.8 does this too."""
    params = arrays()

    @jax.jit
    def after(rate):
        tx = lib.adam(rate)
        return lib.apply_updates(params, tx.update(params, tx.init(params), params)[0])

    rates = jnp.array([0.1, 0.2])
    many = jax.vmap(after)(rates)
    for i, rate in enumerate(rates):
        one = after(rate)
        for found, expected in zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(found[i], expected, rtol=1e-6)


def by_path(state) -> dict[str, jax.Array]:
    return {jax.tree_util.keystr(path): x for path, x in jax.tree_util.tree_leaves_with_path(state)}


@fails_on_optax(AssertionError, "moved in the checkpoint")
def test_pain_06_paths_survive_a_new_link(lib):
    """flax#4423, #1371, maxdiffusion#484: a link in front leaves the names of all others in a checkpoint."""
    params = arrays()
    saved = by_path(lib.adam(0.1).init(params))
    now = by_path(lib.chain(lib.trace(0.9), lib.adam(0.1)).init(params))
    moved = [path for path in saved if path not in now or now[path].shape != saved[path].shape]
    assert not moved, f"moved in the checkpoint: {moved}"


@fails_on_optax(AssertionError, "restored into another link")
def test_pain_06_same_shapes_are_not_mixed_up(lib):
    """#1371, flax#4423: two links with state of one shape trade places; by path each finds its own again."""
    params = arrays()
    tx = lib.chain(lib.trace(0.9), lib.scale_by_rss(0.5, 1e-7))
    _, state = tx.update(params, tx.init(params), params)
    other = lib.chain(lib.scale_by_rss(0.5, 1e-7), lib.trace(0.9))
    saved, fresh = by_path(state), other.init(params)
    restored = jax.tree_util.tree_map_with_path(lambda p, x: saved.get(jax.tree_util.keystr(p), x), fresh)
    trace = next(x for path, x in by_path(restored).items() if "trace" in path and "kernel" in path)
    assert equal(trace, params["kernel"]), "restored into another link"


@fails_on_optax(AssertionError, "not in the state")
def test_pain_09_learning_rate_is_read(lib):
    """#206, #312, #363, flax#4320: the learning rate of a schedule, from an nnx.Optimizer after nnx.jit."""
    schedule = lib.linear_schedule(RATE, 0.0, 4)
    model = Model()
    optimizer = nnx.Optimizer(
        model, lib.chain(lib.clip_by_global_norm(1.0), lib.adam(schedule)), wrt=nnx.Param
    )

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(model, nnx.grad(loss)(model))

    for count in range(2):
        step(model, optimizer)
        found = lib.reading(optimizer.opt_state, "learning_rate")
        assert found is not None, "not in the state"
        assert found == schedule(count)


@fails_on_optax(AssertionError, "not in the state")
def test_pain_10_gradient_norm_is_read(lib):
    """#326: the norm that clipping measures is in the state; nobody computes it a second time."""
    params = arrays()
    tx = lib.chain(lib.clip_by_global_norm(0.5), lib.adam(0.1))
    _, state = stepper(lib, tx)(params, tx.init(params), params)
    norm = lib.reading(state, "grad_norm")
    assert norm is not None, "not in the state"
    np.testing.assert_allclose(norm, np.sqrt(8), rtol=1e-6)  # eight ones
    np.testing.assert_allclose(lib.reading(state, "clipped_norm"), 0.5, rtol=1e-6)


@fails_on_optax(AssertionError, "schedule_free")
def test_pain_14_the_first_update_uses_step_0(lib):
    """#1744, #415: schedules that agree at steps 0 and 1 give the same two updates, in every optimizer.

    #835 (names of arguments) is not taken up: gradchain spells schedules as Optax does.
    """
    params, grads, wrong = {"bias": jnp.ones(2)}, {"bias": jnp.array([0.5, -0.5])}, []

    def two_steps(make, then):
        tx = make(learning_rate=lambda t: jnp.where(t < 2, 0.1, then))
        p, state = params, tx.init(params)
        for _ in range(2):
            updates, state = tx.update(grads, state, p)
            p = lib.apply_updates(p, updates)
        return p

    for name, make in lib.optimizers().items():
        if not equal(two_steps(make, 0.2), two_steps(make, 0.4)):
            wrong.append(name)
        waits = name == "schedule_free_radam"  # until the variance of its second moment is known
        assert waits or not equal(two_steps(make, 0.2), params), name
    assert not wrong, f"another rate than schedule(0) and schedule(1): {wrong}"


@holds_on_both
def test_pain_14_a_transition_ends_after_its_steps(lib):
    """#415: n steps of transition end at schedule(n), not before; so in Optax 0.2.8, one convention kept."""
    warm = lib.warmup_cosine_decay_schedule(0.0, 1.0, 4, 10, 0.1)
    assert warm(0) == 0.0 and warm(3) < 1.0 and warm(4) == 1.0 and warm(9) > 0.1
    np.testing.assert_allclose(warm(10), 0.1, rtol=1e-6)
    line = lib.linear_schedule(1.0, 0.0, 4)
    assert line(0) == 1.0 and line(3) > 0.0 and line(4) == 0.0


@fails_on_optax(TypeError, "unexpected keyword argument 'value'")
def test_pain_15_arguments_that_nobody_needs(lib):
    """#1131, flax#4471: nnx.Optimizer passes the loss; a transformation without need of it ignores it."""
    model = Model()
    optimizer = nnx.Optimizer(model, lib.scale_by_adam(), wrt=nnx.Param)
    value, grads = nnx.value_and_grad(loss)(model)
    optimizer.update(model, grads, value=value)
    assert lib.reading(optimizer.opt_state, "count" if isinstance(lib, Optax) else "step") == 1


@fails_on_optax(AssertionError, "does not say how")
def test_pain_15_a_missing_argument_is_explained(lib):
    """#1559: without the loss the error names the argument and shows the call, from nnx.Optimizer too."""
    model = Model()
    optimizer = nnx.Optimizer(model, lib.needs_value(), wrt=nnx.Param)
    value, grads = nnx.value_and_grad(loss)(model)
    with pytest.raises(TypeError, match="value") as error:
        optimizer.update(model, grads)
    assert "update(grads, state, params, value=...)" in str(error.value), "does not say how"
    optimizer.update(model, grads, value=value)


def test_pain_15_optax_chain_does_not_swallow_arguments():
    """#1559: optax.chain passes arguments to its own types only; the error shows the way out."""
    optax = Optax().module
    params, tx = arrays(), gc.skip(gc.sgd(0.1), by="value")
    chained = optax.chain(optax.clip(1.0), tx)
    with pytest.raises(TypeError, match=r"needs 'value'.*Inside optax.chain pass tx.optax"):
        chained.update(params, chained.init(params), params, value=1.0)
    chained = optax.chain(optax.clip(1.0), tx.optax)
    updates, _ = chained.update(params, chained.init(params), params, value=1.0)
    np.testing.assert_allclose(updates["bias"], [-0.1, -0.1], rtol=1e-6)


@fails_on_optax(AssertionError, "weight_decay_mask")
def test_pain_17_weight_decay_has_one_name(lib):
    """#1426: weight_decay and mask mean one thing in every optimizer. Optax has five spellings of the two."""
    wrong = set()
    for name, make in lib.optimizers().items():
        for argument in inspect.signature(make).parameters:
            name_of = argument.removeprefix("adam_")  # of Muon's other leaves: the same, for another group
            if ("decay" in name_of and "weight" in name_of) and name_of != "weight_decay":
                wrong.add(f"{name}({argument})")
    assert not wrong, sorted(wrong)


@fails_on_optax(TypeError, "decoupled")
def test_pain_17_decay_without_the_learning_rate(lib):
    """#1635, axlearn#218: decoupled=True decays as arXiv:1711.05101 does, whatever the learning rate."""
    params, shrunk = arrays(), {}
    zero = jax.tree.map(jnp.zeros_like, params)
    for rate in (0.1, 1e-3):
        tx = lib.adamw(rate, weight_decay=0.25, mask={"kernel": True, "bias": False}, decoupled=True)
        shrunk[rate] = lib.apply_updates(params, tx.update(zero, tx.init(params), params)[0])
    for found in shrunk.values():
        np.testing.assert_allclose(found["kernel"], 0.75 * params["kernel"], rtol=1e-6)
        np.testing.assert_array_equal(found["bias"], params["bias"])


@holds_on_both
def test_pain_17_weight_decay_takes_a_schedule(lib):
    """#1635: weight decay with a schedule of its own. Optax 0.2.8 takes one too."""
    params = arrays()
    zero = jax.tree.map(jnp.zeros_like, params)
    tx = lib.adamw(0.5, weight_decay=lib.linear_schedule(0.5, 0.0, 1))
    state, found = tx.init(params), []
    for _ in range(2):
        updates, state = tx.update(zero, state, params)
        found.append(float(updates["bias"][0]))
    np.testing.assert_allclose(found, [-0.25, 0.0], rtol=1e-6)


@fails_on_optax(AssertionError, "absl")
def test_pain_21_imports_jax_only(lib):
    """#522, #1577: what is imported can break. Optax 0.2.8 has given up chex at run time, absl is left."""
    name = lib.module.__name__
    code = (
        f"import sys, jax; before = set(sys.modules); import {name}\n"
        f"print(*({{m.split('.')[0] for m in set(sys.modules) - before}} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {name, "jax", "jaxlib", "numpy"}, done.stdout
