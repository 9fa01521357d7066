"""What is damage, and what is not: a caller's mistake, a passing error, a broken package."""

import errno
import os
import shutil
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import random_like, same_bits, says
from faulty import How, contents, each_call
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec
from noise import noisy

import gradchain as gc

pytest.importorskip("orbax.checkpoint")
TX = gc.trace(0.9)
PARAMS = {"kernel": jnp.linspace(-1, 1, 128 * 64).reshape(128, 64), "bias": jnp.linspace(0, 1, 64)}
STATES = {n: random_like(TX.init(PARAMS), n) for n in (1, 2)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage") / "runs"
    with gc.Checkpointer(folder) as checkpointer:
        for n, state in STATES.items():
            checkpointer.save(n, TX, state, PARAMS)
    return folder


@pytest.fixture
def runs(written, tmp_path):
    """A folder with the steps 1 and 2."""
    return shutil.copytree(written, tmp_path / "runs")


def refused(runs, params, *words, tx=TX):
    """A restore that fails with these words: no damage, nothing older, nothing renamed by the next save."""
    before = contents(runs)
    with gc.Checkpointer(runs) as checkpointer:
        for step in (None, 2):
            with pytest.raises((ValueError, TypeError, AttributeError, OSError)) as error:
                checkpointer.restore(tx, params, step)
            assert not isinstance(error.value, gc.DamagedError)
            says(error, *words)
        assert contents(runs) == before
        same_bits(checkpointer.restore(TX, PARAMS).state, STATES[2])
        checkpointer.save(3, TX, STATES[1], PARAMS)
        assert checkpointer.steps() == [1, 2, 3]
    assert not list(runs.glob("damaged*"))


def shaped(sharding):
    return {**PARAMS, "kernel": jax.ShapeDtypeStruct((128, 64), jnp.float32, sharding=sharding)}


def test_a_sharding_that_does_not_divide(runs):
    mesh = jax.make_mesh((3,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:3])
    for params in (shaped(NamedSharding(mesh, PartitionSpec("data"))),):
        refused(
            runs,
            params,
            "Checkpointer.restore: 'state/trace/trace/kernel' (float32[128, 64]) cannot be split",
        )
    gc.save(runs / "file", TX, STATES[1], PARAMS)
    with pytest.raises(gc.CheckpointError) as error:
        gc.load(runs / "file", TX, params)
    says(error, "load: 'state/trace/trace/kernel'", "cannot be split", "{'data': 3}", "another sharding")


def test_a_mesh_without_devices(runs):
    mesh = AbstractMesh((8,), ("data",), axis_types=(AxisType.Auto,))
    refused(
        runs,
        shaped(NamedSharding(mesh, PartitionSpec("data"))),
        "AbstractMesh",
        "no devices",
        "gradchain.make_mesh",
    )


def test_another_model(runs):
    refused(runs, {**PARAMS, "bias": jnp.ones(65)}, "'params/bias' is float32[64]", "expected float32[65]")


def test_another_optimizer(runs):
    refused(runs, PARAMS, "nothing fits", tx=gc.scale_by_adam())


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES], ids=errno.errorcode.get)
@noisy
def test_a_passing_error_of_the_system(code, runs):
    """Whichever call fails: never damage, never an older checkpoint."""
    before, injected = contents(runs), 0

    def restore():
        found = gc.Checkpointer(runs).restore(TX, PARAMS)
        assert found.step == 2 and not found.report.remarks

    for _, calls, error in each_call(restore, runs, How(code)):
        injected += calls.reached
        if error is not None:
            assert isinstance(error, OSError) and error.errno == code and str(runs) in str(error), (
                calls.failed
            )
            assert not isinstance(error, gc.DamagedError)
    assert injected >= 8 and contents(runs) == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="changes the user, which needs root"
)
@noisy
def test_a_file_that_may_not_be_read_by_tensorstore(runs):
    """The error comes from C++, as text."""
    for folder in [runs, *runs.parents][:5]:  # pytest's own may not be read by others
        folder.chmod(0o755)
    file = max((p for p in (runs / "2").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    file.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError) as error:
            gc.Checkpointer(runs).restore(TX, PARAMS)
    finally:
        os.seteuid(0)
    says(error, "step 2", str(runs), "EACCES", "Rights are missing", "Nothing was loaded")
    assert not isinstance(error.value, gc.DamagedError)


@noisy
def test_an_error_that_nobody_knows_is_raised_as_it_is(runs, monkeypatch):
    import orbax.checkpoint as ocp

    def restore(self, directory, args=None):
        if len(args.item) > 1:  # one by one they can be read
            raise ZeroDivisionError("by chance")
        return real(self, directory, args=args)

    real = ocp.PyTreeCheckpointHandler.restore
    with monkeypatch.context() as patch:
        patch.setattr(ocp.PyTreeCheckpointHandler, "restore", restore)
        with pytest.raises(ZeroDivisionError) as error:
            gc.Checkpointer(runs).restore(TX, PARAMS)
        assert any("step 2" in note and str(runs) in note for note in error.value.__notes__)
        file = max((p for p in (runs / "2").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        file.write_bytes(file.read_bytes()[:100])
        found = gc.Checkpointer(runs).restore(TX, PARAMS, initialise=("params/**", "**/kernel"))
        assert found.step == 2  # what is damaged is not asked for
        with pytest.raises(gc.DamagedError):
            gc.Checkpointer(runs).restore(TX, PARAMS, 2)
    found = gc.Checkpointer(runs).restore(TX, PARAMS)
    assert found.step == 1 and "passed over step 2" in str(found.report)


def test_numbers_of_64_bits_without_x64(tmp_path, monkeypatch):
    """They are rounded when they are loaded, as the report says, and are no damage."""
    with jax.enable_x64(True):
        params = {"w": jnp.linspace(0, 1, 64, dtype=jnp.float64)}
        with gc.Checkpointer(tmp_path / "runs") as checkpointer:
            checkpointer.save(1, TX, TX.init(params), params)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    here = {"w": jax.device_put(jnp.zeros(64), NamedSharding(mesh, PartitionSpec("data")))}
    for wanted in ({"w": jnp.zeros(64)}, here):
        found = gc.Checkpointer(tmp_path / "runs").restore(TX, wanted)
        assert (
            found.report.notes["params/w"] == "float64 -> float32" and found.params["w"].dtype == jnp.float32
        )
        np.testing.assert_array_equal(found.params["w"], np.asarray(params["w"], np.float32))
        assert found.params["w"].sharding.is_equivalent_to(wanted["w"].sharding, 1)


# Arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "3", np.float32(2)])
def test_keep(keep, tmp_path):
    with pytest.raises(gc.CheckpointError) as error:
        gc.Checkpointer(tmp_path, keep=keep)
    says(error, f"Checkpointer: keep is {keep!r}", "expected an integer of at least 1")


@pytest.mark.parametrize(
    "step", [-1, 0.5, True, None, "1", 1 << 63, np.bool_(True), jnp.ones(2, int), jnp.float32(1)]
)
def test_steps_that_are_none(step, tmp_path):
    checkpointer = gc.Checkpointer(tmp_path / "runs")
    calls = [lambda: checkpointer.save(step, TX, STATES[1], PARAMS)]
    if step is not None:
        calls += [
            lambda: checkpointer.restore(TX, PARAMS, step),
            lambda: gc.save(tmp_path / "x", TX, STATES[1], step=step),
        ]
    for call in calls:
        with pytest.raises(gc.CheckpointError) as error:
            call()
        says(error, "step is", "expected an integer of at least 0")
    assert not list(tmp_path.iterdir())


def test_integers_of_numpy_and_jax(tmp_path):
    with gc.Checkpointer(tmp_path / "runs", keep=np.int64(2)) as checkpointer:
        for step in (np.int64(1), jnp.int32(2), np.uint8(3)):
            checkpointer.save(step, TX, STATES[1], PARAMS)
        assert checkpointer.steps() == [2, 3]
        found = checkpointer.restore(TX, PARAMS, jnp.uint32(3))
        assert found.step == 3 and type(found.step) is int
    gc.save(tmp_path / "file", TX, STATES[1], PARAMS, step=jnp.int32(7))
    assert gc.load(tmp_path / "file", TX, PARAMS).step == 7


def test_a_folder_whose_name_is_no_step(runs):
    shutil.copytree(runs / "2", runs / "007")
    assert gc.Checkpointer(runs).steps() == [1, 2]


# Packages --------------------------------------------------------------------------------------------------


BROKEN = (
    ImportError("libz.so.1: cannot open"),
    ModuleNotFoundError("No module named 'yaml'", name="yaml"),
    RuntimeError("too old"),
)


@pytest.mark.parametrize("error", BROKEN, ids=repr)
def test_a_broken_orbax_is_not_an_absent_one(error, tmp_path, monkeypatch):
    class Broken(types.ModuleType):
        def find_spec(self, name, *_):
            if name == "orbax.checkpoint":
                raise error

    for name in [name for name in sys.modules if name.partition(".")[0] == "orbax"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken("broken"), *sys.meta_path])
    with pytest.raises(ImportError) as found:
        gc.Checkpointer(tmp_path)
    says(found, "installed, but importing it fails", str(error), type(error).__name__)
    assert found.value.__cause__ is error
