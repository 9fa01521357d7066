"""From one storage to another, by what a checkpoint says of the optimizer that wrote it."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import ADAMW, PARAMS, on_mesh, same_bits, same_places, says, trained
from jax.sharding import PartitionSpec

import gradchain as gc

CODECS = ("float32", "bfloat16", "float16", "log8", "int8", "fp8", "rank_one", "bfloat16_stochastic")
WIDE = {"a": jnp.ones((160, 192)), "b": {"kernel": jnp.ones((130, 140)), "bias": jnp.ones(8)}}
STORED = {codec: gc.stored(ADAMW, codec) for codec in CODECS}


@pytest.fixture(scope="module")
def run():
    """An exact state after some steps."""
    params = jax.tree.map(lambda x: jnp.cos(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape), WIDE)
    return trained(ADAMW, params)


@pytest.mark.parametrize("codec", CODECS)
def test_as_convert_does_it(codec, run, tmp_path):
    params, state = run
    gc.save(tmp_path / "run", ADAMW, state, params)
    found = gc.load(tmp_path / "run", STORED[codec], params)
    expected = gc.convert(state, ADAMW, STORED[codec], params)
    same_bits(found.state, expected)
    assert found.report.dropped == () and found.report.initialised == ("stored/count",)
    assert int(found.state["stored"].count) == 3
    assert found.report.notes["stored/count"] == "goes on from the largest count"
    if codec != "rank_one":
        assert f"exact -> {codec.removesuffix('_stochastic')}" in str(found.report)
    gc.save(tmp_path / "run", STORED[codec], found.state, params)
    back = gc.load(tmp_path / "run", ADAMW, params)
    same_bits(back.state, gc.convert(expected, STORED[codec], ADAMW, params))
    assert back.report.dropped == ("stored/count",)
    same_bits(gc.load(tmp_path / "run", STORED[codec], params, strict=True).state, expected)


@pytest.mark.parametrize(("one", "two"), [("log8", "int8"), ("int8", "rank_one"), ("rank_one", "float16")])
def test_from_codec_to_codec(one, two, run, tmp_path):
    params, state = run
    before = gc.convert(state, ADAMW, STORED[one], params)
    gc.save(tmp_path / "run", STORED[one], before)
    found = gc.load(tmp_path / "run", STORED[two], params)
    same_bits(found.state, gc.convert(before, STORED[one], STORED[two], params))
    state, _ = gc.load_state(STORED[two], params, before, saved_by=STORED[one])
    same_bits(state, found.state)


def test_the_same_codec_with_other_arguments_is_not_the_same(run, tmp_path):
    params, state = run
    low, high = (gc.stored(ADAMW, gc.codecs.log8(low=low)) for low in (-30, -10))
    before = gc.convert(state, ADAMW, low, params)
    gc.save(tmp_path / "run", low, before)
    found = gc.load(tmp_path / "run", high, params)
    same_bits(found.state, gc.convert(before, low, high, params))
    assert "log8 -> log8" in str(found.report)


def test_on_a_mesh(run, tmp_path):
    params, state = run
    gc.save(tmp_path / "run", ADAMW, state, params)
    placed = on_mesh({"a": params["a"], "b": params["b"]}, (2, 4), PartitionSpec(None, "model"))
    for codec in ("int8", "rank_one"):
        found = gc.load(tmp_path / "run", STORED[codec], placed)
        same_places(found.state, STORED[codec].init(placed))


def test_codes_without_their_codec_are_an_error(run):
    params, state = run
    for codec, word in (
        ("log8", "uint8[160, 192]"),
        ("int8", "uint8[160, 192]"),
        ("float16", "float16[160, 192]"),
    ):
        saved = gc.state_dict(gc.convert(state, ADAMW, STORED[codec], params))
        saved = {path: x for path, x in saved.items() if "/mu/" not in path}
        for tx in (ADAMW, STORED["rank_one"]):
            with pytest.raises(gc.CheckpointError) as error:
                gc.load_state(tx, params, saved)
            says(error, "'scale_by_adam/nu/a'", word, "expected float32[160", "saved_by=")
        assert gc.load_state(ADAMW, params, saved, saved_by=STORED[codec])


def test_exact_values_go_into_codes_without_being_told(run):
    params, state = run
    found, _ = gc.load_state(STORED["log8"], params, gc.state_dict(state))
    same_bits(found, gc.convert(state, ADAMW, STORED["log8"], params))


def test_a_part_that_is_missing(run):
    params, state = run
    saved = gc.state_dict(gc.convert(state, ADAMW, STORED["int8"], params))
    del saved["scale_by_adam/nu_scale/a"]
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, params, saved, saved_by=STORED["int8"])
    says(error, "'scale_by_adam/nu_scale/a'", "missing", "float32[160", "int8")


def callable_mask(path, leaf):
    return True


def test_an_optimizer_without_config(run, tmp_path):
    """A mask that is a function: the file names no optimizer that could be made again."""
    params, _ = run
    inner = gc.masked(ADAMW, callable_mask)
    tx, other = gc.stored(inner, "log8"), gc.stored(inner, "int8")
    small = gc.convert(inner.init(params), inner, tx, params)
    gc.save(tmp_path / "run", tx, small)  # without parameters it cannot say which leaf is kept how
    same_bits(gc.load(tmp_path / "run", tx, params, strict=True).state, small)  # the very same optimizer
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "run", other, params)
    says(error, "'scale_by_adam/mu/a'", "uint8[160, 192]", "saved_by=")
    found = gc.load(tmp_path / "run", other, params, saved_by=tx)
    same_bits(found.state, gc.convert(small, tx, other, params))
    gc.save(tmp_path / "exact", inner, inner.init(params))  # exact values need no codec
    assert gc.load(tmp_path / "exact", other, params).report.initialised == ("stored/count",)


def test_what_the_file_says(run, tmp_path):
    safe_open = pytest.importorskip("safetensors").safe_open

    params, state = run
    small = gc.convert(state, ADAMW, STORED["int8"], params)
    gc.save(tmp_path / "run", STORED["int8"], small, params, step=3)
    with safe_open(tmp_path / "run", "np") as file:
        about = json.loads(json.loads(file.metadata()["gradchain"])["about"])
        assert about["config"] == gc.to_config(STORED["int8"]) and about["format"] == 1
        assert gc.from_config(about["config"]) == STORED["int8"]
        assert about["codecs"]["scale_by_adam/nu/a"].startswith("codecs.int8(")
        assert "scale_by_adam/nu/b/bias" not in about["codecs"] and about["step"] == 3
        nu = file.get_tensor("state/scale_by_adam/nu/a")  # readable without this library
        np.testing.assert_array_equal(nu, small["scale_by_adam"].nu["a"])


def test_a_stored_wrapper_over_small_leaves(tmp_path):
    """Leaves that stay exact beside leaves that do not: the placeholders of parts are nobody's business."""
    tx = gc.stored(ADAMW, "int8", min_size=100)
    _, state = trained(tx)
    found, report = gc.load_state(ADAMW, PARAMS, state, saved_by=tx)
    assert report.dropped == ("stored/count",) and report.initialised == ()
    again, report = gc.load_state(tx, PARAMS, found, saved_by=ADAMW)
    assert report.initialised == ("stored/count",) and report.dropped == ()
    bias = again["scale_by_adam"].nu["encoder"]["bias"]
    np.testing.assert_array_equal(bias, state["scale_by_adam"].nu["encoder"]["bias"])


