"""The commands list, search and show."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import textwrap
from typing import Any

import gradchain as gc
from gradchain.catalogue.search import KINDS, MATRIX, Entry, entry, search
from gradchain.cli import output
from gradchain.cli.given import UsageError
from gradchain.cli.snippet import snippet
from gradchain.config.forms import NAMED
from gradchain.core import values, words
from gradchain.core.glossary import GLOSSARY
from gradchain.core.recipe import REGISTRY, Factory
from gradchain.core.transform import example
from gradchain.report import text
from gradchain.report.table import describe


def add_to(commands: Any) -> None:
    """The parsers of the commands."""
    one = commands.add_parser("list", help="what is registered, by family")
    one.set_defaults(run=run_list)
    two = commands.add_parser("search", help="what has these words in its name, docstring or source")
    two.add_argument("words", nargs="*", metavar="WORD")
    two.add_argument("--state", metavar="BOUND", help="bytes of state for each parameter: '<4', '>=8'")
    two.set_defaults(run=run_search)
    for made in (one, two):
        made.add_argument("--family", help="a folder of rules: adaptive, matrix, wrappers, ...")
        made.add_argument("--kind", help="optimizer, transform or wrapper")
        made.add_argument("--needs", metavar="NAME", help="an extra argument of updates: value; '' for none")
        made.add_argument("--json", action="store_true", help="print JSON")
    three = commands.add_parser("show", help="the rule, arguments, state and neighbours of one")
    three.add_argument("name", metavar="NAME", help="a transform, a schedule, a codec, or any public name")
    three.add_argument("--json", action="store_true", help="print JSON")
    three.set_defaults(run=run_show)


def run_list(args: argparse.Namespace) -> int:
    """Print what is registered."""
    families = sorted({f.family for f in REGISTRY.values()})
    for name, value, allowed in (("family", args.family, families), ("kind", args.kind, KINDS)):
        if value is not None and value not in allowed:
            near = words.near(value, allowed)
            hint = f"did you mean {near}?" if near else f"it is one of {', '.join(allowed)}"
            raise UsageError(f"--{name} {words.plain(value)}: {hint}")
    found = [
        f
        for f in sorted(REGISTRY.values(), key=lambda f: (f.family, f.name))
        if args.family in (None, f.family) and args.kind in (None, f.kind)
    ]
    if args.needs is not None:
        asked = {args.needs} if args.needs else set()
        found = [f for f in found if (asked <= set(entry(f).needs) if asked else not entry(f).needs)]
    if args.json:
        output.as_json([dataclasses.asdict(entry(f)) for f in found])
    elif found:
        rows = [(f.family, f.name, f.kind, first_line(f)) for f in found]
        shown = [(family if i == 0 or rows[i - 1][0] != family else "", *rest)
                 for i, (family, *rest) in enumerate(rows)]  # fmt: skip
        output.table(("family", "name", "kind", "what it does"), shown)
        print(f"\n{len(found)} of {len(REGISTRY)}")
    else:
        print("nothing is registered that fits")
    return 0 if found else 1


def first_line(factory: Factory) -> str:
    """The first line of a factory's docstring."""
    return (factory.fn.__doc__ or "").strip().split("\n")[0]


def run_search(args: argparse.Namespace) -> int:
    """Print what `gradchain.search` finds."""
    found = search(
        " ".join(args.words), family=args.family, kind=args.kind, state=args.state, needs=args.needs
    )
    if args.json:
        output.as_json([dataclasses.asdict(e) for e in found])
    elif found.entries:
        rows = [(e.name, e.kind, text.number(e.state), ", ".join(e.needs), e.summary) for e in found]
        output.table(("name", "kind", "B/param", "needs", "what it does"), rows, right=("B/param",))
        print(f"\n{len(found)} of {len(REGISTRY)}; B/param: bytes of state for each parameter of a matrix")
    else:
        print(found.hint)
    return 0 if found.entries else 1


