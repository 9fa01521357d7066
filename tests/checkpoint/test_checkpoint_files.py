"""One file: complete or not there, every altered byte is noticed, and wrong input is refused in words."""

import json
import os
import random
import sys
import time

import jax
import jax.numpy as jnp
import pytest
from checkpoint_cases import ADAMW, CLIPPED, PARAMS, random_like, same_bits, says, trained

import gradchain as gc

pytest.importorskip("safetensors")
import safetensors.numpy

TX = gc.stored(CLIPPED, "int8", min_size=0)
STATE = random_like(TX.init(PARAMS))


@pytest.fixture
def run(tmp_path):
    """A file with parameters and a state in several dtypes."""
    gc.save(tmp_path / "run.safetensors", TX, STATE, PARAMS, step=5, metadata={"seed": 1})
    return tmp_path / "run.safetensors"


def loads_or_refuses(path):
    """Whether the file was refused; what it does not refuse must be what was saved."""
    try:
        found = gc.load(path, TX, PARAMS)
    except gc.CheckpointError:
        return True
    same_bits((found.params, found.state), (PARAMS, STATE))
    return False


# Alterations -----------------------------------------------------------------------------------------------


def test_every_kind_of_byte(run):
    whole, chance = run.read_bytes(), random.Random(0)
    assert not loads_or_refuses(run)
    header = int.from_bytes(whole[:8], "little") + 8
    places = [*range(8), *(chance.randrange(header) for _ in range(400)), *range(header, len(whole), 5)]
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 1 << chance.randrange(8)
        run.write_bytes(altered)
        assert loads_or_refuses(run), f"byte {place} of {len(whole)}, header {header}"


def test_cut_off_at_any_length(run):
    whole, chance = run.read_bytes(), random.Random(1)
    for length in [0, 1, 7, 8, 9, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(150))]:
        run.write_bytes(whole[:length])
        with pytest.raises(gc.DamagedError) as error:
            gc.load(run, TX, PARAMS)
        says(error, "load", str(run), "cut off or altered")


def test_more_at_the_end_or_parts_exchanged(run):
    whole = run.read_bytes()
    run.write_bytes(whole + b"\0" * 16)
    assert loads_or_refuses(run)
    middle = len(whole) - 64
    run.write_bytes(whole[:middle] + whole[middle + 32 :] + whole[middle : middle + 32])
    assert loads_or_refuses(run)


def test_an_altered_array_is_named(run):
    whole = run.read_bytes()
    state = gc.state_dict(STATE)
    path, x = next((p, x) for p, x in state.items() if p.startswith("scale_by_adam/mu/") and x.nbytes > 100)
    place = whole.index(bytes(memoryview(jax.device_get(x)).cast("B")))
    run.write_bytes(whole[: place + 9] + bytes([whole[place + 9] ^ 4]) + whole[place + 10 :])
    with pytest.raises(gc.DamagedError) as error:
        gc.load(run, TX, PARAMS)
    says(error, f"'state/{path}'", f"{x.dtype}{list(x.shape)}", "checksum", "use another checkpoint")


def test_an_altered_description(run):
    """Also by one who repairs what safetensors itself looks at."""
    whole = run.read_bytes()
    n = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + n])
    for key, old, new in (("gradchain", "step", "stop"), ("gradchain_header", "", "")):
        text = json.dumps({**header, "__metadata__": {**header["__metadata__"], key: header["__metadata__"][key].replace(old, new)}})  # fmt: skip # noqa: E501
        assert json.loads(text) != header or not old
        run.write_bytes(len(text).to_bytes(8, "little") + text.encode() + whole[8 + n :])
        with pytest.raises(gc.DamagedError) as error:
            gc.load(run, TX, PARAMS)
        says(error, "header", "altered")


# Whole or not at all ---------------------------------------------------------------------------------------


def test_what_fails_leaves_the_file_before_it(run, monkeypatch):
    before = run.read_bytes()
    for name in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match="No space"):
                gc.save(run, TX, random_like(STATE, 3), PARAMS)
        assert run.read_bytes() == before and os.listdir(run.parent) == [run.name]


def test_what_killed_runs_left_is_removed_when_it_is_old(run):
    old, new = run.parent / f".{run.name}.old.tmp", run.parent / f".{run.name}.new.tmp"
    other = run.parent / ".other.x.tmp"
    for file in (old, new, other):
        file.write_bytes(b"x")
        os.utime(file, (time.time() - (10 if file == new else 1e5),) * 2)
    gc.save(run, TX, STATE)
    assert sorted(os.listdir(run.parent)) == sorted([run.name, new.name, other.name])


