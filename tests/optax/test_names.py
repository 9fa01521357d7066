"""Every public name of Optax is here and in gradchain.optax, with a signature to which its own binds."""

import importlib
import inspect
import types

import pytest

peer = pytest.importorskip("optax")

SPACES = (
    "",
    "contrib",
    "transforms",
    "schedules",
    "losses",
    "tree",
    "tree_utils",
    "second_order",
    "perturbations",
    "projections",
    "assignment",
    "microbatching",
    "experimental",
    "experimental.aggregating",
)


def at(start: str, space: str):
    """A namespace of a library."""
    module = importlib.import_module(start)
    for part in filter(None, space.split(".")):
        module = getattr(module, part)
    return module


def names(space: str) -> list[str]:
    """The public names of a namespace of Optax, without modules and what it imports from elsewhere."""
    found = {name: value for name, value in vars(at("optax", space)).items() if not name.startswith("_")}
    return sorted(
        name
        for name, value in found.items()
        if not isinstance(value, types.ModuleType)
        and str(getattr(value, "__module__", "optax")).partition(".")[0] in ("optax", "typing")
        and value is not types.ModuleType
        and name not in ("TYPE_CHECKING", "Any", "Callable", "Protocol", "annotations")
    )


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("module", ["gradchain", "gradchain.optax"])
def test_every_name_is_here(module, space):
    here = at(module, space)
    missing = [name for name in names(space) if not hasattr(here, name)]
    assert not missing


CALLS = [
    (space, name)
    for space in SPACES
    for name in names(space)
    if inspect.isfunction(getattr(at("optax", space), name))
]


@pytest.mark.parametrize(("space", "name"), CALLS, ids=lambda x: x or "root")
def test_a_call_of_optaxs_binds(space, name):
    """All arguments by position as far as they go, and all by name."""
    theirs = inspect.signature(getattr(at("optax", space), name))
    ours = getattr(at("gradchain.optax", space), name)
    about = getattr(ours, "factory", None)
    signature = about.signature if about else inspect.signature(ours)
    plain = [p for p in theirs.parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    renamed = about.renamed if about else {}
    named = {renamed.get(p.name, p.name) for p in plain}
    placed = [renamed.get(p.name, p.name) for p in plain if p.kind is not p.KEYWORD_ONLY]
    if len(plain) == len(theirs.parameters):  # no *args
        signature.bind(**dict.fromkeys(named))
    signature.bind_partial(*placed)
    if not (about and about.variadic):
        assert list(signature.parameters)[: len(placed)] == placed, "in another order"
