"""skip: what is not finite or far off is left out, counted, and forgotten."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import BAD, GRADS, PARAMS, finite, inner, moved, near, optax_run, run, same, total

import gradchain as gc

ONES = jax.tree.map(jnp.ones_like, PARAMS)
NORM = np.sqrt(8)  # of eight ones


def sized(*sizes):
    """Gradients whose every element is the size."""
    return [jax.tree.map(lambda x, a=a: a * x, ONES) for a in sizes]


def test_not_finite_leaves_everything_as_it_was():
    tx = gc.skip(gc.adamw(0.1, weight_decay=0.5))
    (params, state), *rest = run(tx, [GRADS[0], BAD, jax.tree.map(lambda g: g / 0, GRADS[1]), GRADS[2]])
    for (held, after), n in zip(rest[:2], (1, 2), strict=True):
        same((held, inner(after, "skip")), (params, inner(state, "skip")))
        assert after["skip"].skipped == after["skip"].consecutive == n and after["skip"].last_skipped
    found, after = rest[2]
    near((found, inner(after, "skip")), run(gc.adamw(0.1, weight_decay=0.5), [GRADS[0], GRADS[2]])[-1])
    assert after["skip"].skipped == 2 and after["skip"].consecutive == 0 and not after["skip"].last_skipped
    shown = gc.metrics(after)
    assert shown["skipped"] == 2 and shown["last_skipped"].dtype == jnp.bool_


def test_update_is_zero_where_skipped():
    tx = gc.skip(gc.sgd(0.1))
    updates, _ = tx.update(BAD, tx.init(PARAMS), PARAMS)
    same(updates, jax.tree.map(jnp.zeros_like, PARAMS))


def test_spikes_by_norm():
    sizes = (1.0, 2.0, 1.0, 2.0, 9.0, 2.0)
    tx = gc.skip(gc.sgd(0.1), spikes=3.0, window=4)
    seen = run(tx, sized(*sizes))
    assert moved(seen) == [1, 2, 3, 4, 6]  # mean 1.5 and std 0.5: up to 3
    last = seen[-1][1]["skip"]
    assert last.skipped == 1 and last.taken == 5
    np.testing.assert_allclose(last.history, NORM * np.array([2.0, 2.0, 1.0, 2.0]), rtol=1e-6)


@pytest.mark.parametrize("size, passes", [(2.99, True), (3.01, False), (0.0, True), (1e4, False)])
def test_the_threshold_is_mean_plus_spikes_std(size, passes):
    tx = gc.skip(gc.sgd(0.1), spikes=3.0, window=4)
    seen = run(tx, sized(1.0, 2.0, 1.0, 2.0, size))
    assert bool(seen[-1][1]["skip"].last_skipped) is not passes


def test_nothing_is_a_spike_before_the_window_is_full():
    seen = run(gc.skip(gc.sgd(0.1), spikes=1.0, window=4), sized(1.0, 100.0, 1e4, 1e6))
    assert seen[-1][1]["skip"].skipped == 0


def test_history_holds_only_what_was_let_through():
    """Neither a NaN nor a spike, however often, moves the threshold."""
    tx = gc.skip(gc.sgd(0.1), spikes=3.0, window=4)
    calm = run(tx, sized(1.0, 2.0, 1.0, 2.0))[-1]
    params, state = run(tx, [BAD, *sized(9.0, 9.0, 9.0, 9.0, 9.0), BAD], *calm)[-1]
    same(params, calm[0])
    same((state["skip"].history, state["skip"].taken), (calm[1]["skip"].history, calm[1]["skip"].taken))
    assert state["skip"].skipped == state["skip"].consecutive == 7


def test_history_turns_over():
    """It is a ring: of ten sizes the last four count."""
    sizes = np.linspace(1.0, 2.0, 10)
    state = run(gc.skip(gc.sgd(0.1), spikes=6.0, window=4), sized(*sizes))[-1][1]["skip"]
    np.testing.assert_allclose(sorted(state.history), NORM * sizes[-4:], rtol=1e-6)


def test_spikes_by_value():
    """The loss decides, whatever the gradient's norm; a loss of NaN is left out as well."""
    tx = gc.skip(gc.sgd(0.1), spikes=3.0, window=4, by="value")
    losses = jnp.array([1.0, 2.0, 1.0, 2.0, 3.5, jnp.nan, 2.0])
    seen = run(tx, sized(1.0, 50.0, 0.1, 1.0, 0.1, 0.1, 100.0), value=losses)
    assert moved(seen) == [1, 2, 3, 4, 7]
    np.testing.assert_allclose(seen[-1][1]["skip"].history, [2.0, 2.0, 1.0, 2.0])