def test_it_is_saved_over_and_in_folders_that_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "run"
    for step in (1, 2):
        gc.save(str(path), TX, STATE, step=step)
        assert gc.load(str(path), TX, PARAMS).step == step
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_progress(run):
    seen = []
    gc.save(run, TX, STATE, PARAMS, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == sum(x.nbytes for x in jax.tree.leaves((STATE, PARAMS)))
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    seen.clear()
    gc.load(run, TX, PARAMS, progress=lambda done, total: seen.append(done / total))
    assert len(seen) == len(jax.tree.leaves((STATE, PARAMS))) and seen[-1] <= 1


# Wrong input -----------------------------------------------------------------------------------------------


def test_not_a_checkpoint(tmp_path, run):
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "none", TX, PARAMS)
    says(error, "'" + str(tmp_path / "none"), "does not exist", "gradchain.save")
    for call in (lambda: gc.load(tmp_path, TX, PARAMS), lambda: gc.save(tmp_path, TX, STATE)):
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, "is a directory", "expected")
    import safetensors.numpy

    safetensors.numpy.save_file({"x": jax.device_get(jnp.ones(3))}, tmp_path / "other")
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(tmp_path / "other", TX, PARAMS)
    says(error, "is no checkpoint", "gradchain.save")
    (tmp_path / "text").write_text("not at all")
    with pytest.raises(gc.DamagedError):
        gc.load(tmp_path / "text", TX, PARAMS)


def test_of_another_optimizer(run):
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(run, gc.lion(0.1), PARAMS)
    says(
        error,
        "load: nothing fits",
        "another optimizer",
        "stored(",
        "expected 'scale_by_lion/mu/encoder/bias'",
    )


def test_of_another_model(run):
    other = {**PARAMS, "head": {"kernel": jnp.ones((16, 5))}}
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(run, TX, other)
    says(
        error,
        "'params/head/kernel' is float32[16, 8]",
        "expected float32[16, 5]",
        "initialise='params/head/kernel'",
    )
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(run, TX, {"w": jnp.ones(3)})
    says(error, "'params/w' is missing in the checkpoint", "expected float32[3]")
    found = gc.load(run, TX, other, initialise="**/head/kernel")
    assert found.params["head"]["kernel"] is other["head"]["kernel"]
    assert "params/head/kernel" in found.report.initialised
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(run, TX, other, initialise="**/head/kernel", strict=True)
    says(error, "strict=True", "'params/head/kernel' would be initialised")


def test_parameters_that_are_left_over(run):
    fewer = {"encoder": PARAMS["encoder"]}
    found = gc.load(run, TX, fewer)
    assert "params/head/kernel" in found.report.dropped and set(found.params) == {"encoder"}


def test_parameters_in_another_dtype(run):
    half = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, jnp.bfloat16), PARAMS)
    found = gc.load(run, TX, half)
    assert found.params["head"]["kernel"].dtype == jnp.bfloat16
    assert found.report.notes["params/head/kernel"] == "float32 -> bfloat16"


def test_an_abstract_state_and_metadata_that_is_no_json(run):
    before = run.read_bytes()
    with pytest.raises(gc.CheckpointError) as error:
        gc.save(run, ADAMW, jax.eval_shape(ADAMW.init, PARAMS))
    says(error, "'state/scale_by_adam/count'", "abstract")
    with pytest.raises(TypeError, match="not JSON serializable"):
        gc.save(run, TX, STATE, metadata=jnp.ones(2))
    assert run.read_bytes() == before


def test_the_package_reads_what_is_written_and_is_not_needed(run, monkeypatch):
    arrays = safetensors.numpy.load_file(run)
    written = {f"state/{k}": x for k, x in gc.state_dict(STATE).items()}
    assert set(written) < set(arrays)
    for name, x in written.items():
        assert (arrays[name].dtype, arrays[name].shape) == (x.dtype, x.shape), name
        assert arrays[name].tobytes() == jax.device_get(x).tobytes(), name
    rows = [json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]) for data in (
        safetensors.numpy.save(arrays, {}), run.read_bytes())]  # fmt: skip
    assert {k: v for k, v in rows[0].items() if k in arrays} == {
        k: v for k, v in rows[1].items() if k in arrays
    }
    monkeypatch.setitem(sys.modules, "safetensors", None)
    gc.save(run, TX, STATE, PARAMS)
    assert not loads_or_refuses(run)


def test_copies_of_parameters_that_the_file_itself_holds(run):
    """What starts as a copy of the parameters starts as a copy of the loaded ones, also from shapes alone."""
    tx = gc.average(TX, 0.9)
    params, state = trained(TX)
    gc.save(run, TX, state, params)
    found = gc.load(run, tx, jax.eval_shape(lambda: PARAMS))
    same_bits(found.state["average_params"].average, params)
