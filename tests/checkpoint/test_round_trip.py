"""Every registered transform through a file and back: every bit, and in its place."""

import jax
import jax.numpy as jnp
import pytest
from checkpoint_cases import ADAMW, PARAMS, abstract, on_mesh, random_like, same_bits, same_places, trained
from jax.sharding import AxisType, PartitionSpec

import gradchain as gc
from gradchain.core.transform import example
from tests.sampled import sampled

every = pytest.mark.parametrize("name", sorted(gc.REGISTRY))
some = pytest.mark.parametrize("name", sampled())


@every
def test_every_transform(name, tmp_path):
    tx = example(name)
    state = random_like(tx.init(PARAMS))
    gc.save(tmp_path / "run", tx, state, PARAMS, step=7, metadata={"note": "ü"})
    found = gc.load(tmp_path / "run", tx, PARAMS, strict=True)
    same_bits(found.state, state)
    same_bits(found.params, PARAMS)
    assert (found.step, found.metadata) == (7, {"note": "ü"})
    assert set(found.report.loaded) >= {f"params/{path}" for path in gc.tree.paths(PARAMS)}
    again, report = gc.load_state(tx, PARAMS, gc.state_dict(state), strict=True)
    same_bits(again, state)
    assert report.initialised == report.dropped == ()


@some
def test_every_transform_in_bfloat16(name, tmp_path):
    tx = example(name)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
    state = random_like(tx.init(half))
    gc.save(tmp_path / "run", tx, state, half)
    found = gc.load(tmp_path / "run", tx, half, strict=True)
    same_bits((found.params, found.state), (half, state))


@pytest.mark.parametrize("name", sampled(names={*gc.REGISTRY} - {"zero"}))  # which has its own test below
@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_every_transform_from_2x2_to_1x8(name, axes, tmp_path):
    tx = example(name)
    before = on_mesh(PARAMS, (2, 2), PartitionSpec("data", "model"), axes)
    after = on_mesh(PARAMS, (8,), PartitionSpec(None, "data"), axes)
    state = random_like(tx.init(before))
    gc.save(tmp_path / "run", tx, state, before)
    for params in (after, abstract(after)):
        found = gc.load(tmp_path / "run", tx, params, strict=True)
        same_bits((found.params, found.state), (before, state))
        same_places(found.params, after)
        if name != "foreign":  # which leaves its counters on one device
            same_places(found.state, tx.init(after))
    found = gc.load(tmp_path / "run", tx, PARAMS)  # to one device
    same_bits(found.state, state)
    same_places(found.state, tx.init(PARAMS))


def test_dtypes_that_numpy_or_safetensors_do_not_know(tmp_path):
    optax = pytest.importorskip("optax")

    def init(_):
        kinds = ("float8_e4m3fn", "float8_e5m2", "int4", "uint32", "bool", "int8", "float8_e4m3b11fnuz")
        return {k: jnp.asarray([[0, 1], [1, 0]]).astype(k) for k in kinds} | {
            "key": jax.random.split(jax.random.key(3), 4),
            "complex": jnp.asarray([1 + 2j]),
            "empty": jnp.zeros((0, 3)),
            "scalar": jnp.float32(3.5),
        }

    tx = gc.chain(optax.GradientTransformation(init, lambda g, s, p=None: (g, s)), ADAMW)
    state = tx.init(PARAMS)
    gc.save(tmp_path / "run", tx, state)
    found = gc.load(tmp_path / "run", tx, PARAMS, strict=True)
    same_bits(found.state, state)
    assert found.params is PARAMS and found.step is None


def test_the_run_goes_on_as_if_it_had_not_stopped(tmp_path):
    for tx in (
        gc.stored(ADAMW, "log8", min_size=0),
        gc.chain(ADAMW, gc.split_weights()),
        gc.adamw(gc.tunable(0.1)),
    ):
        params, state = trained(tx)
        expected = trained(tx, steps=5)
        gc.save(tmp_path / "run", tx, state, params)
        found = gc.load(tmp_path / "run", tx, PARAMS)
        params, state, do = found.params, found.state, jax.jit(tx.step)
        for i in range(3, 5):
            params, state = do(jax.tree.map(lambda x, i=i: x * (i + 1), params), state, params)
        same_bits((params, state), expected)


def test_a_step_is_not_compiled_again(tmp_path):
    params = on_mesh(PARAMS, (2, 4), PartitionSpec("data", "model"))
    state, do = gc.init(ADAMW, params), jax.jit(ADAMW.step)
    _, after = do(params, state, params)
    gc.save(tmp_path / "run", ADAMW, after, params)
    found = gc.load(tmp_path / "run", ADAMW, params)
    do(params, found.state, found.params)
    assert do._cache_size() == 1


def test_zero(tmp_path):
    tx = gc.zero(ADAMW, axis="data", min_size=0)
    four, eight = (on_mesh(PARAMS, (n,), PartitionSpec()) for n in (4, 8))
    state = random_like(gc.init(tx, four))
    gc.save(tmp_path / "run", tx, state, four)
    found = gc.load(tmp_path / "run", tx, eight, strict=True)
    same_bits(found.state, state)
    same_places(found.state, gc.init(tx, eight))
    mu = found.state["scale_by_adam"].mu["encoder"]["kernel"]
    assert mu.addressable_shards[0].data.size == mu.size // 8
    plain = gc.load(tmp_path / "run", ADAMW, PARAMS, strict=True)  # and back from it, on one device
    same_bits(plain.state, state)
