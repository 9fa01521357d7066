"""stored: any transform in fewer bits, the same bits however it is run, and clear errors."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from codec_cases import codecs, grads_like
from flax import nnx

import gradchain as gc

PARAMS = {"dense": {"kernel": (160, 96), "bias": (96,)}, "out": {"kernel": (96, 32)}}


def params():
    shapes = jax.tree.leaves(PARAMS, is_leaf=lambda x: isinstance(x, tuple))
    treedef = jax.tree.structure(PARAMS, is_leaf=lambda x: isinstance(x, tuple))
    return treedef.unflatten([jnp.full(s, 0.5, jnp.float32) for s in shapes])


def train(tx, steps=4, start=None):
    p, s, first = (params(), tx.init(params()), 0) if start is None else start
    step = jax.jit(tx.step)
    for i in range(first, first + steps):
        p, s = step(grads_like(p, i), s, p)
    assert step._cache_size() == 1
    return p, s, first + steps


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


ADAM = gc.adamw(1e-3, weight_decay=0.1)
BASES = {
    "chain": gc.chain(gc.clip_by_global_norm(1.0), ADAM),
    "partition": gc.partition({"a": ADAM, "b": gc.rmsprop(1e-3)}, {"out/**": "b", "**": "a"}),
    "masked": gc.masked(ADAM, "**/kernel"),
    "freeze": gc.chain(gc.freeze("out/**"), ADAM),
    "accumulate": gc.accumulate(ADAM, 2),
    "skip": gc.skip(ADAM),
    "lookahead": gc.lookahead(ADAM, 2, 0.5),
    "average": gc.average(ADAM, 0.9),
    "factored": gc.adafactor(1e-3, min_dim_size_to_factor=16),
    "lion": gc.lion(1e-3),
    "amsgrad": gc.amsgrad(1e-3),
    "momentum": gc.sgd(0.1, momentum=0.9),
    "schedule": gc.adamw(gc.cosine_decay_schedule(1e-3, 10)),
    "tunable": gc.adamw(gc.tunable(1e-3)),
}


CASES = [(base, "log8") for base in sorted(BASES)] + [
    ("chain", "int8"),
    ("partition", "fp8"),
    ("masked", "int8"),
]


@pytest.mark.parametrize(("base", "codec"), CASES)
def test_any_transform_can_be_stored(base, codec):
    """It goes where the exact one goes, roughly, and nothing is compiled twice."""
    tx = gc.stored(BASES[base], codec, min_size=64)
    p, _, _ = train(tx)
    exact, _, _ = train(BASES[base])
    moved = [float(jnp.linalg.norm(x - 0.5)) for x in jax.tree.leaves(exact)]
    off = [
        float(jnp.linalg.norm(x - y)) for x, y in zip(jax.tree.leaves(p), jax.tree.leaves(exact), strict=True)
    ]
    assert sum(moved) > 0 and all(o <= 0.5 * m for o, m in zip(off, moved, strict=True))


def test_the_update_is_made_of_exact_values():
    """Rounding is on the way into memory only: the first step from zeros is the exact one."""
    p, _, _ = train(gc.stored(ADAM, "log8", min_size=0), 1)
    exact, _, _ = train(ADAM, 1)
    for x, y in zip(jax.tree.leaves(p), jax.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


def test_float32_is_the_optimizer_itself():
    p, s, _ = train(gc.stored(ADAM, "float32"))
    exact, state, _ = train(ADAM)
    same(p, exact)
    same({k: v for k, v in s.items() if k != "stored"}, state)


def test_bytes_of_state():
    big = {"w": jax.ShapeDtypeStruct((4096, 4096), jnp.float32)}
    for codec, expected in [
        ("log8", 2.0),
        ("bfloat16", 4.0),
        ("int8", 2.03125),
        ("fp8", 2.03125),
        ("float32", 8.0),
    ]:
        table = gc.describe(gc.stored(gc.adamw(1e-3), codec), big)
        assert table.bytes_per_param == pytest.approx(expected, abs=1e-5)
    assert "uint8 (log8)" in repr(gc.describe(gc.stored(gc.adamw(1e-3), "log8"), big))


def test_what_stays_exact():
    """Counters, small leaves, copies of parameters and sums of gradients."""
    tx = gc.stored(gc.accumulate(gc.average(ADAM, 0.9), 2), "log8")
    slots = tx.slots(params())
    assert slots["scale_by_adam"].mu["dense"]["kernel"].dtype == jnp.int8
    assert slots["scale_by_adam"].mu["dense"]["bias"].dtype == jnp.float32
    assert slots["scale_by_adam"].mu["out"]["kernel"].dtype == jnp.float32  # 3,072 numbers
    assert slots["accumulate"].acc_grads["dense"]["kernel"].dtype == jnp.float32
    assert slots["average_params"].average["dense"]["kernel"].dtype == jnp.float32
    named = gc.stored(gc.accumulate(ADAM, 2), {"acc_grads": "bfloat16"}).slots(params())
    assert named["accumulate"].acc_grads["dense"]["kernel"].dtype == jnp.bfloat16
    assert named["scale_by_adam"].mu["dense"]["kernel"].dtype == jnp.float32


def test_slots_and_leaves_by_pattern():
    tx = gc.stored(
        ADAM, {"nu/dense/*": "log8", "scale_by_adam/mu": codecs.bfloat16(stochastic=True)}, min_size=2
    )
    state = tx.init(params())["scale_by_adam"]
    assert state.nu["dense"]["kernel"].dtype == jnp.uint8 and state.nu["out"]["kernel"].dtype == jnp.float32
    assert {x.dtype for x in jax.tree.leaves(state.mu)} == {jnp.dtype(jnp.bfloat16)}


def test_noise_differs_by_seed_step_leaf_slot_and_element():
    tx = gc.stored(gc.adamw(0.0, weight_decay=0.0), "log8", min_size=0)
    alike = {"a": jnp.ones((64, 64)), "b": jnp.ones((64, 64))}
    g = jax.tree.map(lambda p: 0.013 * p, alike)

    def codes(seed, steps):
        t = gc.stored(gc.adamw(0.0, weight_decay=0.0), "log8", min_size=0, seed=seed)
        s = t.init(alike)
        for _ in range(steps):
            _, s = t.update(g, s, alike)
        return s["scale_by_adam"]

    one = codes(0, 1)
    assert len(np.unique(one.mu["a"])) == 2  # elements differ
    assert np.any(one.mu["a"] != one.mu["b"])  # leaves
    assert np.any(one.mu["a"] != codes(1, 1).mu["a"])  # seeds
    same(one, codes(0, 1))
    first = tx.update(g, tx.init(alike), alike)[1]
    again = tx.update(g, {**tx.init(alike), "stored": first["stored"]}, alike)[1]
    assert np.any(first["scale_by_adam"].mu["a"] != again["scale_by_adam"].mu["a"])  # steps


@pytest.mark.parametrize("spec", [("a", "b"), (("a", "b"), None), (None, "a")])
@pytest.mark.parametrize("kind", ["Auto", "Explicit"])
def test_the_same_bits_on_every_mesh(spec, kind):
    tx = gc.stored(ADAM, "log8", min_size=0)
    alone, state, _ = train(tx)
    axis = getattr(jax.sharding.AxisType, kind)
    mesh = jax.make_mesh((2, 4), ("a", "b"), axis_types=(axis, axis))
    with jax.set_mesh(mesh):
        place = lambda x: jax.device_put(x, jax.P(*spec[: x.ndim]) if x.ndim > 1 else jax.P())  # noqa: E731
        p = jax.tree.map(place, params())
        s = tx.init(p)
        step = jax.jit(tx.step)
        for i in range(4):
            p, s = step(jax.tree.map(place, grads_like(p, i)), s, p)
        mu = s["scale_by_adam"].mu["dense"]["kernel"]
        assert mu.sharding.is_equivalent_to(p["dense"]["kernel"].sharding, 2)
    same(jax.device_get((p, s)), jax.device_get((alone, state)))


def test_scan_and_resume_are_bit_equal():
    tx = gc.stored(BASES["chain"], "log8", min_size=0)
    whole = train(tx, 6)
    half = train(tx, 3)
    kept = pickle.loads(pickle.dumps(jax.device_get(half[:2])))
    same(train(tx, 3, (*jax.tree.map(jnp.asarray, kept), 3))[:2], whole[:2])
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *(grads_like(params(), i) for i in range(6)))
    scanned, _ = jax.lax.scan(
        lambda c, g: (tx.step(g, c[1], c[0]), None), (params(), tx.init(params())), stacked
    )
    same(scanned, whole[:2])


def test_in_an_nnx_optimizer():
    model = nnx.Linear(64, 64, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, gc.stored(gc.adamw(1e-2), {"**": "int8"}, min_size=100), wrt=nnx.Param)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((32, 64)), jnp.float32)

    @nnx.jit
    def step(model, optimizer):
        loss, grads = nnx.value_and_grad(lambda m: jnp.mean((m(x) - 1) ** 2))(model)
        optimizer.update(model, grads)
        return loss

    losses = [float(step(model, optimizer)) for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
    assert gc.metrics(optimizer)["step"] == 20


def test_rank_one_is_the_factored_rule():
    """Any second moment becomes Adafactor's: the update is made of the rows and columns that are kept."""
    p = {"w": jnp.ones((40, 30)), "stack": jnp.ones((3, 20, 50))}
    decay = lambda t: 1 - (t + 1.0) ** -0.8  # noqa: E731
    rms = gc.scale_by_rms(decay, eps=0.0, initial_scale=0.0)
    tx = gc.stored(rms, codecs.rank_one(min_dim_size_to_factor=2), min_size=0)
    factored = gc.scale_by_factored_rms(min_dim_size_to_factor=2, epsilon=1e-30)
    s, f = tx.init(p), factored.init(p)
    for i in range(5):
        g = grads_like(p, i)
        u, s = jax.jit(tx.update)(g, s, p)
        v, f = jax.jit(factored.update)(g, f, p)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-6), u, v)
    kept = s["scale_by_rms"]
    assert kept.nu["w"].shape == (40,) and kept.nu_col["w"].shape == (30,)
    assert kept.nu["stack"].shape == (3, 20) and kept.nu_col["stack"].shape == (3, 50)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=3e-6), kept.nu, f["scale_by_factored_rms"].v_row
    )


