"""Write gradchain/__init__.pyi: what an editor and a type checker see of `import gradchain`.

Factories as plain functions with their whole docstring, the shared arguments explained, and the types that
callers may give; every other name as it stands in its module. `make stubs` runs this, a test compares.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradchain as gc
from gradchain.core import hyper, kinds, select
from gradchain.core.recipe import Factory
from gradchain.core.transform import Transform

PACKAGE = Path(gc.__file__).parent
STUB = PACKAGE / "__init__.pyi"
HEAD = '''"""gradchain: optimizers for JAX as chains of pure gradient transformations."""

# Written by .ci/stubs.py: make stubs

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

from gradchain import typing as typing
'''
NAMED = {  # by the annotation in a factory, what a caller may give
    hyper.Hyper: "_t.Hyper",
    hyper.Limit: "_t.Limit",
    hyper.Decay: "_t.Decay",
    hyper.Fraction: "_t.Fraction",
    hyper.Signed: "_t.Signed",
    hyper.Period: "_t.Period",
    kinds.DType: "_t.DType",
    kinds.Key: "_t.Key",
    select.Selection: "_t.Selection",
}
LINKS = {"chain": "_t.Link", "named_chain": "tuple[str, _t.Link]"}  # of those without annotations


def stub() -> str:
    """The text of the stub."""
    ours = {n: f for n, f in gc.REGISTRY.items() if f.fn.__module__.startswith("gradchain.")}
    factories = {n: f for n, f in ours.items() if n in gc.__all__}
    imported = dict(imports())
    names = [n for n in gc.__all__ if n not in factories]
    lines = [f"from {imported[n]} import {n} as {n}" for n in sorted(names, key=lambda n: (imported[n], n))]
    modules = sorted(n for n, where in imported.items() if where == "gradchain" and n not in gc.__all__)
    lines += [f"from gradchain import {n} as {n}" for n in modules if n != "typing"]
    forms = sorted({(f.form.__module__, f.form.__name__) for f in factories.values() if f.form})
    lines += [f"from {module} import {name} as {name}" for module, name in forms]
    texts = [function(factories[n]) for n in sorted(factories)]
    every = "\n".join(f"    {n!r},".replace("'", '"') for n in gc.__all__)
    return "\n".join([
        HEAD.rstrip(), *sorted(set(lines)), "", "_t = typing", "__version__: str", f"__all__ = [\n{every}\n]",
        "", *texts,
    ])  # fmt: skip


def imports() -> list[tuple[str, str]]:
    """(name, module) of what gradchain/__init__.py imports, stars included."""
    found = []
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gradchain"):
            for alias in node.names:
                if alias.name == "*":
                    found += [(name, node.module) for name in sys.modules[node.module].__all__]
                else:
                    found.append((alias.name, node.module))
    return [("REGISTRY", "gradchain.core.recipe") if n == "REGISTRY" else (n, m) for n, m in found]


def function(factory: Factory) -> str:
    """A factory as a function with its arguments, one a line, and its docstring."""
    hints = typing.get_type_hints(factory.fn, include_extras=True)
    sample = factory.example()
    parameters, starred = [], False
    for p in factory.signature.parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            parameters.append(f"*{p.name}: {LINKS.get(factory.name, 'Any')}")
            continue
        if p.kind is p.KEYWORD_ONLY and not starred:
            parameters.append("*")
            starred = True
        hint = "_t.Link" if isinstance(sample.get(p.name), Transform) else shown(hints.get(p.name, Any))
        default = "" if p.default is p.empty else f" = {literal(p.default)}"
        parameters.append(f"{p.name}: {hint}{default}")
    returned = factory.form.__name__ if factory.form else "Transform"
    given = "".join(f"\n    {p}," for p in parameters)
    doc = inspect.cleandoc(getattr(gc, factory.name).__doc__).replace("\\", "\\\\").replace('"""', r"\"\"\"")
    if doc.endswith('"'):
        doc += "\n"
    body = "\n".join(f"    {line}".rstrip() for line in doc.splitlines()).strip()
    end = "\n    " if "\n" in body else ""
    return f'def {factory.name}({given}\n) -> {returned}:\n    """{body}{end}"""\n    ...\n'


def shown(hint: Any) -> str:
    """An annotation as callers see it."""
    for known, name in NAMED.items():
        if hint == known:
            return name
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return shown(args[0])
    if hint is type(None) or hint is None:
        return "None"
    if hint is Any:
        return "Any"
    if origin is typing.Literal:
        return f"Literal[{', '.join(repr(a) for a in args)}]".replace("'", '"')
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(map(shown, args)))
    name = WORDS.get(origin or hint)
    if name == "Callable":
        if not args:
            return "Callable[..., Any]"
        taken = "..." if args[0] is ... else f"[{', '.join(map(shown, args[0]))}]"
        return f"Callable[{taken}, {shown(args[1])}]"
    if name:
        inside = ", ".join("..." if a is ... else shown(a) for a in args)
        return f"{name}[{inside or BARE[name]}]" if name in BARE else name
    if isinstance(hint, type) and hint.__name__ in gc.__all__:
        return hint.__name__
    return "Any"


WORDS: dict[Any, str] = {
    bool: "bool", int: "int", float: "float", str: "str", tuple: "tuple", list: "list", dict: "dict",
    Mapping: "Mapping", Sequence: "Sequence", Callable: "Callable", typing.Hashable: "Hashable",
}  # fmt: skip
WORDS |= {typing.get_origin(typing.Hashable): "Hashable", typing.get_origin(Callable[..., Any]): "Callable"}
BARE = {"tuple": "Any, ...", "list": "Any", "dict": "Any, Any", "Mapping": "Any, Any", "Sequence": "Any"}


def literal(value: Any) -> str:
    """A default as a stub may say it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "..."
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value).replace("'", '"') if isinstance(value, str) and '"' not in value else repr(value)
    if isinstance(value, tuple) and all(isinstance(x, int | float) for x in value):
        return repr(value)
    return "..."


if __name__ == "__main__":
    text = stub()
    STUB.write_text(text, encoding="utf-8")
    print(f"{STUB.name}: {text.count(chr(10)) + 1:,} lines")