def test_codecs_are_known_by_the_file_whatever_the_optimizer_says(run, tmp_path):
    """The codes of log8(low=-30) and log8(low=-10) have one dtype, and values 2^20 times apart."""
    params, state = run
    masked = gc.masked(ADAMW, callable_mask)
    state, _ = gc.load_state(masked, params, state)
    low, high = (gc.stored(masked, gc.codecs.log8(low=low)) for low in (-30, -10))
    before = gc.convert(state, masked, low, params)
    gc.save(tmp_path / "run", low, before, params)
    found = gc.load(tmp_path / "run", high, params)
    same_bits(found.state, gc.convert(before, low, high, params))
    assert "log8 -> log8" in str(found.report)
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "run", high, params, saved_by=high)
    says(error, "saved_by", "'scale_by_adam/mu/a'", "low=-10", "low=-30", "Leave out saved_by")
    gc.save(tmp_path / "run", low, before)
    for other in (high, gc.stored(masked, gc.codecs.log8(low=-30, levels=2))):
        with pytest.raises(gc.CheckpointError) as error:
            gc.load(tmp_path / "run", other, params)
        says(error, "'scale_by_adam/mu/a'", "int8[160, 192]", "saved_by=")
    same_bits(gc.load(tmp_path / "run", high, params, saved_by=low).state, found.state)


@dataclasses.dataclass(frozen=True, repr=False)
class mine(type(gc.codecs.log8())):
    """A codec of somebody else."""

    name = "mine"


def test_a_codec_that_is_not_of_this_library(run, tmp_path):
    params, state = run
    tx = gc.stored(ADAMW, mine(low=-30))
    small = gc.convert(state, ADAMW, tx, params)
    gc.save(tmp_path / "run", tx, small, params)
    same_bits(gc.load(tmp_path / "run", tx, params, strict=True).state, small)
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "run", STORED["log8"], params)
    says(error, "'scale_by_adam/mu/a'", "kept by codecs.mine(low=-30", "saved_by=")
    found = gc.load(tmp_path / "run", STORED["log8"], params, saved_by=tx)
    same_bits(found.state, gc.convert(small, tx, STORED["log8"], params))


def test_every_codec_is_read_from_its_text():
    from gradchain.checkpoint.about import codec_named
    from gradchain.checkpoint.cells import cells, codecs_of

    for codec in (*STORED.values(), gc.stored(ADAMW, {"mu": gc.codecs.int8(block=64), "nu": "rank_one"})):
        for made in codecs_of(cells(codec.slots(WIDE), WIDE)).values():
            assert codec_named(repr(made)) == made
    for text in ("codecs.none()", "print(1)", "codecs.log8(low=open('x'))", "", "codecs.log8(low=1000)", "1"):
        assert codec_named(text) is None