def test_a_nan_gradient_does_not_pass_for_its_loss():
    tx = gc.skip(gc.sgd(0.1), by="value")
    params, state = run(tx, [BAD], value=[1.0])[0]
    same(params, PARAMS)
    assert state["skip"].skipped == 1


def test_value_is_asked_for():
    tx = gc.chain(gc.clip(1.0), gc.skip(gc.sgd(0.1), by="value"))
    with pytest.raises(TypeError, match=r"needs 'value': call update\(grads, state, params, value=...\)"):
        tx.update(GRADS[0], tx.init(PARAMS), PARAMS)
    by_norm = gc.skip(gc.sgd(0.1))
    by_norm.update(GRADS[0], by_norm.init(PARAMS), PARAMS, value=1.0)  # who does not need it, ignores it


def test_max_consecutive_lets_a_new_level_in():
    """After two skips in a row the next passes, and the history learns the new size; NaN never passes."""
    tx = gc.skip(gc.sgd(0.1), spikes=3.0, window=2, max_consecutive=2)
    seen = run(tx, [*sized(1.0, 1.1, 9.0, 9.0), BAD, *sized(9.0, 9.1, 60.0)])
    assert moved(seen) == [1, 2, 6, 7]  # 9 after 1.1 and 9 is within three times their spread
    history = seen[-1][1]["skip"].history
    np.testing.assert_allclose(sorted(history), NORM * np.array([9.0, 9.1]), rtol=1e-6)


def test_bounds_may_be_set_between_steps():
    tx = gc.skip(gc.sgd(0.1), spikes=gc.tunable(3.0), window=4)
    step, state, params = jax.jit(tx.step), tx.init(PARAMS), PARAMS
    for g in sized(1.0, 2.0, 1.0, 2.0, 4.0):
        params, state = step(g, state, params)
    assert state["skip"].skipped == 1
    state = gc.set_hyperparams(tx, state, spikes=6.0)
    params, state = step(sized(4.0)[0], state, params)
    assert state["skip"].skipped == 1 and step._cache_size() == 1


def test_apply_if_finite_is_optax_up_to_its_limit():
    optax = pytest.importorskip("optax")
    grads = [GRADS[0], BAD, GRADS[1], BAD, BAD, GRADS[2]]
    theirs = optax_run(optax.apply_if_finite(optax.adam(0.1, eps=1e-3), 3), grads)
    ours = run(gc.apply_if_finite(gc.adam(0.1, eps=1e-3), 3), grads)
    for (found, state), (expected, other) in zip(ours, theirs, strict=True):
        near(found, expected)
        assert state["skip"].skipped == other.total_notfinite
        assert state["skip"].consecutive == other.notfinite_count


def test_in_a_chain_with_clipping():
    """Outside of skip a clip would hide a spike from it; inside it sees what is let through."""
    clip, sgd = gc.clip_by_global_norm(NORM), gc.sgd(0.1)
    hidden = run(gc.chain(clip, gc.skip(sgd, spikes=3.0, window=2)), sized(1.0, 0.9, 50.0))
    seen = run(gc.skip(gc.chain(clip, sgd), spikes=3.0, window=2), sized(1.0, 0.9, 50.0))
    assert moved(hidden) == [1, 2, 3] and moved(seen) == [1, 2]
    assert gc.metrics(seen[-1][1])["skipped"] == 1
    np.testing.assert_allclose(gc.metrics(seen[-1][1])["grad_norm"], 0.9 * NORM, rtol=1e-6)


