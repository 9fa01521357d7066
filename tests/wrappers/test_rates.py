"""layerwise_decay, lora_plus, mup: learning rates that differ from leaf to leaf."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

SHAPES = {
    "embed": {"table": (5, 4)},
    "layers": {str(i): {"kernel": (4, 4), "bias": (4,)} for i in range(3)},
    "head": {"kernel": (4, 5)},
}


def made(shapes, seed=0):
    leaves, treedef = jax.tree.flatten(shapes, is_leaf=lambda x: isinstance(x, tuple))
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return treedef.unflatten([jax.random.normal(k, s) for k, s in zip(keys, leaves, strict=True)])


PARAMS, GRADS = made(SHAPES), made(SHAPES, 1)


def updates(tx, params=PARAMS, grads=GRADS):
    return tx.update(grads, tx.init(params), params)[0]


def ratios(tx, plain, params=PARAMS, grads=GRADS):
    """What each leaf's update is of that without the factors, by path."""
    pairs = zip(
        gc.tree.paths(params),
        jax.tree.leaves(updates(tx, params, grads)),
        jax.tree.leaves(updates(plain, params, grads)),
        strict=True,
    )
    return {path: np.unique(np.round(np.asarray(a / b, float), 5)).tolist() for path, a, b in pairs}


def test_layerwise_decay():
    """Decay included, and the table says what is done."""
    plain = gc.adamw(0.1, weight_decay=0.3)
    tx = gc.layerwise_decay(plain, 0.5)
    expected = {"embed/table": 0.5**4, "head/kernel": 1.0}
    expected |= {f"layers/{i}/{k}": 0.5 ** (3 - i) for i in range(3) for k in ("kernel", "bias")}
    assert ratios(tx, plain) == {path: [pytest.approx(x)] for path, x in expected.items()}
    table = gc.factors(tx, PARAMS)
    assert {row.path: row.largest for row in table.rows} == pytest.approx(expected)
    assert (
        "layer 1 of 3" in repr(table)
        and "before the layers" in repr(table)
        and "<table>" in table._repr_html_()
    )
    assert tx.init(PARAMS).keys() == plain.init(PARAMS).keys()


def test_stacked_layers_get_a_factor_each():
    params = made({"layers": {"kernel": (3, 4, 4), "bias": (3, 4)}, "head": {"kernel": (4, 2)}})
    plain = gc.sgd(0.1, momentum=0.9)
    tx = gc.layerwise_decay(plain, 0.5, "layers/")
    found = ratios(tx, plain, params, params)
    assert found["layers/kernel"] == found["layers/bias"] == [0.125, 0.25, 0.5] and found["head/kernel"] == [
        1
    ]
    first = np.asarray(
        updates(tx, params, params)["layers"]["kernel"] / updates(plain, params, params)["layers"]["kernel"]
    )
    np.testing.assert_allclose(first[0], 0.125, rtol=1e-6)
    row = next(r for r in gc.factors(tx, params).rows if r.path == "layers/kernel")
    assert (row.least, row.largest) == (0.125, 0.5)


def test_a_factor_stands_before_what_must_be_last():
    """Rounding, averages and exact zeros see the update as it will be."""
    params = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    for last in (gc.split_weights(), gc.average_params(0.9), gc.proximal_l1(0.01)):
        tx = gc.layerwise_decay(gc.chain(gc.scale_by_adam(), gc.scale(-0.1), last), 0.5)
        assert [link.name for link in tx.body.links][-3:] == ["scale_by_depth", "scale", last.name]
        tx.step(params, tx.init(params), params)


def test_the_rates_of_muon():
    tx = gc.layerwise_decay(gc.muon(0.1), 0.5)
    assert ratios(tx, gc.muon(0.1))["layers/1/kernel"] == [0.25]


