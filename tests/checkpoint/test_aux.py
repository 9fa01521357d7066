"""aux: what a run holds beside parameters and state comes back bit for bit, checked and in its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import ADAMW, PARAMS, on_mesh, same_bits, same_places, says
from jax.sharding import PartitionSpec

import gradchain as gc

STATE = ADAMW.init(PARAMS)
AUX = {
    "batch_stats": {"mean": jnp.linspace(0, 1, 7), "half": jnp.ones((2, 3), jnp.bfloat16)},
    "keys": [jax.random.key(3), jax.random.split(jax.random.key(4, impl="rbg"), 2), jax.random.PRNGKey(5)],
    "seen": (np.int64(1 << 40), np.arange(3, dtype=np.float64) / 3, jnp.int32(9), jnp.zeros((0, 2))),
    "plain": {"epoch": 3, "loss": 0.1, "done": False, "name": "ü", "large": 1 << 70},
}


def written(how, folder, aux, params=PARAMS):
    """What loads a checkpoint that holds aux."""
    if how == "file":
        gc.save(folder / "run", ADAMW, STATE, params, aux=aux)
        return lambda aux=None, **more: gc.load(folder / "run", ADAMW, params, aux=aux, **more)
    pytest.importorskip("orbax.checkpoint")
    with gc.Checkpointer(folder / "run") as checkpointer:
        checkpointer.save(1, ADAMW, STATE, params, aux=aux)
    return lambda aux=None, **more: checkpointer.restore(ADAMW, params, aux=aux, **more)


def alike(found, expected):
    """The same structure, types and bits."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        if isinstance(b, jax.Array):
            same_bits(a, b)
        else:
            assert type(a) is type(b) and np.array_equal(a, b), (a, b)
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None)


@pytest.mark.parametrize("how", ["file", "folder"])
def test_everything_comes_back(how, tmp_path):
    load = written(how, tmp_path, AUX)
    template = {**AUX, "plain": dict.fromkeys(AUX["plain"], 0) | {"done": True, "name": ""}}
    found = load(template, strict=True)
    alike(found.aux, AUX)
    assert {"aux/keys/0", "aux/plain/epoch"} <= set(found.report.loaded)
    shapes = jax.eval_shape(lambda: {k: AUX[k] for k in ("batch_stats", "keys")})
    alike(load(shapes).aux, {k: AUX[k] for k in shapes})
    assert "aux/plain/epoch" in load(shapes).report.dropped
    flat = load().aux
    assert list(flat)[:2] == ["batch_stats/half", "batch_stats/mean"] and flat["plain/large"] == 1 << 70
    same_bits(flat["keys/1"], AUX["keys"][1])
    assert flat["seen/0"].dtype == np.int64 and int(flat["seen/0"]) == 1 << 40
    gc.save(tmp_path / "none", ADAMW, STATE)
    assert gc.load(tmp_path / "none", ADAMW, PARAMS).aux is None


@pytest.mark.parametrize("how", ["file", "folder"])
def test_to_another_mesh(how, tmp_path):
    one, other = PartitionSpec("data", "model"), PartitionSpec(None, "data")
    before, after = on_mesh(PARAMS, (2, 2), one), on_mesh(PARAMS, (8,), other)
    load = written(how, tmp_path, {"stats": before})
    found = load({"stats": jax.tree.map(jnp.zeros_like, after)}).aux["stats"]
    same_bits(found, before)
    same_places(found, after)


def test_what_does_not_fit_is_named(tmp_path):
    load = written("file", tmp_path, {"m": jnp.ones(3), "n": 1, "k": jax.random.key(0)})
    for template, words in (
        ({"x": jnp.ones(3)}, ("'aux/x' is missing", "expected float32[3]", "save(..., aux=...)")),
        ({"m": jnp.ones(4)}, ("'aux/m' is float32[3]", "expected float32[4]", "initialise='aux/m'")),
        ({"m": jnp.ones(3, jnp.int32)}, ("'aux/m' is float32[3]", "expected int32[3]")),
        ({"m": 1.0}, ("'aux/m' is float32[3]", "expected float")),
        ({"n": jnp.ones(3)}, ("'aux/n' is 1 ", "expected float32[3]")),
        ({"n": "one"}, ("'aux/n' is 1 ", "expected str")),
        ({"n": True}, ("'aux/n' is 1 ", "expected bool")),
        ({"k": jax.random.key(0, impl="rbg")}, ("key<fry>[]", "expected key<rbg>[]")),
    ):
        with pytest.raises(gc.CheckpointError) as error:
            load(template)
        says(error, "load", *words)
    with pytest.raises(gc.CheckpointError) as error:
        load({"m": jnp.ones(3)}, strict=True)
    says(error, "strict=True", "'aux/k' would be dropped")
    found = load({"m": jnp.zeros(4), "n": 5}, initialise="aux/**")
    assert found.aux["n"] == 5 and found.aux["m"].shape == (4,)
    narrow = load({"m": jnp.zeros(3, jnp.bfloat16)})
    assert narrow.aux["m"].dtype == jnp.bfloat16
    assert narrow.report.notes["aux/m"] == "float32 -> bfloat16"


def test_what_cannot_be_kept_is_an_error_before_anything_is_written(tmp_path):
    for bad in (object(), np.array(["a"]), np.array([None]), lambda: 0):
        with pytest.raises(gc.CheckpointError) as error:
            gc.save(tmp_path / "run", ADAMW, STATE, PARAMS, aux={"x": [1, bad]})
        says(error, "'aux/x/1'", "expected an array of numbers, random keys, or a number or a text")
    assert not (tmp_path / "run").exists()


def test_an_altered_array_of_aux_is_named(tmp_path):
    load = written("file", tmp_path, {"stats": jnp.full(64, 7.0)})
    whole = bytearray((tmp_path / "run").read_bytes())
    whole[whole.index(np.full(8, 7.0, np.float32).tobytes()) + 30] ^= 1
    (tmp_path / "run").write_bytes(whole)
    with pytest.raises(gc.DamagedError) as error:
        load()
    says(error, "'aux/stats'", "float32[64]", "checksum")


def test_checksums_of_numbers_that_jax_would_narrow():
    """A folder's sums are those of all bits, and the same with jax_enable_x64."""
    from gradchain.checkpoint.sums import checksums

    whole = {
        "int": np.arange(6).reshape(2, 3) + (1 << 40), "uint": np.uint64([1 << 63]),
        "scalar": np.array(1 << 33), "float": np.float64([[0.1, 1e300]]),
        "complex": np.complex128([0.1 + 0.2j]),
    }  # fmt: skip
    found = checksums(whole)
    with jax.enable_x64(True):
        assert checksums({k: jnp.asarray(x) for k, x in whole.items()}) == found
    for name, x in whole.items():
        for flip in (1, 8 * x.itemsize - 2):
            bits = np.unpackbits(np.frombuffer(x.tobytes(), np.uint8), bitorder="little")
            bits[flip] ^= 1
            other = np.packbits(bits, bitorder="little").tobytes()
            assert checksums({name: np.frombuffer(other, x.dtype).reshape(x.shape)})[name] != found[name]