def test_around_accumulate():
    """A bad microbatch is left out before it is added to the others."""
    tx = gc.skip(gc.accumulate(gc.sgd(0.1), 2))
    seen = run(tx, [GRADS[0], BAD, GRADS[1]])
    assert moved(seen) == [3]
    near(seen[-1][0], run(gc.accumulate(gc.sgd(0.1), 2), GRADS[:2])[-1][0])
    assert seen[-1][1]["skip"].skipped == 1 and seen[-1][1]["accumulate"].skipped == 0


def test_scan_and_donation():
    tx = gc.skip(gc.adam(0.1), spikes=3.0, window=2)
    grads = [GRADS[0], BAD, GRADS[1], *sized(1e4), GRADS[2]]
    expected = run(tx, grads)[-1]

    def train(params, state, grads):
        return jax.lax.scan(lambda c, g: (tx.step(g, c[1], c[0]), None), (params, state), grads)[0]

    params = jax.tree.map(jnp.copy, PARAMS)
    stacked = jax.tree.map(lambda *g: jnp.stack(g), *grads)
    found = jax.jit(train, donate_argnums=(0, 1))(params, tx.init(params), stacked)
    near(found, expected)
    assert found[1]["skip"].skipped == 2 and params["kernel"].is_deleted()


def test_errors():
    with pytest.raises(ValueError, match="by is 'loss'; expected 'norm' or 'value'"):
        gc.skip(gc.sgd(0.1), by="loss")
    with pytest.raises(ValueError, match="window is 1"):
        gc.skip(gc.sgd(0.1), spikes=3.0, window=1)
    with pytest.raises(ValueError, match="spikes is -1"):
        gc.skip(gc.sgd(0.1), spikes=-1.0)


def test_derivatives_are_those_of_what_was_taken():
    """Adam on w^2-like gradients, the third step left out: the derivative is that of the other three."""
    adam = gc.adam(0.1, eps=0.1)

    def end(params, tx, sizes):
        state, after = tx.init(params), params
        for a in sizes:
            after, state = tx.step(jax.tree.map(lambda p, a=a: a * jnp.tanh(p), after), state, after)
        return total(after)

    skip = gc.skip(adam, spikes=3.0, window=2)
    found = jax.jit(jax.grad(lambda p: end(p, skip, (1.0, 0.9, 1e3, 1.0))))(PARAMS)
    expected = jax.jit(jax.grad(lambda p: end(p, adam, (1.0, 0.9, 1.0))))(PARAMS)
    assert finite(found)
    near(found, expected)
    constant = jax.tree.map(lambda p: p * jnp.inf, PARAMS)

    def one_step(params):
        return total(adam.step(params, adam.init(params), params)[0])

    def with_nan(params):
        state = skip.init(params)
        after, state = skip.step(params, state, params)
        return total(skip.step(constant, state, after)[0])

    near(jax.jit(jax.grad(with_nan))(PARAMS), jax.jit(jax.grad(one_step))(PARAMS))


def test_vmap_skips_each_by_itself():
    tx = gc.skip(gc.sgd(0.1, momentum=0.9))
    many = jax.tree.map(lambda *x: jnp.stack(x), GRADS[0], BAD, GRADS[1])
    params, state = jax.jit(jax.vmap(lambda g: tx.step(g, tx.init(PARAMS), PARAMS)))(many)
    assert state["skip"].skipped.tolist() == [0, 1, 0]
    for i, g in enumerate((GRADS[0], BAD, GRADS[1])):
        near(jax.tree.map(lambda x, i=i: x[i], params), run(tx, [g])[0][0])


def test_a_schedule_of_spikes_counts_updates():
    tx = gc.skip(gc.sgd(0.1), spikes=lambda count: 10.0 * count, window=2)
    params = {"a": jnp.ones(2)}
    state = tx.init(params)
    for expected in (0, 10, 20):
        params, state = tx.step(params, state, params)
        assert float(gc.hyperparams(tx, state)["skip/spikes"]) == expected
