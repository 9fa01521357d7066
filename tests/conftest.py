"""Every test runs on eight CPU devices, set before anything imports jax, and leaves no setting behind."""

import os

DEVICES = 8  # enough for 2x4 and 2x2x2 meshes

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["PYTHONWARNINGS"] = "error"  # in programs that tests start; in tests: pyproject.toml
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # each run compiles for itself
_flags = [f for f in os.environ.get("XLA_FLAGS", "").split() if "host_platform_device_count" not in f]
os.environ["XLA_FLAGS"] = " ".join([*_flags, f"--xla_force_host_platform_device_count={DEVICES}"])

import jax  # noqa: E402
import pytest  # noqa: E402

# Folders and files of tests that look at numbers: in the quick suite LLVM does little there, which takes a
# third off a compilation. XLA's own passes are the same, and with them fusions, buffers and collectives; LLVM
# joins no product and sum to one operation. Tests marked `optimized`, and all in the slow suite, run what
# users run.
QUICK = {
    *("checkpoint", "clients", "core", "experimental", "frameworks", "golden", "laws", "losses", "matrices"),
    *(
        "microbatching",
        "optax",
        "pains",
        "report",
        "rules",
        "schedules",
        "sharding",
        "storage",
        "tree",
        "tuning",
        "doctor",
        "wrappers",
    ),
}
ROOT_FILES = ("assignment", "perturbations", "projections", "second_order")
QUICK |= {f"test_{name}.py" for name in ROOT_FILES}


@pytest.fixture(autouse=True)
def compiler_effort(request):
    """Little effort of the compiler in the quick suite, where only numbers are looked at."""
    quick = "not slow" in request.config.getoption("markexpr") and bool(QUICK & set(request.path.parts))
    little = quick and not request.node.get_closest_marker("optimized")
    jax.config.update("jax_disable_most_optimizations", little)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def x64():
    """float64 and int64 arrays within one test."""
    with jax.enable_x64(True):
        yield


def pytest_addoption(parser) -> None:
    """An option that `make smoke-versions` gives."""
    parser.addoption(
        "--laws-one-in", type=int, default=1, help="one in so many laws, the same ones each time"
    )


def pytest_collection_modifyitems(config, items) -> None:
    """Leave out laws as the option says. Their order is by law, then by transform: all of both are met."""
    step = config.getoption("--laws-one-in")
    laws = [item for item in items if "tests/laws/" in item.path.as_posix()]
    if step > 1:
        kept = {*laws[::step]}
        out = [item for item in laws if item not in kept]
        items[:] = [item for item in items if item not in {*out}]
        config.hook.pytest_deselected(items=out)


def pytest_sessionstart() -> None:
    """Fail at once, with the reason, where a plugin made jax pick its devices before this file was read."""
    found = len(jax.devices())
    if found != DEVICES:
        raise pytest.UsageError(f"tests need {DEVICES} CPU devices, jax shows {found}: imported too early?")