def run_show(args: argparse.Namespace) -> int:
    """Print all that is known of one name."""
    name = re.sub(r"^(?:gc|gradchain)\.", "", args.name)
    if name in REGISTRY:
        about = of_factory(REGISTRY[name])
    elif name in NAMED:
        about = of_named(name)
    else:
        try:
            about = of_other(name, getattr(gc, name))
        except (AttributeError, ImportError) as error:
            said = str(error).replace("module 'gradchain' has no attribute", "there is no")
            raise UsageError(said) from None
    if args.json:
        output.as_json(about)
    else:
        _print(about)
    return 0


def of_factory(factory: Factory) -> dict[str, Any]:
    """What is known of a registered factory."""
    one: Entry = entry(factory)
    parameters = factory.signature.parameters.values()
    rows = [row for row in describe(example(factory.name), MATRIX).rows if row.slot and row.shape != ()]
    return {
        **dataclasses.asdict(one),
        "doc": inspect.getdoc(factory.fn) or "",
        "arguments": [
            {"name": p.name, "default": _default(p), "meaning": GLOSSARY.get(p.name, "")} for p in parameters
        ],
        "slots": [{"name": f"{r.link}.{r.slot}", "dtype": r.dtype, "bytes": r.total_bytes} for r in rows],
        "snippet": snippet(factory),
    }


def of_named(name: str) -> dict[str, Any]:
    """What is known of a schedule or a codec."""
    made: Any = NAMED[name]
    arguments = [
        {"name": f.name, "default": None if f.default is dataclasses.MISSING else values.text(f.default),
         "meaning": ""}
        for f in dataclasses.fields(made)
    ]  # fmt: skip
    kind = "schedule" if name in gc.SCHEDULES else "codec"
    return {"name": name, "kind": kind, "doc": inspect.getdoc(made) or "", "arguments": arguments}


def of_other(name: str, found: Any) -> dict[str, Any]:
    """What is known of another public name."""
    try:
        signature = str(inspect.signature(found)) if callable(found) else ""
    except ValueError:
        signature = ""
    kind = "module" if inspect.ismodule(found) else "class" if inspect.isclass(found) else "function"
    return {"name": name, "kind": kind, "signature": signature, "doc": inspect.getdoc(found) or ""}


def _default(p: inspect.Parameter) -> str | None:
    if p.kind is p.VAR_POSITIONAL:
        return "any number"
    return None if p.default is p.empty else values.text(p.default)


def _print(about: dict[str, Any]) -> None:
    head = [about["kind"], *filter(None, (about.get("family"), about.get("paper")))]
    print(f"{about['name']}{about.get('signature', '')}  ({', '.join(head)})\n\n{_folded(about['doc'])}")
    if given := about.get("arguments"):
        rows = [(a["name"], "needed" if a["default"] is None else a["default"], a["meaning"]) for a in given]
        print()
        output.table(("argument", "default", "meaning"), rows)
    if "state" not in about:
        return
    held = ", ".join(f"{s['name']} ({s['dtype']})" for s in about["slots"])
    lines = [("state", f"{text.number(about['state'])} bytes for each parameter of a float32 matrix"),
             ("", f"with the example's arguments: {held}" if held else ""),
             ("update needs", ", ".join(about["needs"]) or "gradients alone"),
             ("near", ", ".join(about["near"]))]  # fmt: skip
    print()
    for name, what in lines:
        if what:
            print(_hung(f"{name:12}  ", what))
    print(f"\nTo try it:\n\n{textwrap.indent(about['snippet'], '    ')}")


def _folded(doc: str) -> str:
    """A docstring whose lines fit the terminal; a sentence that is folded goes on into its next line."""
    found, rest = [], ""
    for line in doc.splitlines():
        if rest and not (line[:1].islower() and " = " not in line[:20]):
            found, rest = [*found, rest], ""
        line = f"{rest} {line}".rstrip() if rest else line
        if len(line) <= output.columns():
            found, rest = [*found, line], ""
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        *lines, rest = _hung(indent, line.strip()).splitlines()
        found += lines
    return "\n".join([*found, rest] if rest else found)


def _hung(start: str, what: str) -> str:
    return textwrap.fill(
        what, max(output.columns(), 40), initial_indent=start, subsequent_indent=" " * len(start),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