def test_layerwise_decay_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"'blok/\(\\\\d\+\)' matches none of 8 leaves; paths look like"):
        gc.layerwise_decay(gc.adam(0.1), 0.5, r"blok/(\d+)").init(PARAMS)
    with pytest.raises(ValueError, match=r"'layers/0/bias' gives no number .* \[4\], is no stack of layers"):
        gc.layerwise_decay(gc.adam(0.1), 0.5, "layers/").init(PARAMS)
    with pytest.raises(ValueError, match=r"finds 'bias' in .*expected the number of a layer"):
        gc.layerwise_decay(gc.adam(0.1), 0.5, r"layers/\d/(\w+)").init(PARAMS)
    with pytest.raises(
        ValueError, match=r"put layerwise_decay inside, accumulate\(layerwise_decay\(\.\.\.\)"
    ):
        gc.layerwise_decay(gc.accumulate(gc.adam(0.1), 2), 0.5)
    with pytest.raises(ValueError, match="put mup inside, skip"):
        gc.mup(gc.chain(gc.clip(1.0), gc.skip(gc.adam(0.1))), PARAMS)
    with pytest.raises(
        ValueError, match=r"scale_by_path: 'head/bias' matches none of 8 leaves; paths look like"
    ):
        gc.scale_by_path({"head/bias": 2.0}).init(PARAMS)


def test_first_pattern_counts():
    found = ratios(gc.scale_by_path({"layers/1/*": 3.0, "layers/**": 2.0}), gc.identity())
    assert found["layers/1/bias"] == [3] and found["layers/2/bias"] == [2] and found["head/kernel"] == [1]


def test_lora_plus():
    params = made(
        {
            "q": {"lora_a": (6, 2), "lora_b": (2, 6)},
            "v": {"lora_A": {"kernel": (6, 2)}, "lora_B": {"kernel": (2, 6)}},
        }
    )
    plain = gc.adamw(0.1, weight_decay=0.2)
    found = ratios(gc.lora_plus(plain, 16), plain, params, params)
    assert found == {
        "q/lora_a": [1],
        "q/lora_b": [16],
        "v/lora_A/kernel": [1],
        "v/lora_B/kernel": [16],
    }
    assert gc.factors(gc.lora_plus(plain), params)["q/lora_b"] == 16
    with pytest.raises(ValueError, match="matches none of 8 leaves"):
        gc.lora_plus(plain).init(PARAMS)


def net(n, depth=None):
    stack = () if depth is None else (depth,)
    return {
        "a": {"kernel": (5, n), "bias": (n,)},
        "b": {"kernel": (*stack, n, n)},
        "c": {"kernel": (n, 3), "bias": (3,)},
    }


RULES = {  # four times as wide
    "adam": {"a/kernel": 1, "a/bias": 1, "b/kernel": 1 / 4, "c/kernel": 1 / 4, "c/bias": 1},
    "sgd": {"a/kernel": 4, "a/bias": 4, "b/kernel": 1, "c/kernel": 1 / 4, "c/bias": 1},
    "muon": {"a/kernel": 1, "a/bias": 1, "b/kernel": 1, "c/kernel": 1 / 4, "c/bias": 1},
}


@pytest.mark.parametrize("rule", RULES)
def test_mup_factors(rule):
    """Table 3 of arXiv:2203.03466."""
    table = gc.factors(gc.mup(gc.sgd(0.1), net(8), rule), made(net(32)))
    assert {row.path: row.largest for row in table.rows} == RULES[rule]


def test_muon_counts_by_its_spectral_norm():
    """Where outputs grow less than inputs, sqrt(columns / rows) falls and muon's own scale stays 1."""
    base, wide = {"w": {"kernel": (8, 8)}}, {"w": {"kernel": (32, 16)}}
    assert gc.factors(gc.mup(gc.muon(0.1), base, "muon"), made(wide))["w/kernel"] == pytest.approx(0.5**0.5)


def test_mup_counts_layers_only_where_asked():
    base, deep = net(8, 2), made(net(8, 8))
    for rule, depth, expected in (
        ("adam", None, 1), ("adam", 0.5, 0.5), ("adam", 1.0, 1), ("sgd", 0.5, 1), ("sgd", 1.0, 4),
    ):  # fmt: skip
        assert gc.factors(gc.mup(gc.adam(0.1), base, rule, depth=depth), deep)["b/kernel"] == expected


