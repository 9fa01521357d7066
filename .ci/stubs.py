"""Write the stubs: what an editor and a type checker see of `import gradchain` and `import gradchain.optax`.

Factories as plain functions with their whole docstring, the shared arguments explained, and the types that
callers may give; every other name as it stands in its module. In gradchain/optax they return Optax's pair,
and their defaults are those that give Optax's numbers. `make stubs` runs this, a test compares.
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
from gradchain import contrib, transforms
from gradchain import optax as surface
from gradchain.core import hyper, kinds, select
from gradchain.core.recipe import Factory
from gradchain.core.transform import Transform
from gradchain.optax import special
from gradchain.optax import types as optax_types
from gradchain.optax.numbers import NUMBERS

PACKAGE = Path(gc.__file__).parent
WRITTEN = "# Written by .ci/stubs.py: make stubs"
HEAD = f'''"""{{}}"""

{WRITTEN}

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal

from gradchain import typing as {{}}
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


def stubs() -> dict[Path, str]:
    """The text of each stub."""
    optax = PACKAGE / "optax"
    found = {PACKAGE / "__init__.pyi": root(), optax / "__init__.pyi": optax_root()}
    for module in (contrib, transforms):
        name = module.__name__.rpartition(".")[2]
        found[PACKAGE / f"{name}.pyi"] = namespace(module, "gradchain")
        found[optax / f"{name}.pyi"] = namespace(sys.modules[f"gradchain.optax.{name}"], "gradchain.optax")
    return found


def factories_of_root() -> dict[str, Factory]:
    """The factories that are functions in the stub of the root."""
    return {
        n: f for n, f in gc.REGISTRY.items() if n in gc.__all__ and f.fn.__module__.startswith("gradchain.")
    }


def root() -> str:
    """The stub of gradchain."""
    factories, imported = factories_of_root(), dict(imports())
    lines = [f"from {imported[n]} import {n} as {n}" for n in gc.__all__ if n not in factories]
    modules = sorted(n for n, where in imported.items() if where == "gradchain" and n not in gc.__all__)
    lines += [f"from gradchain import {n} as {n}" for n in modules if n != "typing"]
    forms = sorted({(f.form.__module__, f.form.__name__) for f in factories.values() if f.form})
    lines += [f"from {module} import {name} as {name}" for module, name in forms]
    texts = [function(factories[n], returned(factories[n])) for n in sorted(factories)]
    said = "gradchain: optimizers for JAX as chains of pure gradient transformations."
    head = [HEAD.format(said, "typing").rstrip(), *sorted(set(lines)), "", "_t = typing", "__version__: str"]
    return "\n".join([*head, every(gc), "", *texts])


def optax_root() -> str:
    """The stub of gradchain.optax: the same names, whose factories return Optax's pair."""
    own = {**special.OURS, **optax_types.TYPES}
    factories = {n: f for n, f in factories_of_root().items() if n not in own or n == "optimistic_adam"}
    imported = dict(imports())
    imported |= dict.fromkeys(special.OURS, special.__name__)
    imported |= dict.fromkeys(optax_types.__all__, optax_types.__name__)
    imported["convex_kl_divergence"] = "gradchain.losses"  # with its signature
    mine = [(n, x) for n, x in vars(surface).items() if inspect.ismodule(x) and hasattr(gc, n)]
    parts = [n for n, x in mine if x.__name__.startswith("gradchain.optax.")]
    imported |= dict.fromkeys(parts, "gradchain.optax")
    names = [*surface.__all__, *parts]
    lines = [f"from {imported[n]} import {n} as {n}" for n in names if n not in factories]
    lines.append("from gradchain.optax.surface import Transformation as Transformation")
    texts = [function(factories[n], "Transformation", fixed(n)) for n in sorted(factories)]
    said = (surface.__doc__ or "").strip()
    head = [HEAD.format(said, "_t").rstrip(), *sorted(set(lines)), "", every(surface), ""]
    return "\n".join([*head, *texts])


def fixed(name: str) -> Mapping[str, Any]:
    """The defaults of a factory that give Optax's numbers, where they depend on no other argument."""
    found = NUMBERS.get(name, {})
    return {} if callable(found) else found


def namespace(module: Any, where: str) -> str:
    """The stub of a module whose names are in another as well."""
    lines = [f"from {where} import {n} as {n}" for n in sorted(module.__all__)]
    return "\n".join(
        [f'"""{(module.__doc__ or "").strip()}"""', "", WRITTEN, "", *lines, "", every(module), ""]
    )


def every(module: Any) -> str:
    """The names of a module as its stub says them."""
    names = "\n".join(f"    {n!r},".replace("'", '"') for n in module.__all__)
    return f"__all__ = [\n{names}\n]"


def returned(factory: Factory) -> str:
    """The class of what a factory makes."""
    return factory.form.__name__ if factory.form else "Transform"


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


def function(factory: Factory, result: str, defaults: Mapping[str, Any] = types.MappingProxyType({})) -> str:
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
        said = defaults.get(p.name, p.default)
        default = "" if p.default is p.empty else f" = {literal(said)}"
        parameters.append(f"{p.name}: {hint}{default}")
    given = "".join(f"\n    {p}," for p in parameters)
    doc = inspect.cleandoc(getattr(gc, factory.name).__doc__).replace("\\", "\\\\").replace('"""', r"\"\"\"")
    if doc.endswith('"'):
        doc += "\n"
    body = "\n".join(f"    {line}".rstrip() for line in doc.splitlines()).strip()
    end = "\n    " if "\n" in body else ""
    return f'def {factory.name}({given}\n) -> {result}:\n    """{body}{end}"""\n    ...\n'


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
    for file, text in stubs().items():
        file.write_text(text, encoding="utf-8")
        print(f"{file.relative_to(PACKAGE.parent)}: {text.count(chr(10)) + 1:,} lines")
