"""The laws of the code's layout, read from its source: layers, imports, lengths, nothing of one machine.

Each check is a function of source text, so the tests at the end can show that it catches an offender.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Lowest first. A name is a module gradchain/<name>.py or a package gradchain/<name>/ with all it holds. It
# imports from rows above its own and, if a package, from itself; names in one row are strangers.
LAYERS = (
    ("numerics", "rounding", "place", "hyper", "control", "glossary"),
    ("slots",),
    ("codec", "tree", "linalg", "spread", "values"),
    ("select", "recipe", "matrices"),
    ("transform",),
    ("link",),
    ("kernel",),
    ("engine", "foreign"),
    ("leafwise",),
    ("masks", "reading"),
    ("compose", "schedules", "losses"),
    ("rules",),
    ("wrappers",),
    ("storage",),
    ("config", "report", "interop"),
    ("sharding", "checkpoint"),
    ("aot",),
    ("__init__",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

# Imports inside a function that go up all the same, as (importer, imported), each with its reason.
LAZY_UPWARD: frozenset[tuple[str, str]] = frozenset()

RUN_TIME = {"gradchain", "jax", "jaxlib", "numpy", *sys.stdlib_module_names}  # numpy comes with jax
PRIVATE = ("jax._src", "jax.interpreters")
CODE_FOLDERS = ("gradchain", "tests", "examples", "benchmarks")
MAX_FILE, MAX_DOCSTRING = 300, 15  # lines
MACHINE = re.compile(
    r"""(?:^|[\s"'`=(:,\[])/(?:work|tmp|root|farm|home|Users)/"""
    r"""|(?:pypi|pythonhosted|npmjs)\.org|https?://[^\s/]+/(?:\S+/)?(?:simple|packages)/|--(?:extra-)?index-url"""
)

LIBRARY = sorted((ROOT / "gradchain").rglob("*.py"))
CODE = [f for folder in CODE_FOLDERS for f in sorted((ROOT / folder).rglob("*.py"))]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def unit_of(module: str) -> str:
    """The row entry a dotted module belongs to: gradchain.rules.adam -> rules, gradchain -> __init__."""
    return [*module.split("."), "__init__"][1]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[str, int, bool]]:
    """(dotted name, line, lazy) of what a module imports at run time; `from a import b` gives a.b."""
    package = module.split(".") if is_package else module.split(".")[:-1]

    def visit(node: ast.AST, lazy: bool) -> Iterator[tuple[str, int, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{start}.{alias.name}", node.lineno, lazy) for alias in node.names)
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        children = node.orelse if is_type_checking(node) else ast.iter_child_nodes(node)  # type: ignore
        for child in children:
            yield from visit(child, inside)

    return visit(ast.parse(source), False)


def library_imports(file: Path) -> Iterator[tuple[str, int, bool]]:
    return imports(file.read_text(), module_of(file), file.name == "__init__.py")


def layering_faults(source: str, module: str, is_package: bool = False) -> list[str]:
    unit = unit_of(module)
    if unit not in RANK:
        return [f"gradchain/{unit} is in no layer: add it to a row of LAYERS in tests/test_architecture.py"]
    faults = []
    for target, line, lazy in imports(source, module, is_package):
        if target.split(".")[0] != "gradchain":
            continue
        other = unit_of(target)
        if other not in RANK and other not in {unit_of(module_of(f)) for f in LIBRARY}:
            other = "__init__"  # a public name, not a module
        if other == unit or RANK.get(other, len(LAYERS)) < RANK[unit]:
            continue
        if not (lazy and (unit, other) in LAZY_UPWARD):
            faults.append(f"{module}:{line} imports {target}: '{other}' is not in a layer below '{unit}'")
    return faults


def run_time_faults(source: str, module: str, is_package: bool = False) -> list[str]:
    return [
        f"{module}:{line} imports {target} at module level: import it in the function that needs it"
        for target, line, lazy in imports(source, module, is_package)
        if not lazy and target.split(".")[0] not in RUN_TIME
    ]


def private_faults(source: str, module: str) -> list[str]:
    """Imports of jax's private modules, and reaching them as attributes of jax."""
    used = [(target, line) for target, line, _ in imports(source, module)]
    used += [
        (ast.unparse(node), node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
    ]
    return [
        f"{module}:{line} uses {target}: jax promises nothing about it"
        for target, line in used
        if any(target == p or target.startswith(p + ".") for p in PRIVATE)
    ]


def long_docstrings(source: str) -> list[str]:
    faults = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            length = len((ast.get_docstring(node) or "").splitlines())
            if length > MAX_DOCSTRING:
                faults.append(f"{getattr(node, 'name', 'the module')} has a docstring of {length} lines")
    return faults


def machine_faults(text: str) -> list[str]:
    return [
        f"line {i}: {line.strip()[:100]}"
        for i, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """A path of modules that leads back to its start, or [] if there is none."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for other in sorted(graph.get(node, ())):
            if found := walk(other, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def text_files() -> list[Path]:
    """What is or could be committed: git's list, or without git the code and the root's own files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        return [f for name in listed.stdout.split("\0") if name and (f := ROOT / name).is_file()]
    return [*(f for f in ROOT.iterdir() if f.is_file()), *CODE]


@pytest.mark.parametrize("file", LIBRARY, ids=name_of)
def test_module_keeps_to_its_layer(file):
    source, module, package = file.read_text(), module_of(file), file.name == "__init__.py"
    faults = layering_faults(source, module, package) + run_time_faults(source, module, package)
    assert not faults + private_faults(source, module), "\n".join(faults + private_faults(source, module))


def test_no_import_cycles():
    modules = {module_of(f) for f in LIBRARY}
    graph = {
        module_of(f): {
            t if t in modules else t.rpartition(".")[0] for t, _, lazy in library_imports(f) if not lazy
        } & modules
        for f in LIBRARY
    }  # fmt: skip
    assert not cycle(graph), " -> ".join(cycle(graph))


@pytest.mark.parametrize("file", CODE, ids=name_of)
def test_file_and_docstrings_are_short(file):
    source = file.read_text()
    assert len(source.splitlines()) <= MAX_FILE, f"{name_of(file)} is over {MAX_FILE} lines"
    assert not long_docstrings(source), f"over {MAX_DOCSTRING} lines: {long_docstrings(source)}"


def test_nothing_of_one_machine_is_committed():
    found = []
    for file in text_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text
        found += [f"{name_of(file)} {fault}" for fault in machine_faults(text)]
    assert not found, "absolute paths or registry addresses:\n" + "\n".join(found)


# The checks themselves: each must see an offender, and let its lawful twin pass. ---------------------------


@pytest.mark.parametrize(
    "module, source, fault",
    [
        ("gradchain.tree", "from gradchain.rules import adam", "not in a layer below"),
        ("gradchain.tree", "from gradchain import linalg", "not in a layer below"),  # same row
        ("gradchain.tree", "import gradchain as gc", "not in a layer below"),
        ("gradchain.tree", "def f():\n    from .compose import chain", "not in a layer below"),
        ("gradchain.nowhere", "", "gradchain/nowhere is in no layer"),
        ("gradchain.rules.adam", "from ..wrappers import accumulate", "not in a layer below"),
        (
            "gradchain.rules.adam",
            "from gradchain import numerics\nfrom . import sgd\nfrom ..tree import dot",
            None,
        ),
        ("gradchain.tree", "if TYPE_CHECKING:\n    from gradchain.transform import Transform", None),
    ],
)
def test_layering_check(module, source, fault):
    faults = layering_faults(source, module)
    assert any(fault in f for f in faults) if fault else not faults


@pytest.mark.parametrize(
    "source, bad", [("import optax", 1), ("def f():\n    import optax", 0), ("import re", 0)]
)
def test_run_time_check(source, bad):
    assert len(run_time_faults(source, "gradchain.tree")) == bad


@pytest.mark.parametrize(
    "source", ["from jax._src import core", "from jax import _src", "jax.interpreters.ad.x"]
)
def test_private_check(source):
    assert private_faults(source, "gradchain.tree") and not private_faults(
        "import jax.numpy", "gradchain.tree"
    )


def test_other_checks():
    lines = "\n".join(["x"] * (MAX_DOCSTRING + 1))
    assert long_docstrings(f'def f():\n    """{lines}"""') and not long_docstrings('def f():\n    """x"""')
    assert machine_faults("open('" + "/home" + "/me/x')") and not machine_faults("path: a/home/me, n/tmp/x")
    assert machine_faults("see https://py" + "pi.org/project") and not machine_faults(
        "https://arxiv.org/abs/1"
    )
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"] and not cycle(
        {"a": {"b"}, "b": set()}
    )
