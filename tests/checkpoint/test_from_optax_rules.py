"""States of Optax whose classes or fields are other ones here, and of rules with Optax's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close

optax = pytest.importorskip("optax")
contrib = pytest.importorskip("optax.contrib")

SHAPES = {"w": (7, 5), "stack": (4, 3, 6), "b": (5,)}
FACTORED = {"min_dim_size_to_factor": 3}
SLOW = pytest.mark.slow


def case(module, name: str, theirs=(), ours=(), marks=()):
    theirs = {"learning_rate": 0.03, **dict(theirs)}
    return pytest.param(
        getattr(module, name)(**theirs), getattr(gc, name)(**theirs, **dict(ours)), marks=marks, id=name
    )


CASES = [
    case(contrib, "simplified_ademamix"),
    case(optax, "optimistic_gradient_descent"),
    case(optax, "adafactor", FACTORED, {"longest_axes": True, "per_leaf": True}),
    case(optax, "amsgrad", (), {"debias_first": True}),
    case(contrib, "ademamix", marks=SLOW),
    case(contrib, "adopt", marks=SLOW),
    case(contrib, "acprop", (), {"old_mean": True}, marks=SLOW),
    case(optax, "yogi", (), {"fill_mu": True}, marks=SLOW),
    case(optax, "novograd", (), {"per_leaf": True}, marks=SLOW),
    case(optax, "optimistic_adam_v2", marks=SLOW),
    pytest.param(
        contrib.muon(0.03),
        gc.muon(
            0.03,
            muon_weight_dimension_numbers=gc.matrices_alone,
            bias_correction=True,
            adam_nesterov=True,
        ),
        marks=SLOW,
        id="muon",
    ),
]


def draw(seed: int):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=shape)) for name, shape in SHAPES.items()}


@pytest.mark.parametrize(("theirs", "ours"), CASES)
def test_it_goes_on(theirs, ours):
    with jax.enable_x64(True):
        params, grads = draw(0), [draw(i) for i in range(1, 6)]
        before = theirs.init(params)
        update = jax.jit(theirs.update)
        for g in grads[:3]:
            updates, before = update(g, before, params)
            params = optax.apply_updates(params, updates)
        state, report = gc.from_optax(ours, params, before)
        known = {"learning_rate", "count", "count_m2", "ns_coeffs"}
        assert {path.split("/")[-1] for path in (*report.initialised, *report.dropped)} <= known
        mine, step = params, jax.jit(ours.step)
        for g in grads[3:]:
            updates, before = update(g, before, params)
            params = optax.apply_updates(params, updates)
            mine, state = step(g, state, mine)
        close(mine, params, 1e-6 if ours.name == "adafactor" else 1e-10)  # Optax's t^-0.8 is of float32


def test_what_amsgrad_notes():
    """Which maximum it is, where it is another one."""
    params = {"w": jnp.ones(3)}
    state = optax.amsgrad(0.1).init(params)
    notes = [str(gc.from_optax(gc.amsgrad(0.1, debias_first=d), params, state)[1]) for d in (False, True)]
    assert ["maximum is over bias-corrected" in text for text in notes] == [True, False]
