"""A test here asks for `target`, and runs for each compiler that the environment has."""

import pytest

from benchmarks.aot.targets import TARGETS


def pytest_collection_modifyitems(items) -> None:
    """All of them are aot tests: left out of `make test`, run by `make test-aot`."""
    for item in items:
        if "tests/aot/" in item.path.as_posix():
            item.add_marker(pytest.mark.aot)


@pytest.fixture(params=list(TARGETS))
def target(request):
    """A machine to compile for, skipped with the reason where its compiler is not installed."""
    found = TARGETS[request.param]
    if reason := found.missing():
        pytest.skip(reason)
    return found
