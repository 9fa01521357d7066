"""Kin of Muon: identities, parts that combine, heads and blocks, logits that are clipped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from tests.rules.steps import close, draw, problem, stack_is_layers, take

SHAPES = {"up/kernel": (6, 9), "down/kernel": (9, 6), "bias": (9,)}
MATRIX = {"kernel": (6, 9)}


def test_normuon_is_muon_where_eps_is_large(x64):
    """Then all outputs are divided by one number, which the norm takes out again."""
    params, grads = problem(MATRIX, dtype="float64")
    links = [gc.scale_by_muon(), gc.scale_by_normuon(eps=1e9), gc.scale_by_learning_rate(0.1)]
    close(
        take(gc.chain(*links), params, grads).params, take(gc.chain(*links[::2]), params, grads).params, 1e-8
    )


@pytest.mark.slow
def test_normuon_is_muon_plus_without_memory(x64):
    """With b2 = 0 each output is divided by its own root mean square: balanced, of another length."""
    params, grads = problem(MATRIX, dtype="float64")
    muon = gc.scale_by_muon()
    found = take(gc.chain(muon, gc.scale_by_normuon(0.0, 0.0, 0.2)), params, grads).updates
    plus = take(gc.chain(muon, gc.balance("outputs")), params, grads).updates
    close(found, jax.tree.map(lambda u: u * 0.2 * np.sqrt(6), plus), 1e-9)


@pytest.mark.slow
def test_signs_of_the_momentum(x64):
    """AdaMuon's first step: the signs of the gradient made orthogonal, each number of the same size."""
    params, grads = problem(MATRIX, 1, dtype="float64")
    signs = jax.tree.map(jnp.sign, grads[0])
    alone = take(gc.orthogonalize(), params, [signs]).updates[0]["kernel"]
    found = take(gc.adamuon(1.0, eps=0.0), params, grads).updates[0]["kernel"]
    np.testing.assert_allclose(found, -0.2 * np.sign(alone), rtol=1e-8)


@pytest.mark.parametrize(
    "sides, over", [("outputs", (0,)), ("inputs", (1,)), ("both", (0, 1)), ("elements", None)]
)
def test_balance(sides, over):
    g = draw(MATRIX)
    x = np.asarray(g["kernel"], np.float64)
    expected = np.sign(x)
    if over is not None:
        expected = x.copy()
        for axis in over:
            expected /= np.linalg.norm(x, axis=axis, keepdims=True)
    close(take(gc.balance(sides), g, [g]).updates[0], {"kernel": expected}, 1e-6)


def test_zeros_stay_where_they_are():
    g = {"kernel": jnp.zeros((4, 3)).at[:, 1].set(1.0), "stack": jnp.zeros((2, 3, 4))}
    for tx in (
        gc.balance(),
        gc.balance("both"),
        gc.scale_by_normuon(eps=0.0),
        gc.scale_by_lmo("outputs", eps=0),
    ):
        u = take(tx, g, [g]).updates[0]
        assert np.all(np.isfinite(u["kernel"])) and not np.any(u["kernel"][:, ::2]) and not np.any(u["stack"])


def test_equilibration_is_a_link_before(x64):
    """The argument, and a link between momentum and orthogonalisation, mean the same."""
    params, grads = problem(MATRIX, dtype="float64")
    whole = gc.muon(0.1, "polar_express", eps=0.0, equilibrate="outputs", renormalize="inputs")
    parts = gc.chain(
        gc.trace(0.95, nesterov=True),
        gc.balance("outputs"),
        gc.orthogonalize("polar_express", eps=0.0),
        gc.balance("inputs"),
        gc.scale_by_shape(),
        gc.scale_by_learning_rate(0.1),
    )
    close(take(whole, params, grads).params, take(parts, params, grads).params, 1e-9)


def test_scion_is_muon_up_to_scale(x64):
    params, grads = problem(MATRIX, dtype="float64")
    found = take(gc.scion(0.1, 0.9, 3.0, 0.0, constrained=False), params, grads).updates
    muon = take(gc.scale_by_muon(beta=0.9, eps=0.0, nesterov=False), params, grads).updates
    close(found, jax.tree.map(lambda u: -0.1 * 3.0 * np.sqrt(9 / 6) * u, muon), 1e-9)


@pytest.mark.slow
def test_scion_stays_within_its_ball():
    """After many steps the spectral norm is at most the radius times sqrt(outputs / inputs), nearly."""
    params, grads = problem(MATRIX, 30)
    tx = gc.scion(0.3, radius=2.0, ns_coeffs="polar_express", ns_steps=8)
    size = np.linalg.norm(take(tx, params, grads).params["kernel"], 2)
    assert 0.5 < size / (2.0 * np.sqrt(9 / 6)) < 1.01


