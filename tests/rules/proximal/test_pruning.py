"""Pruning: exact zeros that stay, groups n of m, and the table that counts them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.rules.proximal.pruning import largest_of, smallest

PARAMS = {
    "a": {"kernel": jax.random.normal(jax.random.key(0), (8, 6)), "bias": jnp.ones(6)},
    "stack": {"kernel": jax.random.normal(jax.random.key(1), (3, 10, 6))},
}


def run(tx, steps, params=PARAMS, scale=0.1):
    state, step, found = tx.init(params), jax.jit(tx.step), []
    for k in range(steps):
        grads = jax.tree.map(lambda x, k=k: scale * jnp.cos(x * (k + 3)), params)
        params, state = step(grads, state, params)
        found.append(params)
    return found


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_smallest_are_those_that_a_sort_finds(dtype):
    x = jax.random.normal(jax.random.key(2), (3, 40)).astype(dtype).astype(jnp.float32).at[0, :9].set(0)
    for k in (0, 1, 5, 17, 40):
        expected = np.zeros(x.shape, bool)
        np.put_along_axis(expected, np.argsort(np.abs(x), axis=1, stable=True)[:, :k], True, axis=1)
        np.testing.assert_array_equal(smallest(x, jnp.int32(k), (1,)), expected)


def test_equal_numbers_are_pruned_as_far_as_the_share_goes():
    """A kernel that starts at zero, say, of which pruning would otherwise take all for ever."""
    params = {"kernel": jnp.zeros((4, 4)).at[0].set(1.0)}
    tx = gc.chain(gc.sgd(0.1), gc.prune_by_magnitude(lambda step: jnp.where(step == 1, 0.5, 0.25), 1))
    _, state = tx.step(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    first = state["prune_by_magnitude"].kept["kernel"]
    assert int(first.sum()) == 12
    for left in (8, 8):  # what is pruned stays so where the share falls
        _, state = tx.step(jax.tree.map(jnp.zeros_like, params), state, params)
        kept = state["prune_by_magnitude"].kept["kernel"]
        assert int(kept.sum()) == left and not (kept & ~first).any()


def test_the_share_of_zeros_follows_the_schedule():
    """Per layer of a stack, none of a vector, and what is pruned stays so."""
    schedule = gc.cubic_sparsity(0.75, 6)
    found = run(gc.chain(gc.adam(0.01), gc.prune_by_magnitude(schedule, 2)), 9)
    for t, params in enumerate(found):
        share = float(schedule(t - t % 2))
        for kernel, axes, n in ((params["a"]["kernel"], (0, 1), 48), (params["stack"]["kernel"], (1, 2), 60)):
            np.testing.assert_array_equal(np.sum(np.asarray(kernel) == 0, axis=axes), round(share * n))
        assert (params["a"]["bias"] != 0).all()
    before, after = (np.asarray(p["a"]["kernel"]) == 0 for p in (found[3], found[-1]))
    assert (after | ~before).all()


def test_regrow_brings_back_what_moves_most():
    params = {"kernel": jnp.array([[0.1, 1.0], [2.0, 3.0]])}
    grads = {"kernel": jnp.array([[-10.0, 0.0], [0.0, 0.0]])}
    for regrow, expected in ((True, [[9.9, 0.0], [2.0, 3.0]]), (False, [[0.0, 1.0], [2.0, 3.0]])):
        tx = gc.chain(gc.scale(-1.0), gc.prune_by_magnitude(0.25, 1, regrow=regrow))
        new, state = tx.step(jax.tree.map(jnp.zeros_like, grads), tx.init(params), params)
        np.testing.assert_array_equal(new["kernel"] == 0, [[True, False], [False, False]])
        new, _ = tx.step(grads, state, new)
        np.testing.assert_allclose(
            new["kernel"], np.where(np.array(expected) == 9.9, 10.0, expected), rtol=1e-6
        )


def test_zeros_are_exact_in_16_bits():
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    for link in (gc.prune_by_magnitude(0.5, 1), gc.prune_n_of_m(2, 4), gc.quantize_params(3)):
        (new,) = run(gc.chain(gc.adam(0.01), link), 1, params)
        assert 0.2 < gc.sparsity(new["a"]["kernel"]).share < 0.8
        with pytest.raises(ValueError, match=f"{link.name} rounds the parameters and must be the last link"):
            gc.chain(gc.adam(0.01), link, gc.kahan())


def test_n_of_m_along_the_inputs():
    new = run(gc.chain(gc.adam(0.01), gc.prune_n_of_m(2, 4)), 3)[-1]
    table = gc.sparsity(new)
    assert table.holds(2, "a/kernel") and table.holds(2, "stack/kernel") and not table.holds(1, "a/kernel")
    assert {row.path: row.zeros for row in table.rows} == {"a/bias": 0, "a/kernel": 24, "stack/kernel": 72}
    assert table.share == 96 / 234 and "2:4" in repr(table) and "<table>" in table._repr_html_()
    (new,) = run(gc.chain(gc.sgd(0.01), gc.prune_n_of_m(1, 3, along=-1)), 1)
    zeros = np.asarray(new["a"]["kernel"]) == 0
    assert (zeros.reshape(8, 2, 3).sum(2) == 2).all()


def test_an_axis_that_is_not_there():
    tx = gc.chain(gc.sgd(0.01), gc.prune_n_of_m(along=5))
    with pytest.raises(ValueError, match=r"prune_n_of_m: along is 5, no axis of a leaf of shape \[8, 6\]"):
        tx.step(PARAMS, tx.init(PARAMS), PARAMS)


def test_of_equal_numbers_the_first_are_kept():
    np.testing.assert_array_equal(
        largest_of(jnp.ones((5, 1)), 2, 4, 0)[:, 0], [True, True, False, False, True]
    )


def test_moments_go_on_for_pruned_numbers():
    tx = gc.chain(gc.adam(0.01), gc.prune_by_magnitude(0.5, 1))
    state = tx.init(PARAMS)
    _, state = tx.step(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS)
    assert (state["scale_by_adam"].mu["a"]["kernel"] > 0).all()


def test_sparsity_says_what_is_wrong():
    with pytest.raises(ValueError, match="there is no leaf 'a/kernl'; did you mean a/kernel"):
        gc.sparsity(PARAMS).holds(2, "a/kernl")
    with pytest.raises(ValueError, match="group is 1; expected a whole number, 2 or more"):
        gc.sparsity(PARAMS, 1)


@pytest.mark.parametrize("base", [gc.schedule_free_adamw(0.1), gc.cautious(gc.gpa_adamw(0.1))])
def test_averages_computed_from_the_parameters_are_refused(base):
    """eval_params would take a pruned y for one between x and z: x = -z / 9 where b1 is 0.9."""
    for link in (gc.prune_by_magnitude(0.5), gc.prune_n_of_m(), gc.quantize_params(3)):
        with pytest.raises(ValueError, match=f"{link.name} sets parameters from which .* its average"):
            gc.chain(base, link)
    with pytest.raises(ValueError, match=r"from which .* its average"):
        gc.parq(base, 4, 10)
    with pytest.raises(ValueError, match="schedule_free: prune_n_of_m would set the parameters y"):
        gc.schedule_free(gc.chain(gc.sgd(0.1), gc.prune_n_of_m()), 0.1)
    gc.chain(gc.lookahead(gc.adam(0.1), 5, 0.5), gc.prune_n_of_m())
