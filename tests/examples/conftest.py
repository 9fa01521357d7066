"""A text that can be learned, and a finished run on it."""

import random
from pathlib import Path

import pytest
from lm_cases import RUN, said
from run_cases import CONFIG, RunFolder, train_to


@pytest.fixture(scope="session")
def text(tmp_path_factory) -> Path:
    """A folder of ten files."""
    folder, chance = tmp_path_factory.mktemp("text"), random.Random(0)
    for i in range(10):
        lines = [
            f"def f{chance.randrange(9)}(x):\n    return x + {chance.randrange(9)}\n\n" for _ in range(20)
        ]
        (folder / f"part{i}.py").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def finished(text, tmp_path_factory) -> Path:
    """A run of 20 steps, and beside it what it said; tests read it and do not change it."""
    out = tmp_path_factory.mktemp("finished") / "run"
    (out.parent / "said").write_text(said([*RUN, f"--text={text}", f"--out={out}"], draws=True), "utf-8")
    return out


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Path:
    """A folder with checkpoints after steps 2 and 4."""
    path = tmp_path_factory.mktemp("run") / "run"
    with RunFolder(path) as folder:
        folder.start(CONFIG, False)
        train_to(folder, 0, 2, 4)
    return path
