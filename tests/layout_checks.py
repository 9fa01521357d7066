"""The laws of the code's layout as functions of source text: layers, imports, circles, lengths, machines."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Lowest first. A name is a module gradchain/<name>.py or a folder gradchain/<name>/ with all it holds. It
# imports from rows above its own and, if a folder, from itself; names in one row are strangers.
LAYERS = (
    ("math",),
    ("core",),
    ("types", "typing", "tree", "projections", "assignment", "perturbations", "microbatching", "absent"),
    ("tree_utils", "matrices", "schedules", "losses", "second_order", "experimental"),
    ("rules",),
    ("wrappers",),
    ("storage",),
    ("config", "report"),
    ("contrib", "transforms", "catalogue", "writers"),
    ("sharding", "checkpoint", "plot"),
    ("tuning", "doctor", "frameworks"),
    ("aot",),
    ("__init__",),
    ("optax", "testing", "cli"),
    ("__main__",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

# The same within gradchain/core/.
CORE = (
    ("versions", "words", "optional", "shown"),
    ("kinds",),
    ("place", "hyper", "control", "glossary", "states", "returned"),
    ("slots", "scales"),
    ("codec", "tree", "values"),
    ("select", "recipe", "leaves", "complaints", "extras"),
    ("transform",),
    ("link", "inside"),
    ("kernel", "coded", "ages"),
    ("engine", "foreign"),
    ("leafwise",),
    ("masks", "reading"),
    ("compose",),
)
CORE_RANK = {name: rank for rank, row in enumerate(CORE) for name in row}

# Imports inside a function that go up all the same, as (importer, imported), each with its reason.
LAZY_UPWARD = frozenset(
    {
        ("schedules", "plot"),  # a schedule draws itself
        ("report", "sharding"),  # describe(budget=...) weighs storages that split and offload
    }
)

# What a module imports at once though it may be absent, as (importer, imported), each with its reason.
OPTIONAL = frozenset(
    {("gradchain.optax.types", "optax")}
)  # its classes are base classes, where it is installed

RUN_TIME = {"gradchain", "jax", "jaxlib", "numpy", *sys.stdlib_module_names}  # numpy comes with jax
PRIVATE = ("jax._src", "jax.interpreters")
CODE_FOLDERS = ("gradchain", "tests", "examples", "benchmarks")
VERSIONS = ROOT / "gradchain" / "core" / "versions.py"  # alone asks which JAX this is
MAX_FILE, MAX_DOCSTRING = 300, 15  # lines
MACHINE = re.compile(
    r"""(?:^|[\s"'`=(:,\[])/(?:work|tmp|root|farm|home|Users)/"""
    r"""|(?:pypi|pythonhosted|npmjs)\.org|https?://[^\s/]+/(?:\S+/)?(?:simple|packages)/|--(?:extra-)?index-url"""
)

LIBRARY = sorted((ROOT / "gradchain").rglob("*.py"))
ROOMS = {f.relative_to(ROOT / "gradchain").parts[0].removesuffix(".py") for f in LIBRARY}
CODE = [f for folder in CODE_FOLDERS for f in sorted((ROOT / folder).rglob("*.py"))]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@functools.cache
def parsed(source: str) -> ast.Module:
    """Once for all checks."""
    return ast.parse(source)


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

    return visit(parsed(source), False)


def layering_faults(source: str, module: str, is_package: bool = False) -> list[str]:
    unit = unit_of(module)
    if unit not in RANK:
        return [f"gradchain/{unit} is in no layer: add it to a row of LAYERS in tests/layout_checks.py"]
    faults = []
    for target, line, lazy in imports(source, module, is_package):
        if target.split(".")[0] != "gradchain":
            continue
        other = unit_of(target)
        if other not in ROOMS:
            other = "__init__"  # a public name, not a module
        if other == unit == "core":
            faults += core_faults(module, target, line)
            continue
        if other == unit or RANK.get(other, len(LAYERS)) < RANK[unit]:
            continue
        if not (lazy and (unit, other) in LAZY_UPWARD):
            faults.append(f"{module}:{line} imports {target}: '{other}' is not in a layer below '{unit}'")
    return faults


def core_faults(module: str, target: str, line: int) -> list[str]:
    """The same rule from module to module of the core."""
    one, other = (name.split(".")[2] if name.count(".") > 1 else "" for name in (module, target))
    for name in (one, other):
        if name and name not in CORE_RANK:
            return [f"gradchain/core/{name} is in no row of CORE in tests/layout_checks.py"]
    if not one or one == other or CORE_RANK.get(other, len(CORE)) < CORE_RANK[one]:
        return []
    return [f"{module}:{line} imports {target}: '{other}' is not in a layer below '{one}'"]


def run_time_faults(source: str, module: str, is_package: bool = False) -> list[str]:
    return [
        f"{module}:{line} imports {target} at module level: import it in the function that needs it"
        for target, line, lazy in imports(source, module, is_package)
        if not lazy
        and target.split(".")[0] not in RUN_TIME
        and (module, target.split(".")[0]) not in OPTIONAL
    ]


def private_faults(source: str, module: str) -> list[str]:
    """Imports of jax's private modules, and reaching them as attributes of jax."""
    used = [(target, line) for target, line, _ in imports(source, module)]
    if any(p.split(".")[1] in source for p in PRIVATE):
        walked = ast.walk(parsed(source))
        used += [(ast.unparse(node), node.lineno) for node in walked if isinstance(node, ast.Attribute)]
    return [
        f"{module}:{line} uses {target}: jax promises nothing about it"
        for target, line in used
        if any(target == p or target.startswith(p + ".") for p in PRIVATE)
    ]


def version_faults(source: str, module: str) -> list[str]:
    """Asking which JAX this is: comparing versions, or looking whether a name of JAX is there."""
    tree = parsed(source)
    named = {"jax"} | {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).split(".")[0] == "jax"
    }

    def of_jax(node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in named

    def asks(node: ast.AST) -> bool:
        if isinstance(node, ast.Compare):
            asked = "version" in source and ast.unparse(node)
            return bool(asked and re.search(r"\bjax(lib)?\.__version|\bversion\(.jax(lib)?.\)", asked))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("hasattr", "getattr"):
            return of_jax(node.args[0]) and isinstance(node.args[1], ast.Constant)  # a name known here
        if isinstance(node, ast.Try) and any("Error" in ast.unparse(h.type or h) for h in node.handlers):
            tried = [n for x in node.body for n in ast.walk(x) if isinstance(n, ast.Import | ast.ImportFrom)]
            return any((getattr(n, "module", None) or n.names[0].name).split(".")[0] == "jax" for n in tried)
        return False

    return [
        f"{module}:{node.lineno} asks which JAX this is: add what differs to gradchain/core/versions.py"
        for node in ast.walk(tree)
        if asks(node)
    ]


def long_docstrings(source: str) -> list[str]:
    faults = []
    for node in ast.walk(parsed(source)):
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


def import_graph(folder: str) -> dict[str, set[str]]:
    """Which modules of a folder import which others, also within functions."""
    files = [f for f in CODE if name_of(f).startswith(f"{folder}/")]
    modules = {module_of(f): f for f in files}
    plain = (
        {} if folder == "gradchain" else {f.stem: module_of(f) for f in files}
    )  # found beside the importer

    def found(target: str) -> str | None:
        while target and target not in modules and target not in plain:
            target = target.rpartition(".")[0]
        return target if target in modules else plain.get(target)

    return {
        name: {
            other for t, _, _ in imports(f.read_text(), name, f.name == "__init__.py") if (other := found(t))
        }
        - {name}
        for name, f in modules.items()
    }


def text_files() -> list[Path]:
    """What is or could be committed: git's list, or without git the code and the root's own files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        return [f for name in listed.stdout.split("\0") if name and (f := ROOT / name).is_file()]
    return [*(f for f in ROOT.iterdir() if f.is_file()), *CODE]
