"""A pytest plugin that puts gradchain.optax's names in the place of Optax's, for Optax's own tests.

    python -m pytest -p tests.peer.swap --pyargs optax

Optax's modules stay; each public name in them that Optax defines, and gradchain.optax has, is set anew.
Tests are Optax's, read from where it is installed.
"""

import importlib
import pkgutil
import sys
import types

import optax

import gradchain.optax

KEPT = {"GradientTransformation", "GradientTransformationExtraArgs"}  # gradchain.optax has Optax's own


def modules() -> list[types.ModuleType]:
    """Optax and all its modules but its tests."""
    found = [optax]
    for about in pkgutil.walk_packages(optax.__path__, "optax."):
        if not about.name.endswith("_test") and ".experimental" not in about.name:
            found.append(importlib.import_module(about.name))
    return found


def ours(name: str) -> object | None:
    """What gradchain.optax has under a name, in its root or in one of its namespaces."""
    for namespace in (gradchain.optax, *vars(gradchain.optax).values()):
        if isinstance(namespace, types.ModuleType) or namespace is gradchain.optax:
            if namespace.__name__.startswith("gradchain.optax") and name in vars(namespace):
                return vars(namespace)[name]
    return None


def swap() -> list[str]:
    """Set the names anew; which ones were."""
    done = set()
    for module in modules():
        for name, value in list(vars(module).items()):
            if name.startswith("_") or name in KEPT or isinstance(value, types.ModuleType):
                continue
            if not getattr(value, "__module__", "").startswith("optax"):
                continue
            mine = ours(name)
            if mine is not None and mine is not value:
                setattr(module, name, mine)
                done.add(name)
    return sorted(done)


SWAPPED = swap()


def pytest_report_header() -> str:
    return f"gradchain.optax in the place of {len(SWAPPED)} names of Optax {optax.__version__}"


assert "optax" in sys.modules