def test_bad_input():
    with pytest.raises(ValueError, match="no codec 'log9'; did you mean log8"):
        gc.stored(ADAM, "log9")
    with pytest.raises(TypeError, match="8 is not a codec"):
        gc.stored(ADAM, 8)
    with pytest.raises(TypeError, match=r"seed is 1\.5"):
        gc.stored(ADAM, "log8", seed=1.5)
    with pytest.raises(ValueError, match="min_size is -1"):
        gc.stored(ADAM, "log8", min_size=-1)
    with pytest.raises(ValueError, match=r"no slot matches 'nv'; slots are .*'nu'"):
        gc.stored(ADAM, {"nv": "log8"}).init(params())
    with pytest.raises(ValueError, match="no slot matches 'count'"):
        gc.stored(ADAM, {"count": "log8"}).init(params())
    with pytest.raises(codecs.CodecError, match="log8 for 'scale_by_adam/mu/dense/bias': it holds squares"):
        gc.stored(ADAM, {"mu": codecs.log8(positive=True)}).init(params())
    with pytest.raises(
        codecs.CodecError, match="log8 for 'average_params/average/dense/bias': it is for running"
    ):
        gc.stored(gc.average(ADAM, 0.9), {"average": "log8"}).init(params())
    with pytest.raises(
        codecs.CodecError, match="keeps no slot; for 'trace/trace/dense/bias': it holds squares"
    ):
        gc.stored(gc.trace(0.9), "rank_one", min_size=2).init(params())
    with pytest.raises(
        codecs.CodecError, match=r"codecs.rank_one\(\) keeps no slot; .* it leaves it as it is"
    ):
        gc.stored(gc.rmsprop(0.1), "rank_one").init(params())  # 96 columns are not factored
    with pytest.raises(codecs.CodecError, match="no link of foreign declares slots"):
        gc.stored(optax.adam(0.1), "log8").init(params())
    with pytest.raises(TypeError, match="is not a gradient transformation"):
        gc.stored("adamw", "log8")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_stays_visible(bad):
    tx = gc.stored(ADAM, "log8", min_size=0)
    p, s = params(), tx.init(params())
    g = grads_like(p, 0)
    g["dense"]["kernel"] = g["dense"]["kernel"].at[3, 4].set(bad)
    p, s = tx.step(g, s, p)
    p, s = tx.step(grads_like(p, 1), s, p)
    assert not np.isfinite(p["dense"]["kernel"][3, 4])
    assert np.sum(~np.isfinite(p["dense"]["kernel"])) == 1


