"""A test here asks for `target`, or `machine`, and runs for each compiler that the environment has.

`make test-aot` names the one it has installed in AOT_TARGET: then it must be there, and nothing is skipped.
"""

import os

import pytest

from benchmarks.aot import TARGETS
from gradchain.aot import topology

NAMED = os.environ.get("AOT_TARGET", "")
COMPILERS = NAMED.split() or list(TARGETS)
MACHINES = {"tpu": ("v5e:2x4", "v5e:16x16", "v5p:4x4x4"), "h100": ("h100:1x8", "h100:2x8")}


def pytest_collection_modifyitems(items) -> None:
    """All of them are aot tests: left out of `make test`, run by `make test-aot`."""
    for item in items:
        if "tests/aot/compiled/" in item.path.as_posix():
            item.add_marker(pytest.mark.aot)


def there(found):
    """The target; where its compiler is not installed, the test is skipped with the reason."""
    reason = found.missing()
    if reason and not NAMED:
        pytest.skip(reason)
    assert not reason, reason
    return found


@pytest.fixture(params=COMPILERS)
def target(request):
    """One chip to compile for."""
    return there(TARGETS[request.param])


@pytest.fixture(params=[name for compiler in COMPILERS for name in MACHINES[compiler]])
def machine(request):
    """Many of them."""
    return there(topology(request.param))