def test_mup_leaves_decoupled_decay():
    """learning_rate * weight_decay stays, unless scale_decay says otherwise; also within muon's groups."""
    params = made(net(32))
    zeros = jax.tree.map(jnp.zeros_like, params)
    plain = gc.adamw(0.1, weight_decay=0.3)
    kept = updates(gc.mup(plain, net(8)), params, zeros)["b"]["kernel"]
    np.testing.assert_allclose(kept, -0.03 * params["b"]["kernel"], rtol=1e-5)
    scaled = updates(gc.mup(plain, net(8), scale_decay=True), params, zeros)["b"]["kernel"]
    np.testing.assert_allclose(scaled, kept / 4, rtol=1e-5)
    groups = gc.mup(gc.muon(0.1, weight_decay=0.3), net(8)).body.links[0].body.groups
    assert [link.name for link in groups["muon"].body.links][-2:] == ["scale_by_mup", "add_decayed_weights"]
    assert gc.factors(gc.mup(gc.muon(0.1, weight_decay=0.3), net(8)), params)["b/kernel"] == 0.25


def test_mup_takes_arrays_shapes_and_functions():
    params, shapes = made(net(32)), jax.eval_shape(lambda: made(net(8)))
    tx = gc.mup(gc.adam(0.1), shapes)
    assert tx == gc.mup(gc.adam(0.1), made(net(8))) == gc.mup(gc.adam(0.1), net(8))
    assert eval(repr(tx), vars(gc)) == tx and gc.from_config(gc.to_config(tx)) == tx
    by_rule = gc.mup(gc.adam(0.1), lambda path, shape: tuple(8 if n == 32 else n for n in shape))
    assert repr(gc.factors(tx, params)) == repr(gc.factors(by_rule, params))


def test_mup_says_what_is_wrong():
    with pytest.raises(
        ValueError, match=r"all 5 leaves have the shapes .* such as 'a/bias' \[32\].*allow_base=True"
    ):
        gc.mup(gc.adam(0.1), net(32)).init(made(net(32)))
    gc.mup(gc.adam(0.1), net(32), allow_base=True).init(made(net(32)))
    with pytest.raises(
        ValueError, match=r"'b/kernel' has shape \[2, 8, 8\], and in base \[8, 8\]; expected as many"
    ):
        gc.mup(gc.adam(0.1), net(8)).init(made(net(8, 2)))
    with pytest.raises(ValueError, match="base has no leaf 'c/bias'"):
        gc.mup(gc.adam(0.1), {**net(8), "c": {"kernel": (8, 3)}}).init(made(net(32)))


def activations(p, x):
    first = jax.nn.relu(x @ p["a"]["kernel"] + p["a"]["bias"])
    second = jax.nn.relu(first @ p["b"]["kernel"])
    return first, second, second @ p["c"]["kernel"] + p["c"]["bias"]


def moved(tx, n, outputs, steps=5):
    """How far five steps move the activations of a network of width n, root mean square of each layer."""
    x, y = (jax.random.normal(jax.random.key(k), (64, d)) for k, d in ((9, 5), (8, 3)))
    step = jax.jit(
        lambda p, s: tx.step(jax.grad(lambda p: jnp.mean((activations(p, x)[2] - y) ** 2))(p), s, p)
    )
    found = []
    for seed in range(3):
        p = jax.tree.map(lambda x: x / x.shape[0] ** 0.5 if x.ndim > 1 else 0 * x, made(net(n), seed))
        p["c"]["kernel"] *= outputs
        state, start = tx.init(p), activations(p, x)
        for _ in range(steps):
            p, state = step(p, state)
        found.append(
            [jnp.sqrt(jnp.mean((a - b) ** 2)) for a, b in zip(activations(p, x), start, strict=True)]
        )
    return np.mean(found, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "plain"), [("adam", gc.adam(0.01)), ("sgd", gc.sgd(0.1))])
def test_coordinate_check(rule, plain):
    """Five steps move activations as far at every width from 64 to 512; without muP hidden ones move further.

    Largest over smallest change of the two hidden layers and the output, widths 64, 128, 256, 512:
    Adam 1.03, 1.08, 1.17; SGD 1.20, 1.51, 2.16, where the output's own start, which fades with width, counts.
    Without muP, width 512 over 64: Adam 0.94, 2.40, 1.40; SGD 3.18, 6.79, 1.36.
    """
    wide = {
        n: moved(gc.mup(plain, net(64), rule, allow_base=True), n, (64 / n) ** 0.5)
        for n in (64, 128, 256, 512)
    }
    ends = np.stack([moved(plain, n, 1.0) for n in (64, 512)])
    spread = np.max(list(wide.values()), 0) / np.min(list(wide.values()), 0)
    assert (spread < {"adam": 1.25, "sgd": 2.5}[rule]).all()
    assert (ends[1] / ends[0]).max() > 2
