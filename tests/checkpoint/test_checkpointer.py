"""Folders of checkpoints through Orbax: any mesh, links come and go, torn and altered ones passed over."""

import random
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import (
    ADAMW,
    CLIPPED,
    PARAMS,
    abstract,
    on_mesh,
    random_like,
    same_bits,
    same_places,
    says,
    trained,
)
from jax.sharding import AxisType, PartitionSpec
from noise import noisy

import gradchain as gc
from gradchain.checkpoint.sums import checksums

pytest.importorskip("orbax.checkpoint")
WIDE = {"kernel": jnp.linspace(-1, 1, 128 * 64).reshape(128, 64), "bias": jnp.linspace(0, 1, 64)}


@pytest.fixture
def saved(tmp_path):
    """A folder with steps 1, 2 and 3, and what was saved as step n."""
    states = {n: random_like(ADAMW.init(WIDE), n) for n in (1, 2, 3)}
    with gc.Checkpointer(tmp_path / "runs") as checkpointer:
        for n, state in states.items():
            checkpointer.save(n, ADAMW, state, WIDE, metadata={"n": n})
    return tmp_path / "runs", states


def test_round_trip_and_what_is_kept(tmp_path):
    with gc.Checkpointer(tmp_path / "runs", keep=2) as checkpointer:
        for n in (1, 5, 9):
            checkpointer.save(n, ADAMW, random_like(ADAMW.init(WIDE), n), WIDE, metadata={"n": n})
        assert checkpointer.steps() == [5, 9]
        found = checkpointer.restore(ADAMW, WIDE, strict=True)
        same_bits((found.params, found.state), (WIDE, random_like(ADAMW.init(WIDE), 9)))
        assert (found.step, found.metadata, found.report.remarks) == (9, {"n": 9}, ())
        assert checkpointer.restore(ADAMW, WIDE, 5).metadata == {"n": 5}


def test_without_the_background_and_without_parameters(tmp_path):
    state = random_like(CLIPPED.init(PARAMS))
    checkpointer = gc.Checkpointer(str(tmp_path / "runs"), keep=None, background=False)
    checkpointer.save(0, CLIPPED, state)
    found = gc.Checkpointer(tmp_path / "runs").restore(CLIPPED, PARAMS)
    same_bits(found.state, state)
    assert found.params is PARAMS
    checkpointer.close()


@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize(
    "tx",
    [
        ADAMW,
        gc.stored(ADAMW, "int8", min_size=0),
        gc.adafactor(1e-3, min_dim_size_to_factor=2),
        gc.masked(CLIPPED, "**/kernel"),
        gc.offload(ADAMW, min_size=0),
    ],
    ids=["adamw", "stored", "adafactor", "masked", "offload"],
)
def test_from_2x2_to_1x8_and_to_one_device(tx, axes, tmp_path):
    before = on_mesh(PARAMS, (2, 2), PartitionSpec("data", "model"), axes)
    after = on_mesh(PARAMS, (8,), PartitionSpec(None, "data"), axes)
    state = random_like(tx.init(before))
    with gc.Checkpointer(tmp_path / "runs") as checkpointer:
        checkpointer.save(1, tx, state, before)
        for params in (after, abstract(after)):
            found = checkpointer.restore(tx, params, strict=True)
            same_bits((found.params, found.state), (before, state))
            same_places((found.params, found.state), (after, tx.init(after)))
        found = checkpointer.restore(tx, PARAMS, strict=True)
        same_bits(found.state, state)
        same_places((found.params, found.state), (PARAMS, tx.init(PARAMS)))


