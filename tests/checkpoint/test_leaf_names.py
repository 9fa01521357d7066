"""Any names of leaves: also those of fields, links and parts of codecs, none at all, dots, slashes."""

import jax
import jax.numpy as jnp
import pytest
from checkpoint_cases import random_like, same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import gradchain as gc

TXS = (
    gc.stored(gc.adamw(gc.tunable(0.1)), "int8", min_size=0),
    gc.chain(gc.stored(gc.masked(gc.chain(gc.trace(0.9), gc.adam(0.1)), "**"), {"mu": "int8"}, min_size=0)),
    gc.accumulate(gc.adafactor(0.1, momentum=0.9, min_dim_size_to_factor=2), 2),
)
OTHER = gc.chain(gc.trace(0.9), gc.stored(gc.adamw(0.2), "log8", min_size=0))
NASTY = (
    *("mu", "nu", "trace", "mu_scale", "nu_scale", "count", "hyperparams", "learning_rate", "scale_by_adam"),
    *(
        "stored",
        "params",
        "state",
        "aux",
        "",
        ".",
        "..",
        "a.b",
        "ü",
        "日本",
        "0",
        "a b",
        "*",
        "**",
        "[x]",
        '"',
    ),
)
names = st.lists(st.sampled_from(NASTY), min_size=1, max_size=3)


def tree_of(paths):
    """Nested dicts with a matrix at each path, so far as no path runs through another."""
    found = {}
    for i, path in enumerate(paths):
        here, fits = found, True
        for name in path[:-1]:
            here = here.setdefault(name, {})
            fits = isinstance(here, dict)
            if not fits:
                break
        if fits and path[-1] not in here:
            here[path[-1]] = jnp.full((2, 2), i + 1, jnp.float32)
    return found


def goes_round(params, folder):
    for tx in TXS:
        state = random_like(tx.init(params), 1)
        gc.save(folder / "run", tx, state, params, aux=params)
        found = gc.load(folder / "run", tx, params, strict=True, aux=params)
        same_bits((found.params, found.state, found.aux), (params, state, params))
        same_bits(gc.load_state(tx, params, gc.state_dict(state), strict=True)[0], state)
    state, small = gc.adamw(0.2).init(params), TXS[0].init(params)
    report = gc.load_state(OTHER, params, state)[1]
    assert len(report.loaded) == len(jax.tree.leaves(state)) and report.dropped == ()
    report = gc.load_state(gc.adamw(gc.tunable(0.1)), params, small, saved_by=TXS[0], strict=False)[1]
    assert report.initialised == () and report.dropped == ("stored/count",)


@given(st.lists(names, min_size=1, max_size=4))
@settings(max_examples=12, deadline=None)
def test_any_names(tmp_path_factory, paths):
    goes_round(tree_of(paths), tmp_path_factory.mktemp("names"))


@pytest.mark.parametrize(
    "params",
    [
        {"X": jnp.ones((2, 2)), "mu": {"X": jnp.zeros((2, 2))}, "nu": {"X": jnp.ones((2, 2))}},
        {"X": jnp.ones((2, 2)), "mu/X": jnp.zeros((2, 2)), "trace": {"X": jnp.ones((2, 2))}},
        {"mu": {"mu": jnp.ones((2, 2))}, "mu_scale": {"mu": jnp.ones((2, 2))}, "count": jnp.ones((2, 2))},
        {"": {"": jnp.ones((2, 2))}, "/": jnp.zeros((2, 2))} | {"count": jnp.ones((2, 2))},
        jnp.ones((2, 2)),
        [jnp.ones((2, 2)), (jnp.zeros((2, 2)),)],
    ],
    ids=["below fields", "with slashes", "twice", "empty", "one array", "lists"],
)
def test_names_of_fields(params, tmp_path):
    if isinstance(params, dict) and "/" in params:
        with pytest.raises(ValueError, match="two leaves have the path '/'"):
            goes_round(params, tmp_path)
        del params["/"]
    goes_round(params, tmp_path)


def test_names_of_fields_in_a_folder(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    params = tree_of([[name] for name in NASTY[:9]] + [["x", name] for name in NASTY])
    state = random_like(TXS[0].init(params))
    with gc.Checkpointer(tmp_path / "run") as checkpointer:
        checkpointer.save(1, TXS[0], state, params)
        found = checkpointer.restore(TXS[0], params, strict=True)
    same_bits((found.params, found.state), (params, state))
