"""The price of tracing: a kernel is traced once per shape, and what is kept of it is bounded."""

import gc as garbage
import subprocess
import sys
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gradchain as gc
from gradchain.core import engine, kernel
from gradchain.testing.programs import equations


def layers(n: int, leaves_each=3):
    """n leaves of three shapes, as a network's layers have them."""
    shapes = {"kernel": (8, 4), "bias": (4,), "scale": (8,)}
    return {f"layer{i:03}": {k: jnp.ones(s) for k, s in shapes.items()} for i in range(n // leaves_each)}


def traced(tx, params) -> int:
    def step(grads, state, params):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    state = jax.eval_shape(tx.init, params)
    return equations(jax.make_jaxpr(step)(params, state, params).jaxpr, {})


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (gc.adam(0.1), optax.adam(0.1)),
        (gc.adamw(0.1), optax.adamw(0.1)),
        (gc.chain(gc.masked(gc.adam(0.1), "**/kernel")), optax.adam(0.1)),
    ],
    ids=["adam", "adamw", "masked"],
)
def test_equations_for_300_leaves(ours, theirs):
    """Deterministic, unlike a time: under a fifth of the equations that Optax traces and lowers."""
    params = layers(300)

    def step(grads, state, params):
        return ours.step(grads, state, params)

    state = jax.eval_shape(ours.init, params)
    mine = equations(jax.make_jaxpr(step)(params, state, params).jaxpr, {})
    assert 5 * mine < traced(theirs, params), (mine, traced(theirs, params))


def test_the_count_sees_a_loop_over_leaves():
    params = layers(30)
    assert traced(optax.adam(0.1), params) > 2 * traced(optax.adam(0.1), layers(12))


def counted(calls):
    def scale_by_counted(factor: gc.Hyper = 2.0):
        def step(g):
            calls.append(g.shape)
            return factor * g

        return gc.leafwise(None, step)

    return scale_by_counted


@pytest.fixture
def scale_by_counted():
    """A factory whose kernel notes each trace, known to the registry within one test."""
    calls: list[tuple[int, ...]] = []
    engine.clear_caches()
    factory = gc.transform()(counted(calls))
    yield factory, calls
    del gc.REGISTRY["scale_by_counted"]
    engine.clear_caches()


def test_one_trace_per_shape(scale_by_counted):
    factory, calls = scale_by_counted
    params = layers(300)
    tx = factory()
    jax.make_jaxpr(lambda g: tx.update(g, {}))(params)
    assert sorted(calls) == [(4,), (8,), (8, 4)]
    tx.update(params, {})  # eager, after a trace: nothing is traced again
    factory().update(params, {})  # nor for an equal transform
    assert len(calls) == 3


def test_values_of_operands_trace_nothing_anew(scale_by_counted):
    factory, calls = scale_by_counted
    params = {"a": jnp.ones(3)}
    for value in (1.0, 2.0, 3.0):
        updates, _ = factory(jnp.float32(value)).update(params, {})
        np.testing.assert_array_equal(updates["a"], [value] * 3)
    assert len(calls) == 1


def test_values_of_constants_do(scale_by_counted):
    factory, calls = scale_by_counted
    params = {"a": jnp.ones(3)}
    for value in (1, 1.0, 2.0):  # 1 and 1.0 are different programs
        updates, _ = factory(value).update(params, {})
        np.testing.assert_array_equal(updates["a"], [value] * 3)
    assert len(calls) == 3


def test_caches_hold_no_tracers():
    """A learning rate that is a tracer must not live on in the kernel's cache."""
    params = {"a": jnp.ones(3), "b": jnp.ones(3)}
    engine.clear_caches()

    def train(rate, decay, grads):
        tx = gc.adamw(rate, b1=decay)
        state = tx.init(params)
        return tx.step(grads, state, params)

    with jax.checking_leaks():
        found, _ = jax.jit(train)(0.1, 0.9, params)
        jax.jit(lambda r: train(r, 0.5, params))(0.2)  # the kernel comes from the cache
        jax.vmap(lambda r: train(r, r, params))(jnp.asarray([0.1, 0.2]))
        jax.grad(lambda r: train(r, r, params)[0]["a"].sum())(0.1)
    expected, _ = gc.adamw(0.1).step(params, gc.adamw(0.1).init(params), params)
    np.testing.assert_allclose(found["a"], expected["a"], rtol=1e-5)


def test_a_kernel_traced_under_jit_serves_eager_calls():
    engine.clear_caches()
    tx, params = gc.adam(0.1), {"a": jnp.ones(3)}
    jitted, _ = jax.jit(tx.update)(params, tx.init(params))
    eager, _ = tx.update(params, tx.init(params))
    np.testing.assert_array_equal(jitted["a"], eager["a"])


COMPILED: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **about: COMPILED.append(event) if "backend_compile" in event else None
)
ADAM = gc.scale_by_adam()


