"""chain: names of links, twins, nested chains, and a state whose paths an edit of the chain leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

PARAMS = {"a": jnp.asarray([1.0, -2.0, 3.0]), "b": {"c": jnp.asarray(0.5)}}
GRADS = {"a": jnp.asarray([0.1, 0.2, -0.3]), "b": {"c": jnp.asarray(-4.0)}}


def paths(tx, params=PARAMS):
    state = tx.init(params)
    return {jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_flatten_with_path(state)[0]}


def trajectory(tx, steps=3, params=PARAMS):
    state = tx.init(params)
    for _ in range(steps):
        params, state = tx.step(GRADS, state, params)
    return params, state


def equal(x, y):
    jax.tree.map(np.testing.assert_array_equal, x, y)


def test_state_is_named():
    tx = gc.chain(gc.scale_by_adam(), gc.scale(2.0), gc.scale_by_learning_rate(0.1))
    assert list(tx.init(PARAMS)) == ["scale_by_adam", "scale_by_learning_rate"]
    assert "['scale_by_adam'].mu['b']['c']" in paths(tx)


def test_twins_are_numbered():
    tx = gc.chain(gc.scale_by_adam(), gc.scale_by_adam(b1=0.5), gc.scale_by_adam(b1=0.1))
    assert list(tx.init(PARAMS)) == ["scale_by_adam", "scale_by_adam_1", "scale_by_adam_2"]


def test_twins_keep_their_own_state():
    """The second of two accumulators sees the updates of the first."""
    tx = gc.chain(gc.scale_by_adam(b1=0.0), gc.scale_by_adam(b1=0.5))
    state = tx.init(PARAMS)
    first, _ = gc.scale_by_adam(b1=0.0).update(GRADS, gc.scale_by_adam(b1=0.0).init(PARAMS))
    _, state = tx.update(GRADS, state)
    equal(state["scale_by_adam"].mu, GRADS)
    jax.tree.map(
        lambda m, u: np.testing.assert_allclose(m, 0.5 * u, rtol=1e-6), state["scale_by_adam_1"].mu, first
    )


def test_nested_chains_are_opened():
    links = gc.scale_by_adam(), gc.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.1)
    flat = gc.chain(*links)
    nested = gc.chain(gc.chain(gc.chain(links[0]), links[1]), links[2])
    equal(trajectory(flat), trajectory(nested))
    assert len(nested.body.steps) == 1, "kernels of a nested chain run together with the others"


def test_an_optimizer_is_a_link():
    tx = gc.chain(gc.adam(0.1), gc.scale(0.5))
    assert list(tx.init(PARAMS)) == ["scale_by_adam", "scale_by_learning_rate"]


def test_named_chain():
    tx = gc.named_chain(
        ("slow", gc.scale_by_adam(b2=0.99)), ("fast", gc.scale_by_adam()), ("lr", gc.scale(0.1))
    )
    assert list(tx.init(PARAMS)) == ["slow", "fast"]
    with pytest.raises(TypeError, match=r"named_chain: .* is not a pair \(name, transformation\)"):
        gc.named_chain(gc.scale(1.0))


def test_named_chain_of_chains():
    tx = gc.named_chain(("inner", gc.adam(0.1)), ("last", gc.scale_by_adam()))
    assert list(tx.init(PARAMS)) == ["inner/scale_by_adam", "inner/scale_by_learning_rate", "last"]
    equal(trajectory(tx)[0], trajectory(gc.chain(gc.adam(0.1), gc.scale_by_adam()))[0])


LINKS = [gc.scale_by_adam(), gc.zero_nans(), gc.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.1)]


@pytest.mark.parametrize(
    "edit",
    [
        lambda links: links[1:],
        lambda links: links[:-1],
        lambda links: links[:1] + links[2:],
        lambda links: [gc.scale_by_schedule(lambda count: 1.0), *links],
        lambda links: [*links, gc.scale_by_amsgrad()],
        lambda links: links[::-1],
        lambda links: [gc.chain(*links[:2]), gc.chain(*links[2:])],
    ],
    ids=["without first", "without last", "without middle", "one before", "one after", "reversed", "grouped"],
)
def test_edits_leave_other_paths_alone(edit):
    before, after = gc.chain(*LINKS), gc.chain(*edit(LINKS))
    old, new = before.init(PARAMS), after.init(PARAMS)
    common = set(old) & set(new)
    assert len(common) >= 2
    for name in common:
        assert jax.tree.structure(old[name]) == jax.tree.structure(new[name])
        equal(old[name], new[name])
    carried = {k: old.get(k, v) for k, v in trajectory(before)[1].items() if k in common} | {
        k: v for k, v in new.items() if k not in common
    }
    after.update(GRADS, carried, PARAMS)  # the state of the old chain goes on in the new one


def test_empty_chain_is_identity():
    tx = gc.chain()
    assert tx.init(PARAMS) == {}
    updates, state = tx.update(GRADS, {}, PARAMS)
    equal(updates, GRADS)
    equal(tx.step(GRADS, state, PARAMS)[0], gc.apply_updates(PARAMS, GRADS))


def test_chain_equals_links_by_hand():
    links = [gc.add_l1(0.1), gc.scale_by_adam(), gc.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.3)]
    updates = GRADS
    for link in links:
        updates, _ = link.update(updates, link.init(PARAMS), PARAMS)
    tx = gc.chain(*links)
    together, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), together, updates)


def test_adjacent_kernels_run_as_one():
    tx = gc.chain(gc.scale_by_adam(), gc.add_decayed_weights(0.1), gc.scale_by_learning_rate(0.1))
    (only,) = tx.body.steps
    assert [part.name for part in only] == ["scale_by_adam", "add_decayed_weights", "scale_by_learning_rate"]


def test_update_without_parameters():
    updates, _ = gc.chain(gc.scale_by_adam(), gc.scale(2.0)).update(GRADS, gc.scale_by_adam().init(PARAMS))
    assert jax.tree.structure(updates) == jax.tree.structure(GRADS)


def test_extra_arguments_reach_the_link_that_declares_them():
    def update(updates, params, *, value):
        return jax.tree.map(lambda u: u * value, updates)

    @gc.transform()
    def scale_by_value():
        return gc.treewise(None, update)

    try:
        tx = gc.chain(gc.scale(2.0), gc.chain(scale_by_value()), gc.scale_by_learning_rate(1.0))
        updates, _ = tx.update(GRADS, tx.init(PARAMS), value=3.0, unknown="ignored")
        np.testing.assert_allclose(updates["a"], -6 * GRADS["a"], rtol=1e-6)
        with pytest.raises(TypeError, match=r"needs 'value': call update\(grads, state, params, value=...\)"):
            tx.update(GRADS, tx.init(PARAMS))
        masked = gc.masked(scale_by_value(), "a")
        assert masked.body.needs == {"value"}
    finally:
        del gc.REGISTRY["scale_by_value"]