def test_links_come_and_go(tmp_path):
    before = random_like(gc.chain(gc.trace(0.9), CLIPPED).init(PARAMS))
    placed = on_mesh(PARAMS, (2, 4), PartitionSpec("data", "model"))
    tx = gc.accumulate(gc.chain(ADAMW, gc.average_params(0.9)), 4)
    with gc.Checkpointer(tmp_path / "runs") as checkpointer:
        checkpointer.save(3, gc.chain(gc.trace(0.9), CLIPPED), before, PARAMS)
        found = checkpointer.restore(tx, placed)
        same_places(found.state, tx.init(placed))
        same_bits(found.state["scale_by_adam"], before["scale_by_adam"])
        same_bits(found.state["average_params"].average, PARAMS)
        assert {p.split("/")[0] for p in found.report.initialised} == {"accumulate", "average_params"}
        assert {p.split("/")[0] for p in found.report.dropped} == {"trace", "clip_by_global_norm"}
        small = checkpointer.restore(gc.stored(ADAMW, "log8", min_size=0), placed)
        assert "exact -> log8" in str(small.report)
        assert small.state["scale_by_adam"].nu["head"]["kernel"].dtype == jnp.uint8


def test_it_saves_what_the_arrays_were(tmp_path):
    """In the background, while the next step is computed in their memory."""
    params, state = trained(ADAMW, WIDE)
    expected = jax.tree.map(np.array, (params, state))
    step = jax.jit(lambda p, s: ADAMW.step(WIDE, s, p), donate_argnums=(0, 1))
    with gc.Checkpointer(tmp_path / "runs") as checkpointer:
        checkpointer.save(1, ADAMW, state, params)
        for _ in range(3):
            params, state = step(params, state)
        found = checkpointer.restore(ADAMW, WIDE)
    jax.tree.map(np.testing.assert_array_equal, (found.params, found.state), expected)


# Torn and altered ------------------------------------------------------------------------------------------