@pytest.mark.parametrize("do", ["step", "update"])
@pytest.mark.parametrize(
    "tx",
    [
        gc.accumulate(ADAM, 2),
        gc.accumulate(ADAM, 2, nonfinite="skip"),
        gc.skip(ADAM),
        gc.skip(ADAM, 6.0, window=2),
        gc.loss_scale(ADAM, 4.0, growth_interval=2),
        gc.reset_every(ADAM, 2),
        gc.lookahead(ADAM, 2, 0.5, reset_state=True),
    ],
    ids=repr,
)
def test_an_eager_step_compiles_nothing_again(tx, do):
    """Work that is done in some steps only is a loop within a program, and no program by itself."""
    params = {"a": jnp.ones(3)}
    grads, bad = params, {"a": jnp.full(3, jnp.inf)}
    state, counts = tx.init(params), []
    for g in (grads, grads, bad, grads, grads, bad):  # each branch was taken in the first half
        before = len(COMPILED)
        _, state = getattr(tx, do)(g, state, params)
        counts.append(len(COMPILED) - before)
    assert counts[3:] == [0, 0, 0], counts
    assert gc.metrics(state)


def test_a_program_of_several_branches_is_counted():
    before = len(COMPILED)
    jax.jit(lambda x: x * 17)(jnp.ones(3))
    assert len(COMPILED) > before


def test_a_selection_is_no_part_of_the_program():
    """A mask that is written anew for each optimizer, as in a function that builds one."""
    params = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}
    engine.clear_caches()
    found = []
    for ndim in (1, 1, 2):
        tx = gc.add_decayed_weights(0.25, mask=lambda path, leaf, ndim=ndim: leaf.ndim == ndim)
        updates, _ = tx.update(params, {}, params)
        found.append([float(updates[k].ravel()[0]) for k in params])
    assert found == [[1.25, 1.0], [1.25, 1.0], [1.0, 1.25]]
    assert kernel.kernel_of.cache_info().misses == 1
    gc.add_decayed_weights(0.5, mask=lambda path, leaf: True).update(params, {}, params)
    assert kernel.kernel_of.cache_info().misses == 2


def test_what_is_forgotten_is_freed():
    params = {"a": jnp.ones(3)}
    engine.clear_caches()
    made = []
    kept, engine.kernel_of = engine.kernel_of, lambda program: made.append(kept(program)) or made[-1]
    try:
        gc.scale(0.123).update(params, {}, params)
    finally:
        engine.kernel_of = kept
    refs = [weakref.ref(f) for f in made]
    assert refs and all(ref() is not None for ref in refs)
    made.clear()
    engine.clear_caches()
    garbage.collect()
    assert all(ref() is None for ref in refs), "something else holds a kernel, and with it its program"


MANY = """
import jax.numpy as jnp
import gradchain as gc
from gradchain.core import kernel

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

params, sizes = {"a": jnp.ones(3)}, []
for i in range(kernel.KEPT + 200):
    gc.scale(1e-3 + 1e-7 * i).update(params, {}, params)
    sizes += [resident()]
print((sizes[-1] - sizes[kernel.KEPT]) / (sizes[kernel.KEPT] - sizes[kernel.KEPT - 200]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_programs_that_are_kept_are_bounded():
    """A sweep over learning rates as Python numbers: each is a program of its own, and the old ones go."""
    found = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 0.25, found.stdout  # 200 more, against 200 that were kept


def traced_anew(tx, n: int, module: str) -> int:
    """How many functions of a module of JAX are traced for n leaves of n shapes."""
    params = {f"{i}": jnp.ones((5, 30 + n + i)) for i in range(n)}
    state, found = tx.init(params), []
    jax.clear_caches()
    engine.clear_caches()
    sys.setprofile(
        lambda frame, event, _: (
            event == "call" and frame.f_globals.get("__name__") == module and found.append(1)
        )
    )
    try:
        jax.make_jaxpr(lambda g, s, p: tx.update(g, s, p))(params, state, params)
    finally:
        sys.setprofile(None)
    return len(found)


UFUNCS = "jax._src.numpy.ufuncs"


@pytest.mark.parametrize(
    "tx",
    [
        gc.adamw(0.1),
        gc.adamw(optax.constant_schedule(0.1)),
        gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(0.1)),
    ],
    ids=["adamw", "schedule", "clip"],
)
def test_another_shape_traces_no_operation_of_jnp(tx):
    """Each would be a function of its own, and more than half of what the kernel of a shape costs."""
    assert traced_anew(tx, 4, UFUNCS) == traced_anew(tx, 8, UFUNCS)


def test_operations_of_jnp_are_counted():
    tx = gc.add_l1(0.1)
    assert traced_anew(tx, 8, UFUNCS) > traced_anew(tx, 4, UFUNCS) > 0
