"""Names of registered transforms for dear tests: a sample in the quick suite, all in the slow one."""

import pytest

import gradchain as gc
from gradchain import testing


def sampled() -> list:
    """Parameters for parametrize: what gradchain.testing.sample leaves out is marked slow."""
    sample = testing.sample()
    marks = lambda name: () if name in sample else pytest.mark.slow  # noqa: E731
    return [pytest.param(name, marks=marks(name)) for name in sorted(gc.REGISTRY)]
