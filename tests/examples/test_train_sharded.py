"""The example on a mesh: every division of the work trains alike, and goes on from another's checkpoint."""

import shutil

import numpy as np
import pytest
from lm_cases import complaint, rows, train_sharded, undrawn

import gradchain as gc

# Matrices of 2^14 numbers and more are what zero divides.
RUN = ("--layers=1", "--width=64", "--heads=8", "--seq-len=16", "--batch=16", "--steps=4", "--eval-every=2")


def losses(out) -> np.ndarray:
    return np.array([[row["loss"], row["grad_norm"], row.get("validation_loss", 0.0)] for row in rows(out)])


@pytest.fixture(scope="module")
def eight(text, tmp_path_factory):
    """A run over eight devices; its folder and what was trained."""
    out, kept = tmp_path_factory.mktemp("eight") / "run", []
    real = train_sharded.train

    def train(trained, *rest):
        kept.append(trained)
        return real(trained, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_sharded, "train", train)
        assert train_sharded.main([*RUN, f"--text={text}", f"--out={out}", "--mesh=data=8"]) == 0
    return out, kept[0]


@pytest.mark.slow
@pytest.mark.example
def test_a_run_is_compiled_once_and_keeps_an_eighth_of_the_state_on_each_device(eight):
    out, trained = eight
    assert trained.update._cache_size() == 1
    assert trained.layout.bytes_per_device() < trained.layout.total_bytes / 4  # small leaves stay whole
    mu = trained.state["scale_by_adam"].mu["embed"]["embedding"]
    assert {s.data.size for s in mu.addressable_shards} == {mu.size // 8}
    found = rows(out)
    assert [row["step"] for row in found] == [1, 2, 3, 4]
    assert found[3]["validation_loss"] < found[1]["validation_loss"] < np.log(256)
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert gc.Checkpointer(out / "checkpoints").steps() == [2, 4]


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--zero=0", "--microbatches=2"), marks=pytest.mark.slow),
        pytest.param(("--mesh=model=8", "--microbatches=2"), marks=pytest.mark.slow),
        pytest.param(("--mesh=data=4,model=2", "--zero=3"), marks=[pytest.mark.slow, pytest.mark.example]),
        pytest.param(
            ("--mesh=data0=2,data1=2,model=2", "--zero=2", "--microbatches=4", "--offload"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=" ".join,
)
def test_every_mesh_and_stage_trains_alike(flags, text, eight, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_sharded.training, "generate", lambda *_: ("", ""))
    argv = [*RUN, "--eval-every=4", f"--text={text}", f"--out={tmp_path}", "--layout", *flags]
    with undrawn():
        assert train_sharded.main(argv) == 0
    np.testing.assert_allclose(losses(tmp_path)[[0, 2, 3]], losses(eight[0])[[0, 2, 3]], rtol=1e-4)
    assert "scale_by_adam/mu/embed/embedding" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_goes_on_over_another_mesh(eight, tmp_path):
    shutil.copytree(eight[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "checkpoints" / "4")
    assert train_sharded.main(["--resume", f"--out={tmp_path}", "--mesh=data=2,model=4"]) == 0
    np.testing.assert_allclose(losses(tmp_path), losses(eight[0]), rtol=1e-4)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--mesh=data"], "'data' is not NAME=N"),
        (["--mesh=fsdp=8"], "'fsdp'"),
        (["--mesh=data=3"], "that is 3 devices, and there are 8"),
        (["--mesh=model=3"], "that is 3 devices, and there are 8"),
        (["--mesh=model=8", "--heads=4"], "--heads 4 cannot be divided"),
        (["--microbatches=3"], "--batch 16 is not a multiple of 24"),
        (["--zero=4"], "--zero"),
        (["--process-id=1"], "belong together"),
        (["--processes=2"], "--devices N"),
        (["--processes=2", "--devices=3"], "cannot be shared out"),
        (["--processes=2", "--devices=4", "--coordinator=localhost:1"], "leave out --coordinator"),
        (["--distributed", "--devices=4"], "--distributed finds"),
        (["--coordinator=nonsense"], "'nonsense' is not HOST:PORT"),
        (["--coordinator=localhost:1", "--process-id=2", "--num-processes=2"], "--process-id 2"),
        (["--coordinator=localhost:1", "--process-id=0", "--num-processes=2"], "need --out"),
        (["--accumulate=2"], "unknown argument --accumulate"),
        (["--resume"], "--resume needs --out"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(flags, expected, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert expected in complaint(capsys, [*RUN, f"--text={text}", *flags], train_sharded)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_where_there_is_no_cluster_the_line_says_so(error, text, tmp_path, monkeypatch, capsys):
    def initialize():
        raise error("coordinator_address should be defined.\nand more")

    monkeypatch.setattr(train_sharded.processes.jax.distributed, "initialize", initialize)
    argv = [*RUN, f"--text={text}", f"--out={tmp_path / 'out'}", "--distributed"]
    said = complaint(capsys, argv, train_sharded)
    assert "found no cluster here (coordinator_address should be defined.); on one machine" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.example
def test_a_run_with_another_optimizer_is_not_resumed(eight, capsys):
    said = complaint(capsys, ["--resume", f"--out={eight[0]}", "--optimizer=lion"], train_sharded)
    assert "another optimizer" in said