def test_norms_of_scion_by_name():
    shapes = {"embed/embedding": (7, 4), "lm_head/kernel": (4, 7), "block/kernel": (4, 6), "block/bias": (6,)}
    params, grads = problem(shapes, 1)
    u = take(gc.scion(1.0, radius=2.0, input_radius=3.0, constrained=False), params, grads).updates[0]
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(u["embed/embedding"]), 1)), 3.0, rtol=1e-5)
    np.testing.assert_allclose(np.abs(u["lm_head/kernel"]), 3000 / 4, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.mean(np.square(u["block/bias"]))), 2.0, rtol=1e-5)
    rows = take(gc.scale_by_lmo("outputs", 2.0), params, grads).updates[0]["block/kernel"]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=0), 2.0 / np.sqrt(4), rtol=1e-5)


@pytest.mark.parametrize("make", [gc.muonh, pytest.param(gc.adamh, marks=pytest.mark.slow)])
def test_norms_are_kept(make):
    params, grads = problem({**SHAPES, "stack/kernel": (3, 4, 5)}, 9)
    found = take(make(0.2), params, grads).params
    for name in ("up/kernel", "down/kernel", "stack/kernel"):
        before, after = (np.linalg.norm(np.asarray(x[name]), axis=(-2, -1)) for x in (params, found))
        np.testing.assert_allclose(after, before, rtol=1e-6)
        assert np.linalg.norm(found[name] - params[name]) > 0.1 * np.linalg.norm(params[name])


def test_relative_steps():
    """Without keeping the norm: each step is that part of it, by a link that there was before."""
    params, grads = problem(MATRIX, 1)
    tx = gc.chain(gc.scale_by_muon(), gc.scale_by_trust_ratio(), gc.scale_by_learning_rate(0.01))
    u = take(tx, params, grads).updates[0]["kernel"]
    np.testing.assert_allclose(np.linalg.norm(u), 0.01 * np.linalg.norm(params["kernel"]), rtol=1e-5)


@pytest.mark.slow
def test_spel_leaves_matrices_orthogonal():
    params, grads = problem(MATRIX)
    found = take(gc.spel(0.1, ns_coeffs="polar_express", ns_steps=8), params, grads).params["kernel"]
    np.testing.assert_allclose(np.linalg.svd(found, compute_uv=False), 1.0, rtol=1e-4)


SLOW = [pytest.param(f, marks=pytest.mark.slow) for f in (gc.adamuon, gc.scion)]


@pytest.mark.parametrize("make", [gc.normuon, gc.muonh, *SLOW])
def test_layers_of_a_stack(make):
    stack_is_layers(make(0.1))


def test_heads_of_a_fused_kernel():
    """[in, 3, heads, dim], each head of each of the three a matrix; as if they were leaves of their own."""
    params, grads = problem({"qkv/kernel": (8, 3, 2, 4)})
    tx = gc.normuon(0.1, equilibrate="outputs", consistent_rms=None)
    fused = take(gc.with_axes(tx, {"**/kernel": "rbbc"}), params, grads).params["qkv/kernel"]
    part = lambda tree, i, j: {"kernel": tree["qkv/kernel"][:, i, j]}  # noqa: E731
    for i, j in ((0, 0), (2, 1)):
        alone = take(tx, part(params, i, j), [part(g, i, j) for g in grads]).params["kernel"]
        close(fused[:, i, j], alone)


ATTENTION = {"attn/query/kernel": (6, 2, 4), "attn/key/kernel": (6, 2, 4), "attn/query/bias": (2, 4)}


def clipped(logits, shapes=None, **changes):
    params, grads = problem(shapes or ATTENTION, 1)
    tx = gc.chain(gc.sgd(0.1), gc.qk_clip(**changes))
    u, _ = tx.update(grads[0], tx.init(params), params, max_logits=logits)
    plain = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads[0])
    return jax.tree.map(jnp.add, params, u), plain


def test_small_logits_change_nothing():
    params, grads = problem(ATTENTION, 1)
    sgd, tx = gc.sgd(0.1), gc.chain(gc.sgd(0.1), gc.qk_clip())
    for logits in (jnp.array([100.0, 3.0]), jnp.float32(-5.0), {"attn": jnp.zeros(2)}, None):
        u, _ = tx.update(grads[0], tx.init(params), params, max_logits=logits)
        expected, _ = sgd.update(grads[0], sgd.init(params), params)
        jax.tree.map(np.testing.assert_array_equal, u, expected)


