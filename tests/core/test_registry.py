"""What factories declare of themselves: family, paper, neighbours."""

from pathlib import Path

import pytest

import gradchain as gc

RULES = {p.name for p in (Path(gc.__file__).parent / "rules").iterdir() if (p / "__init__.py").exists()}


@pytest.mark.parametrize("name, family", [("adam", "adaptive"), ("sam", "wrappers"), ("clip", "parts")])
def test_family_is_the_folder(name, family):
    assert gc.REGISTRY[name].family == family


def test_families_are_folders_that_are_there():
    folders = {p.name for p in Path(gc.__file__).parent.iterdir()} | RULES
    assert {f.family for f in gc.REGISTRY.values()} <= folders
    assert {f.family for f in gc.REGISTRY.values()} >= RULES


def test_neighbours_are_registered():
    unknown = {n: set(f.near) - gc.REGISTRY.keys() for n, f in gc.REGISTRY.items()}
    assert not any(unknown.values()), unknown
    assert not any(n in f.near for n, f in gc.REGISTRY.items())