@noisy
def test_no_altered_byte_gives_wrong_numbers(saved):
    folder, states = saved
    checkpointer, chance, refused = gc.Checkpointer(folder), random.Random(0), 0
    for file in sorted(p for p in (folder / "3").rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for _ in range(3 if len(whole) < 3000 else 12):
            place = chance.randrange(max(len(whole), 1))
            altered = bytearray(whole) or bytearray(b"x")
            altered[place] ^= 1 << chance.randrange(8)
            file.write_bytes(altered)
            try:
                found = checkpointer.restore(ADAMW, WIDE, 3)
            except gc.CheckpointError:
                refused += 1
            else:
                same_bits((found.params, found.state), (WIDE, states[3]))
        file.write_bytes(whole)
    assert refused >= 12  # at least where the arrays are
    same_bits(checkpointer.restore(ADAMW, WIDE, 3).state, states[3])


def spoil(folder, step):
    """Alter the largest file of a checkpoint, where its arrays are."""
    file = max((p for p in (folder / str(step)).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)


def test_the_one_before_is_used_and_training_goes_on(saved):
    folder, states = saved
    spoil(folder, 3)
    shutil.rmtree(folder / "2" / "gradchain")
    (folder / "4.orbax-checkpoint-tmp").mkdir()
    with gc.Checkpointer(folder) as checkpointer:
        found = checkpointer.restore(ADAMW, WIDE)
        same_bits(found.state, states[1])
        assert found.step == 1
        text = str(found.report)
        for word in (
            "passed over step 3",
            "passed over step 2",
            "restored step 1",
            "4.orbax-checkpoint-tmp: it was never",
        ):
            assert word in text, word
        with pytest.raises(gc.DamagedError) as error:
            checkpointer.restore(ADAMW, WIDE, 3)
        says(error, "step 3", str(folder))
        checkpointer.restore(ADAMW, WIDE)
        for n in (2, 3):  # the same steps again: the damaged ones are out of the way, not deleted
            checkpointer.save(n, ADAMW, random_like(states[1], 10 + n), WIDE)
        assert checkpointer.steps() == [1, 2, 3]
        same_bits(checkpointer.restore(ADAMW, WIDE).state, random_like(states[1], 13))
    names = {p.name[:9] for p in folder.iterdir()}
    assert {"damaged-2", "damaged-3"} <= names and not any("tmp" in name for name in names)


def test_nothing_whole(saved):
    folder, _ = saved
    for n in (1, 2, 3):
        shutil.rmtree(folder / str(n) / "arrays")
    with pytest.raises(gc.DamagedError) as error:
        gc.Checkpointer(folder).restore(ADAMW, WIDE)
    says(error, "no whole checkpoint", "passed over step 1", "passed over step 3", "tx.init(params)")


def test_a_process_that_reads_does_not_disturb_one_that_writes(saved):
    folder, _ = saved
    (folder / "4.orbax-checkpoint-tmp").mkdir()
    gc.Checkpointer(folder).restore(ADAMW, WIDE)
    assert (folder / "4.orbax-checkpoint-tmp").exists()


# Wrong input -----------------------------------------------------------------------------------------------


def test_folders_that_are_none(tmp_path):
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(gc.CheckpointError) as error:
            gc.Checkpointer(folder).restore(ADAMW, WIDE)
        says(error, str(folder), "no whole checkpoint", "tx.init(params)")
    assert gc.Checkpointer(tmp_path / "none").steps() == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(gc.CheckpointError) as error:
        gc.Checkpointer(tmp_path / "file")
    says(error, "is a file", "expected a folder")


def test_steps_that_are_none(saved):
    folder, states = saved
    with gc.Checkpointer(folder) as checkpointer:
        with pytest.raises(gc.CheckpointError) as error:
            checkpointer.restore(ADAMW, WIDE, 7)
        says(error, "no step 7", "1, 2, 3")
        for n in (2, 3):
            with pytest.raises(gc.CheckpointError) as error:
                checkpointer.save(n, ADAMW, states[1])
            says(error, f"step {n}", "holds step 3", "a later one")


def test_another_model_or_optimizer_is_not_passed_over(saved):
    folder, _ = saved
    with pytest.raises(gc.CheckpointError) as error:
        gc.Checkpointer(folder).restore(gc.lion(0.1), WIDE)
    says(error, "Checkpointer.restore: nothing fits", "another optimizer", "adamw(")
    with pytest.raises(gc.CheckpointError) as error:
        gc.Checkpointer(folder).restore(ADAMW, {**WIDE, "kernel": jnp.ones((128, 65))})
    says(error, "'params/kernel' is float32[128, 64]", "float32[128, 65]")


def test_a_checkpoint_of_orbax_alone(tmp_path):
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(tmp_path / "runs") as manager:
        manager.save(1, args=ocp.args.StandardSave({"x": jnp.ones(3)}))
    with pytest.raises(gc.CheckpointError) as error:
        gc.Checkpointer(tmp_path / "runs").restore(ADAMW, WIDE)
    says(error, "step 1", "expected a checkpoint of Checkpointer.save", "load_state")


def test_without_orbax(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError) as error:
        gc.Checkpointer(tmp_path)
    says(error, "orbax-checkpoint")


# Checksums -------------------------------------------------------------------------------------------------


DTYPES = ("float32", "bfloat16", "float16", "float8_e4m3fn", "int8", "int4", "uint32", "bool", "complex64")
SPLITS = {(8,): [(None, "data"), ()], (2, 4): [("data", "model"), (None, "model"), (None, ("data", "model"))]}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_checksum_sees_each_element(dtype):
    rng = np.random.default_rng(0)
    x = np.array(jnp.asarray(rng.integers(0, 2, (24, 16))).astype(dtype))
    first = checksums({"x": x})["x"]
    for _ in range(20):
        place = tuple(rng.integers(0, x.shape))
        y = x.copy()
        y[place] = np.array(jnp.asarray(x[place] == 0).astype(dtype))  # 0 for 1 and 1 for 0
        assert checksums({"x": y})["x"] != first
    for moved in (x[::-1].copy(), x.T.copy().reshape(x.shape)):
        assert checksums({"x": moved})["x"] != first


@pytest.mark.parametrize("axes", [AxisType.Auto, AxisType.Explicit])
def test_a_checksum_does_not_depend_on_the_mesh(axes, x64):
    arrays = {
        "a": jnp.asarray(np.random.default_rng(0).normal(size=(16, 32))),  # float64
        "b": jnp.arange(32, dtype=jnp.float32).reshape(2, 16),
    }
    first = checksums(arrays)
    for shape, splits in SPLITS.items():
        for split in splits:
            assert checksums(on_mesh(arrays, shape, PartitionSpec(*split), axes)) == first
