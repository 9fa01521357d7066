"""lazy_rows: rows without a gradient stay, and step later as if nothing had been in between."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import near, run, same

import gradchain as gc

RNG = np.random.default_rng(0)
PARAMS = {"embedding": jnp.asarray(RNG.normal(size=(4, 3)), jnp.float32), "bias": jnp.ones(3)}
DENSE = [jax.tree.map(lambda p: jnp.asarray(RNG.normal(size=p.shape), jnp.float32), PARAMS) for _ in range(6)]
ROWS = [[0, 1], [1, 2], [0, 2], [1], [0, 1, 2], [0]]  # that each step touches; 3 by none


def sparse():
    for g, rows in zip(DENSE, ROWS, strict=True):
        kept = jnp.zeros((4, 1)).at[jnp.array(rows)].set(1)
        yield {**g, "embedding": g["embedding"] * kept}


SLOW = [gc.adamw(0.1, weight_decay=0.2), gc.lion(0.1), gc.radam(0.1)]


@pytest.mark.parametrize("base", [gc.adam(0.1), *(pytest.param(tx, marks=pytest.mark.slow) for tx in SLOW)])
def test_with_dense_gradients_it_is_the_base(base):
    near(run(gc.lazy_rows(base), DENSE, PARAMS)[-1][0], run(base, DENSE, PARAMS)[-1][0], rtol=1e-5)


@pytest.mark.parametrize("codec", [None, "log8"])
def test_each_row_steps_as_alone(codec):
    tx = gc.lazy_rows(gc.adamw(0.1, weight_decay=0.2))
    params, state = run(gc.stored(tx, codec, min_size=0) if codec else tx, list(sparse()), PARAMS)[-1]
    for row in range(4):
        mine = {"row": PARAMS["embedding"][row]}
        grads = [{"row": g["embedding"][row]} for g, rows in zip(DENSE, ROWS, strict=True) if row in rows]
        alone = run(gc.adamw(0.1, weight_decay=0.2), grads, mine)[-1][0] if grads else mine
        near(params["embedding"][row], alone["row"], rtol=0.3 if codec else 1e-5)
        assert state["lazy_rows"].rows["embedding"][row] == len(grads)
    same(params["embedding"][3], PARAMS["embedding"][3])
    assert list(state["lazy_rows"].rows) == ["embedding"] and state["scale_by_adam"].count == 6
    assert not hasattr(state["scale_by_adam"], "born")


def test_codes_of_rows_that_are_not_touched_stay():
    tx = gc.stored(gc.lazy_rows(gc.adam(0.1)), "log8", min_size=0)
    (_, before), (_, after) = run(tx, list(sparse())[:2], PARAMS)
    same(before["scale_by_adam"].mu["embedding"][0], after["scale_by_adam"].mu["embedding"][0])
    assert np.any(before["scale_by_adam"].mu["embedding"][1] != after["scale_by_adam"].mu["embedding"][1])


@pytest.mark.slow
def test_update_is_step_and_zero_where_nothing_is():
    tx = gc.lazy_rows(gc.chain(gc.clip_by_global_norm(1.0), gc.adam(0.1)))
    p, s = PARAMS, tx.init(PARAMS)
    for g, (expected, _) in zip(sparse(), run(tx, list(sparse()), PARAMS), strict=True):
        u, s = tx.update(g, s, p)
        same(u["embedding"][3], jnp.zeros(3))
        p = gc.apply_updates(p, u)
        near(p, expected)


def test_in_groups_and_stacks():
    """A partition within, and a stack of tables, whose rows are those of each layer."""
    params = {"a": {"embedding": jnp.ones((2, 4, 3))}, "b": jnp.ones(3)}
    g = {"a": {"embedding": jnp.ones((2, 4, 3)).at[0, 1].set(0).at[1, 2:].set(0)}, "b": jnp.ones(3)}
    tx = gc.lazy_rows(gc.partition({"t": gc.adam(0.1), "r": gc.sgd(0.1)}, {"**/embedding": "t", "**": "r"}))
    (new, state), _ = run(tx, [g, g], params)
    moved = np.any(np.asarray(new["a"]["embedding"]) != 1, axis=-1)
    np.testing.assert_array_equal(moved, np.any(np.asarray(g["a"]["embedding"]) != 0, axis=-1))
    np.testing.assert_array_equal(state["lazy_rows"].rows["a/embedding"], moved)
    np.testing.assert_allclose(new["b"], 0.9, rtol=1e-6)


def test_state_of_all_rows_is_debiased_by_all_steps():
    """A row that is touched late: its own count would take second moments of 6 steps for those of one."""
    base = gc.adam_mini(0.1, over={"**/embedding": "rows"})
    grads = [*sparse(), DENSE[0]]
    (before, _), (lazy, _) = run(gc.lazy_rows(base), grads, PARAMS)[-2:]
    (plain_before, _), (plain, _) = run(base, grads, PARAMS)[-2:]
    moved, expected = (
        a["embedding"][3] - b["embedding"][3] for a, b in ((lazy, before), (plain, plain_before))
    )
    near(moved, expected, rtol=1e-5)


FACTORED = gc.adafactor(0.1, min_dim_size_to_factor=2)


@pytest.mark.parametrize("base", [gc.sgd_sai(0.1), gc.amos(0.1), gc.adagc(0.1), FACTORED])
def test_state_of_whole_leaves_is_no_error(base):
    params = run(gc.lazy_rows(base), list(sparse())[:2], PARAMS)[-1][0]
    same(params["embedding"][3], PARAMS["embedding"][3])


def test_rows_of_leaves_that_begin_late():
    """Two ages at once, of the leaf and of each row in it: that of the row counts."""
    tx = gc.unfreeze(gc.lazy_rows(gc.adam(0.1)), {"embedding": 2})
    params, state = run(tx, list(sparse()), PARAMS)[-1]
    near(params["embedding"], run(gc.lazy_rows(gc.adam(0.1)), list(sparse())[2:], PARAMS)[-1][0]["embedding"])
    assert int(state["scale_by_adam"].born["embedding"]) == 2


def test_a_kernel_that_needs_one_count_says_where_it_is():
    with pytest.raises(TypeError) as error:
        run(gc.lazy_rows(gc.grokfast_ma(2)), DENSE[:1], PARAMS)
    assert "in lazy_rows, for which rows of 'embedding' have counts" in "".join(error.value.__notes__)


def test_what_has_no_rows_is_refused():
    with pytest.raises(ValueError, match="lazy_rows: skip works on whole trees"):
        gc.lazy_rows(gc.skip(gc.adam(0.1)))
    gc.skip(gc.lazy_rows(gc.adam(0.1)))
