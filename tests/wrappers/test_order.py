"""Links that set parameters to values of their own, with wrappers that keep other parameters."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc

SETS = [gc.proximal_l1(0.1), gc.keep_params_nonnegative(), gc.ftrl(0.1)]
KEEP = [
    gc.lookahead(gc.sgd(0.1), 2, 0.5),
    gc.average(gc.sgd(0.1)),
    gc.diloco(gc.sgd(0.1), gc.sgd(0.7), 2, "data"),
    gc.sam(gc.sgd(0.1), gc.sgd(0.1)),
]


@pytest.mark.parametrize("link", SETS, ids=lambda tx: tx.name)
@pytest.mark.parametrize("base", [gc.schedule_free_sgd(0.1), gc.gpa_adamw(0.1)], ids=lambda tx: tx.name)
def test_averages_computed_from_what_a_link_sets_are_refused(base, link):
    with pytest.raises(ValueError, match=r"sets parameters from which .* would compute its average"):
        gc.chain(base, link)
    with pytest.raises(ValueError, match=r"sets parameters from which .* would compute its average"):
        gc.chain(base, gc.masked(link, "a"), gc.identity())


@pytest.mark.parametrize("link", SETS, ids=lambda tx: tx.name)
def test_schedule_free_takes_no_base_that_sets_its_parameters(link):
    """It would set y, and what that changes of y would be added to z."""
    with pytest.raises(ValueError, match="would set the parameters y where the steps of z are wanted"):
        gc.schedule_free(gc.chain(gc.sgd(0.1), link), 0.1)
    gc.primal_averaging(gc.chain(gc.sgd(0.1), link))  # whose base has z for its parameters


@pytest.mark.parametrize("link", SETS, ids=lambda tx: tx.name)
@pytest.mark.parametrize("base", KEEP, ids=lambda tx: tx.name)
def test_what_sets_parameters_comes_before_what_keeps_them(base, link):
    with pytest.raises(ValueError, match=r"sets parameters after .*; put .* before"):
        gc.chain(base, link)


def test_in_the_right_order_what_is_evaluated_is_not_negative():
    step = gc.chain(gc.sgd(0.5), gc.keep_params_nonnegative())
    for tx in (gc.lookahead(step, 2, 0.5), gc.average(step, 0.5), gc.primal_averaging(step, 0.5)):
        params = {"a": jnp.array([0.3, 1.0])}
        state = tx.init(params)
        for _ in range(4):
            params, state = jax.jit(tx.step)({"a": jnp.array([1.0, -1.0])}, state, params)
            assert float(gc.eval_params(tx, state, params)["a"].min()) >= -1e-6
