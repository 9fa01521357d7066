"""Muon: against Optax where the two mean the same, which leaves it takes, shapes, storage, precision."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gradchain as gc
from gradchain.rules.matrix.coefficients import steps_of
from tests.rules.steps import close, draw, problem, stack_is_layers, take

SHAPES = {"up/kernel": (6, 9), "down/kernel": (9, 6), "square/kernel": (5, 5)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nesterov": False},
        {"adaptive": True},
        {"preconditioning": "spectral"},
        {"consistent_rms": 0.2, "weight_decay": 0.1},
        {"ns_coeffs": ((3.0, -3.5, 1.4), (1.875, -1.25, 0.375))},
    ],
    ids=lambda changes: "+".join(changes) or "plain",
)
def test_optax_with_its_bias_correction(changes, x64):
    """Optax corrects the bias of the momentum. `eps` stands elsewhere in its other preconditionings."""
    params, grads = problem(SHAPES, dtype="float64")
    found = take(gc.muon(0.02, eps=1e-3, bias_correction=True, **changes), params, grads)
    expected = take(optax.contrib.muon(0.02, eps=1e-3, **changes), params, grads)
    rtol = 1e-4 if "preconditioning" in changes else 1e-9  # of "spectral" each iterates for the norm
    close(found.params, expected.params, rtol)


@pytest.mark.parametrize("kind", ["schatten", "aol"])
def test_optax_preconditionings(kind, x64):
    params, grads = problem(SHAPES, dtype="float64")
    found = take(gc.muon(0.02, eps=0.0, bias_correction=True, preconditioning=kind), params, grads)
    expected = take(optax.contrib.muon(0.02, eps=1e-14, preconditioning=kind), params, grads)
    close(found.params, expected.params, 1e-6)


def test_bias_correction_without_nesterov_changes_nothing(x64):
    """A factor that is the same for all of m disappears in the norm."""
    params, grads = problem(SHAPES, dtype="float64")
    made = [
        take(gc.muon(0.02, eps=0.0, nesterov=False, bias_correction=on), params, grads)
        for on in (False, True)
    ]
    close(made[0].params, made[1].params, 1e-9)


def labels(paths, mask=None) -> dict[str, str]:
    """The group of each leaf."""
    params = {path: jnp.zeros(shape) for path, shape in paths.items()}
    state = gc.muon(0.1, muon_mask=mask).init(params)
    picked = state["muon"]["scale_by_muon"].mu if "muon" in state else {}
    return {path: "muon" if path in picked else "adam" for path in paths}


def test_which_leaves_are_orthogonalised():
    paths = {
        "layers_0/dense/kernel": (4, 6),
        "layers/attention/query/kernel": (2, 8, 2, 4),
        "conv_1/kernel": (3, 3, 4, 8),
        "output/dense/kernel": (4, 4),
    }
    others = {
        "embed/embedding": (10, 4),
        "pos_embedding": (10, 4),
        "wte": (10, 4),
        "lm_head/kernel": (4, 10),
        "head/kernel": (4, 10),
        "layers_0/dense/bias": (6,),
        "layers/norm/scale": (2, 8),
        "temperature": (),
    }
    found = labels(paths | others)
    assert found == dict.fromkeys(paths, "muon") | dict.fromkeys(others, "adam")
    assert labels(paths | others, "lm_head/*")["lm_head/kernel"] == "muon"
    everything = labels(paths | others, "**")
    assert everything["wte"] == "muon" and everything["layers/norm/scale"] == "adam"
    with pytest.raises(ValueError, match=r"muon: the mask 'block/\*' matches none of 4 leaves"):
        labels(paths, "block/*")


@pytest.mark.parametrize("shapes", [{"kernel": (4, 3)}, {"bias": (3,)}], ids=["matrices", "vectors"])
def test_one_group_alone(shapes):
    params, grads = problem(shapes)
    found = take(gc.muon(0.1, weight_decay=0.1), params, grads)
    assert all(np.all(np.isfinite(x)) and np.any(x) for u in found.updates for x in u.values())


def test_one_learning_rate_or_two():
    params, grads = problem({"kernel": (4, 3), "bias": (3,)})
    tx = gc.muon(gc.linear_schedule(0.1, 0.0, 10))
    assert set(tx.init(params)) == {"muon", "adam", "scale_by_learning_rate"}
    np.testing.assert_allclose(gc.metrics(take(tx, params, grads).state)["learning_rate"], 0.08, rtol=1e-6)
    two = gc.muon(0.1, adam_learning_rate=0.001)
    assert set(two.init(params)) == {"muon", "adam"}
    one = gc.muon(0.1)
    ratio = take(two, params, grads[:1]).updates[0], take(one, params, grads[:1]).updates[0]
    np.testing.assert_allclose(ratio[0]["bias"], ratio[1]["bias"] / 100, rtol=1e-5)
    np.testing.assert_array_equal(ratio[0]["kernel"], ratio[1]["kernel"])


def test_layers_of_a_stack_are_matrices():
    stack_is_layers(gc.muon(0.1, adaptive=True))
    stack_is_layers(gc.muon(0.1), (3, 4, 6))


def test_matrices_of_merged_axes():
    """Attention: query [in, heads, dim] is one matrix in x (heads dim), its scale is that of this matrix."""
    g = draw({"query/kernel": (6, 2, 4)})
    flat = {"dense/kernel": g["query/kernel"].reshape(6, 8)}
    tx = gc.muon(1.0)
    merged, plain = (take(tx, p, [p]).updates[0] for p in (g, flat))
    close(merged["query/kernel"].reshape(6, 8), plain["dense/kernel"], 1e-5)
    unit = gc.scale_by_shape()
    u, _ = unit.update({"query/kernel": jnp.ones((6, 2, 4))}, unit.init(g), g)
    assert np.allclose(u["query/kernel"], np.sqrt(8 / 6))


@pytest.mark.parametrize(
    "shape, plain, moonshot", [((4, 16), 2.0, 0.8), ((16, 4), 1.0, 0.8), ((9,), 3.0, 0.6)]
)
def test_scale_by_shape(shape, plain, moonshot):
    g = {"w": jnp.ones(shape)}
    for tx, want in ((gc.scale_by_shape(), plain), (gc.scale_by_shape(0.2), moonshot)):
        np.testing.assert_allclose(tx.update(g, tx.init(g), g)[0]["w"], want, rtol=1e-6)


def test_root_mean_square_is_the_same_for_all_shapes():
    """With enough steps of a converging iteration every update has the root mean square that is asked for."""
    params = draw({"long": (8, 40), "tall": (40, 8), "square": (16, 16)})
    tx = gc.muon(1.0, ns_coeffs=(1.875, -1.25, 0.375), ns_steps=30, consistent_rms=0.2)
    for u in take(tx, params, [params]).updates[0].values():
        np.testing.assert_allclose(np.sqrt(np.mean(np.square(u))), 0.2, rtol=1e-3)


def test_stored_momentum():
    """The momentum is a slot like any: in one byte a number, and the path of training hardly changes."""
    shapes = {"kernel": (64, 96), "bias": (96,)}
    params, grads = problem(shapes, steps=20)
    tx = gc.muon(0.02)
    plain, short = take(tx, params, grads), take(gc.stored(tx, "log8"), params, grads)
    mu = short.state["muon"]["scale_by_muon"].mu["kernel"]
    assert mu.dtype == jnp.int8 or mu.dtype == jnp.uint8
    moved = np.linalg.norm(plain.params["kernel"] - params["kernel"])
    assert np.linalg.norm(short.params["kernel"] - plain.params["kernel"]) < 0.15 * moved
    assert np.any(short.params["kernel"] != plain.params["kernel"])


def test_mu_dtype_and_tunables():
    params, grads = problem({"kernel": (4, 6)})
    tx = gc.muon(gc.tunable(0.1), mu_dtype=jnp.bfloat16, beta=gc.linear_schedule(0.5, 0.9, 3))
    found = take(tx, params, grads)
    assert found.state["muon"]["scale_by_muon"].mu["kernel"].dtype == jnp.bfloat16
    assert gc.metrics(found.state)["beta"] > 0.5


def test_precision_reaches_every_product():
    params = {"kernel": jnp.zeros((8, 32)), "bias": jnp.zeros(3)}

    def precisions(**changes):
        tx = gc.muon(0.1, **changes)
        text = jax.jit(tx.update).lower(params, tx.init(params), params).as_text()
        lines = [line for line in text.splitlines() if "dot_general" in line]
        assert (
            len(lines) == 2 + 2 + 14
        )  # two Gram matrices, two of their q on x, and those of three and two steps
        return {"HIGHEST" in line for line in lines}

    assert precisions() == {False} and precisions(precision="highest") == {True}


def test_coefficients():
    assert steps_of((1, 2, 3), 2) == ((1.0, 2.0, 3.0),) * 2
    assert steps_of([[1, 2, 3], [4, 5, 6]], 9) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    for wrong, steps in (((1, 2), 5), ([(1, 2, 3), (1, 2)], 5), ((1, 2, 3), 0)):
        with pytest.raises(ValueError, match=r"expected three numbers \(a, b, c\)"):
            gc.muon(0.1, ns_coeffs=wrong, ns_steps=steps)
    tx = gc.muon(0.1, ns_coeffs=[[3, -4, 2], [2, -1.5, 0.5]], muon_mask=["**/kernel"])
    assert gc.from_config(gc.to_config(tx)) == tx


LINKS = ["orthogonalize", "scale_by_muon", "scale_by_dion2"]
OPTIMIZERS = ["muon", "scion", "dion2", "normuon", "adamuon", "muonh", "spel", "muown", "step_on_stiefel"]


@pytest.mark.parametrize("name", LINKS + OPTIMIZERS)
def test_factors_of_bfloat16(name: str):
    """Every product of the iteration, and nothing else."""

    def program(**changes) -> str:
        rate = {} if name in LINKS else {"learning_rate": 0.1}
        tx = getattr(gc, name)(**rate, **changes)
        state = jax.eval_shape(tx.init, params)
        return str(jax.make_jaxpr(lambda s: tx.update(params, s, params))(state))

    params = {"kernel": jnp.ones((4, 6))}
    plain, short = program(), program(ns_dtype="bfloat16")
    assert "bf16" not in plain
    twice = short.count("branches_platforms=(('cpu',), None)")  # each short product, once more for CPU
    assert "bf16[1," in short and twice and short.count("dot_general") == plain.count("dot_general") + twice
