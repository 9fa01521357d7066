"""A test here asks for `target`, and runs for each compiler that the environment has.

`make test-aot` names the one it has installed in AOT_TARGET: then it must be there, and nothing is skipped.
"""

import os

import pytest

from benchmarks.aot.targets import TARGETS

NAMED = os.environ.get("AOT_TARGET", "")


def pytest_collection_modifyitems(items) -> None:
    """All of them are aot tests: left out of `make test`, run by `make test-aot`."""
    for item in items:
        if "tests/aot/" in item.path.as_posix():
            item.add_marker(pytest.mark.aot)


@pytest.fixture(params=NAMED.split() or list(TARGETS))
def target(request):
    """A machine to compile for; where its compiler is not installed, skipped with the reason."""
    found = TARGETS[request.param]
    reason = found.missing()
    if reason and not NAMED:
        pytest.skip(reason)
    assert not reason, reason
    return found
