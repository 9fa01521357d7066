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

SPACES = ("contrib", "losses", "projections", "schedules", "transforms", "tree_utils")
KEPT = {"GradientTransformation", "GradientTransformationExtraArgs"}  # gradchain.optax has Optax's own


def modules() -> list[types.ModuleType]:
    """Optax and all its modules but its tests."""
    found = [optax]
    for about in pkgutil.walk_packages(optax.__path__, "optax."):
        if not about.name.endswith("_test") and ".experimental" not in about.name:
            found.append(importlib.import_module(about.name))
    return found


def ours(module: str, name: str) -> object | None:
    """What gradchain.optax has for a name of one of Optax's modules: in its own namespace, or in the root.

    `scale` of optax.tree is another function than that of the root; Optax's private modules have the names
    of the root, and those of whichever namespace they are for.
    """
    own = module.removeprefix("optax").strip(".").split(".")[0]
    if own in ("tree", "tree_utils"):
        return getattr(getattr(gradchain.optax, own), name, None)
    spaces = [gradchain.optax, *(getattr(gradchain.optax, space) for space in SPACES)]
    return next((vars(space)[name] for space in spaces if name in vars(space)), None)


def swap() -> list[str]:
    """Set the names anew; which ones were."""
    done = set()
    for module in modules():
        for name, value in list(vars(module).items()):
            if name.startswith("_") or name in KEPT or isinstance(value, types.ModuleType):
                continue
            if not getattr(value, "__module__", "").startswith("optax"):
                continue
            mine = ours(module.__name__, name)
            if mine is not None and mine is not value:
                setattr(module, name, mine)
                done.add(name)
    return sorted(done)


SWAPPED = swap()


def pytest_report_header() -> str:
    return f"gradchain.optax in the place of {len(SWAPPED)} names of Optax {optax.__version__}"


assert "optax" in sys.modules