def test_large_logits_are_what_is_allowed():
    """Logits are products of queries and keys: those of each head shrink to the threshold."""
    logits = jnp.array([400.0, 50.0])
    found, plain = clipped({"attn": logits}, query_share=0.25)
    c = np.array([0.25, 1.0])[:, None]
    for name, power in (("query/kernel", 0.25), ("query/bias", 0.25), ("key/kernel", 0.75)):
        close(found[f"attn/{name}"], plain[f"attn/{name}"] * c**power, 1e-6)
    x = np.ones(6)
    q, k = (np.einsum("i,ihd->hd", x, found[f"attn/{n}/kernel"]) for n in ("query", "key"))
    q0, k0 = (np.einsum("i,ihd->hd", x, plain[f"attn/{n}/kernel"]) for n in ("query", "key"))
    np.testing.assert_allclose(np.sum(q * k, 1), np.sum(q0 * k0, 1) * c[:, 0], rtol=1e-4)


def test_shared_keys_and_stacked_layers():
    shapes = {"attn/query/kernel": (3, 6, 4, 5), "attn/key/kernel": (3, 6, 2, 5)}
    logits = jnp.full((3, 4), 50.0).at[1, 2].set(200.0)
    found, plain = clipped(logits, shapes)
    np.testing.assert_array_equal(found["attn/key/kernel"], plain["attn/key/kernel"])
    factor = np.ones((3, 1, 4, 1))
    factor[1, 0, 2] = 0.5
    close(found["attn/query/kernel"], plain["attn/query/kernel"] * factor, 1e-6)


def test_wrong_logits():
    with pytest.raises(ValueError, match=r"qk_clip: max_logits has shape \[3\] for 'attn/key/.* axis 1"):
        clipped(jnp.ones(3), {"attn/query/kernel": (6, 2, 4), "attn/key/kernel": (6, 2, 4)})
    with pytest.raises(ValueError, match=r"qk_clip: no maximum for 'attn/key/.*max_logits has 'block'"):
        clipped({"block": jnp.ones(2)})
    with pytest.raises(ValueError, match=r"qk_clip: the mask 'q\*' matches none of 3 leaves"):
        clipped(jnp.ones(2), queries="q*")


def test_muonclip_is_muon_and_a_clip():
    params, grads = problem(ATTENTION, 1)
    tx, muon = gc.muonclip(0.1), gc.muon(0.1, nesterov=False, consistent_rms=0.2)
    found, _ = tx.update(grads[0], tx.init(params), params, max_logits=jnp.array([400.0, 1.0]))
    plain, _ = muon.update(grads[0], muon.init(params), params)
    q = "attn/query/kernel"
    close(params[q] + found[q], (params[q] + plain[q]) * np.array([0.5, 1.0])[:, None], 1e-5)


def test_state_is_that_of_muon_and_a_number_for_each_output():
    params, _ = problem({"up/kernel": (32, 256), "bias": (256,)}, 0)
    muon, nor, short = (
        tx.init(params)["muon"] for tx in (gc.muon(0.1), gc.normuon(0.1), gc.stored(gc.normuon(0.1), "log8"))
    )
    assert set(nor) == {*muon, "scale_by_normuon"}
    assert nor["scale_by_normuon"].nu["up/kernel"].shape == (256,)
    assert short["scale_by_muon"].mu["up/kernel"].dtype in (jnp.int8, jnp.uint8)


def test_muown_turns_without_lengthening(x64):
    """A gradient across each output's weights changes their directions alone, along them lengths alone."""
    params, grads = problem(MATRIX, 1, dtype="float64")
    p, g = params["kernel"], grads[0]["kernel"]
    along = p * jnp.sum(p * g, 0) / jnp.sum(p * p, 0)
    tx = gc.step_by_outputs(0.1, eps=1e-6)
    turned, longer = (take(tx, params, [{"kernel": x}]).params["kernel"] for x in (g - along, along))
    np.testing.assert_allclose(jnp.linalg.norm(turned, axis=0), jnp.linalg.norm(p, axis=0), rtol=1e-6)
    assert np.linalg.norm(turned - p) > 0.1
    np.testing.assert_allclose(
        jnp.sum(longer * p, 0) ** 2, jnp.sum(longer**2, 0) * jnp.sum(p**2, 0), rtol=1e-9
    )
    np.testing.assert_allclose(
        jnp.abs(jnp.linalg.norm(longer, axis=0) - jnp.linalg.norm(p, axis=0)), 0.1, rtol=1e-4
    )