OTHER = "stored by another codec: gc.convert takes it to this one"


@pytest.mark.parametrize(
    ("made", "used", "message"),
    [
        ("log8", "bfloat16", "scale_by_adam: mu of 'dense/bias' is int8 in the state, bfloat16 is needed"),
        ("bfloat16", "log8", "scale_by_adam: mu of 'dense/bias' is bfloat16 in the state, int8 is needed"),
        ("log8", "int8", "scale_by_adam: the state lacks 'mu_scale'"),
        ("int8", "log8", "scale_by_adam: the state has 'mu_scale'"),
        ({"nu": "int8"}, {"nu": "log8"}, "scale_by_adam: the state has 'nu_scale'"),  # both are uint8
        ("log8", {"nu": "log8"}, "scale_by_adam: mu of 'dense/bias' is int8 in the state, float32 is needed"),
    ],
)
@pytest.mark.parametrize("around", [lambda tx: tx, lambda tx: gc.masked(tx, "dense/**")], ids=["", "masked"])
def test_a_state_of_another_codec_is_no_number(made, used, message, around):
    """Resumed with another codec: codes must not be read as what they are not."""
    one, other = (gc.stored(around(ADAM), codec, min_size=0) for codec in (made, used))
    with pytest.raises(ValueError, match=f"{message}; it is {OTHER}"):
        other.step(grads_like(params(), 0), one.init(params()), params())


def test_the_config_says_which_codec():
    """What is written beside a checkpoint names the codec, and builds the same optimizer."""
    for codec in ("log8", {"nu": codecs.log8(low=-20), "mu/**/kernel": "bfloat16"}, codecs.int8(block=64)):
        tx = gc.stored(ADAM, codec)
        assert gc.from_config(gc.to_config(tx)) == tx == pickle.loads(pickle.dumps(tx))
        assert eval(repr(tx), vars(gc)) == tx
    assert gc.to_config(gc.stored(ADAM, "log8"))["stored"]["codec"] == "log8"
    assert gc.to_config(gc.stored(ADAM, codecs.log8(low=-20)))["stored"]["codec"] == {"log8": {"low": -20}}
