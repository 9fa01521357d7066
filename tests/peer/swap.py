"""A pytest plugin that puts gradchain.optax's names in the place of Optax's, for Optax's own tests.

    python -m pytest -c /dev/null -p tests.peer.swap --pyargs optax --least 2300

Optax's modules stay; each public name in them that Optax defines, and gradchain.optax has, is set anew.
Tests are Optax's, read from where it is installed. expected.toml says which of them fail, and why.
"""

import fnmatch
import functools
import importlib
import pathlib
import tomllib
import types

import optax
import pytest

import gradchain.optax

ROOT = pathlib.Path(next(iter(optax.__path__)))
EXPECTED = tomllib.loads(pathlib.Path(__file__).with_name("expected.toml").read_text())["expected"]

# Optax's packages whose names are looked for in the namespace of the same name first.
OWN = {
    *("assignment", "contrib", "losses", "microbatching", "perturbations"),
    *("projections", "schedules", "second_order", "transforms", "tree", "tree_utils"),
}
KEPT = {"GradientTransformation", "GradientTransformationExtraArgs"}  # gradchain.optax has Optax's own


def modules() -> list[types.ModuleType]:
    """Optax and all its modules but its tests; optax._src is no package, so files are what is looked for."""
    files = [path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py")]
    names = [".".join(("optax", *path.parts)).removesuffix(".__init__") for path in files]
    return [importlib.import_module(name) for name in sorted(names) if not name.endswith("_test")]


def spaces(module: str) -> list[types.ModuleType | type]:
    """The namespaces of gradchain.optax in which a name of one of Optax's modules is looked for, in order.

    `scale` of optax.tree is another function than that of the root. Modules in optax._src have names of the
    root and of any namespace.
    """
    first, *rest = module.removeprefix("optax").strip(".").split(".")
    if first in ("tree", "tree_utils"):
        return [getattr(gradchain.optax, first)]
    if first == "experimental":
        return [gradchain.optax.experimental.aggregating] if rest == ["_aggregating"] else []
    own = [getattr(gradchain.optax, first)] if first in OWN else []
    others = [getattr(gradchain.optax, name) for name in sorted(OWN - {"tree", "tree_utils"})]
    return [*own, gradchain.optax, *others]


def theirs(value: object) -> bool:
    """Whether Optax defines a value."""
    if isinstance(value, functools.partial):
        return theirs(value.func)
    return not isinstance(value, types.ModuleType) and str(getattr(value, "__module__", "")).startswith(
        "optax"
    )


def swap() -> list[str]:
    """Set the names anew; which ones were."""
    done = set()
    for module in modules():
        where = spaces(module.__name__)
        for name, value in list(vars(module).items()):
            if name.startswith("_") or name in KEPT or not theirs(value):
                continue
            mine = next((vars(space)[name] for space in where if name in vars(space)), None)
            if mine is not None and mine is not value:
                setattr(module, name, mine)
                done.add(name)
    return sorted(done)


SWAPPED = swap()


def reason(test: str) -> str | None:
    """Why a test fails, `_src/alias_test.py::AliasTest::test_optimization0`; None where it need not."""
    for about in EXPECTED:
        if any(fnmatch.fnmatchcase(test, pattern) for pattern in about["tests"]):
            return about["reason"]
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    """--least."""
    parser.addoption("--least", type=int, default=0, help="fail if fewer tests than this pass")


def pytest_report_header() -> str:
    """What was swapped."""
    return f"gradchain.optax in the place of {len(SWAPPED)} names of Optax {optax.__version__}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those that are expected to fail."""
    for item in items:
        test = f"{item.path.relative_to(ROOT).as_posix()}::{item.nodeid.partition('::')[2]}"
        if why := reason(test):
            item.add_marker(pytest.mark.xfail(reason=why, strict=False))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if too few pass."""
    passed, _ = counts(session.config)
    if passed < session.config.option.least and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """The two numbers."""
    passed, expected = counts(config)
    wanted = f" (at least {config.option.least} must)" if config.option.least else ""
    terminalreporter.line(
        f"Optax's tests on gradchain.optax: {passed} passed{wanted}, {expected} failed as expected"
    )


def counts(config: pytest.Config) -> tuple[int, int]:
    """How many tests passed with all their subtests, and how many failed as expected."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    stats = reporter.stats if reporter else {}  # none in the processes of xdist
    ids = lambda *kinds: {report.nodeid for kind in kinds for report in stats.get(kind, ())}  # noqa: E731
    expected = ids("xfailed")
    return len(ids("passed", "xpassed") - ids("failed", "error") - expected), len(expected)
