"""A pytest plugin that puts gradchain.optax's names in the place of Optax's, for Optax's own tests.

    python -m pytest -p tests.peer.swap --pyargs optax

Optax's modules stay; each public name in them that Optax defines, and gradchain.optax has, is set anew.
Tests are Optax's, read from where it is installed.
"""

import functools
import importlib
import pathlib
import types

import optax

import gradchain.optax

# Optax's packages whose names are looked for in the namespace of the same name first.
OWN = {
    *("assignment", "contrib", "losses", "microbatching", "perturbations"),
    *("projections", "schedules", "second_order", "transforms", "tree", "tree_utils"),
}
KEPT = {"GradientTransformation", "GradientTransformationExtraArgs"}  # gradchain.optax has Optax's own


def modules() -> list[types.ModuleType]:
    """Optax and all its modules but its tests; optax._src is no package, so files are what is looked for."""
    root = pathlib.Path(next(iter(optax.__path__)))
    files = [path.relative_to(root) for path in sorted(root.rglob("*.py")) if not path.stem.endswith("_test")]
    found = {".".join(("optax", *path.parent.parts, *([] if path.stem == "__init__" else [path.stem]))) for path in files}
    return [importlib.import_module(name) for name in sorted(found)]


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
    return not isinstance(value, types.ModuleType) and str(getattr(value, "__module__", "")).startswith("optax")


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


def pytest_report_header() -> str:
    """What was swapped."""
    return f"gradchain.optax in the place of {len(SWAPPED)} names of Optax {optax.__version__}"
