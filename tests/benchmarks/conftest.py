"""Nothing is timed in tests, so nothing is swept up before it is."""

import pytest

from benchmarks import timing


@pytest.fixture(scope="session", autouse=True)
def unswept():
    """No collection of garbage before each turn: it takes half a second in a process that holds JAX."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing.gc, "collect", lambda: 0)
        yield
