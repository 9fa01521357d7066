"""The page of a registered transform, optimizer or wrapper."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import gradchain as gc
from docs.pages import compared, docstring, facts, paths, pictures, problems, snippet

SHOWN_ORACLES = 6


@functools.cache
def kept_paths() -> Mapping[str, Any]:
    return paths.read()


def page_of(name: str) -> str:
    """Where the page of an algorithm is, from the root of the pages."""
    return f"algorithms/{name}.md"


def link(name: str) -> str:
    """`name` as a link: to its page where it is registered, else to the reference."""
    if name in gc.REGISTRY:
        return f"[`{name}`]({name}.md)"
    if name in gc.__all__ and not isinstance(getattr(gc, name), dict):
        return f"[`{name}`][gradchain.{name}]"
    return f"`{name}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> str:
    """A Markdown table; columns of numbers to the right."""
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    lines = [head, rule, *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "&#124;").replace("\n", " ") for c in line) + " |" for line in lines
    )


def page(name: str) -> str:
    """The page as Markdown."""
    factory, about = gc.REGISTRY[name], facts.entry(name)
    doc = factory.fn.__doc__ or ""
    names = frozenset(factory.signature.parameters)
    parts = [
        f"# {name}",
        f'<p class="gc-kind">{about.kind} · {about.family.replace("_", " ")}</p>',
        docstring.markdown(doc, names, link),
        _sources(name),
        _picture(name),
        "## Try it\n\n```python\n" + snippet.program(name, _where(name)) + "```",
        "## Arguments\n\n" + _arguments(name),
        "## State\n\n" + _state(name),
        _traffic(name),
        _needs(name),
        _oracle(name),
        _near(name),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sources(name: str) -> str:
    found = facts.papers(gc.REGISTRY[name].paper)
    if not found:
        return f"In the reference: [`gradchain.{name}`][gradchain.{name}]."
    shown = "; ".join(
        f"[{text}]({address})" if address else docstring.inline(text, letters=False)
        for text, address in found
    )
    cite = facts.citation(name)
    folded = '\n\n??? quote "BibTeX"\n\n' + _indented(f"```bibtex\n{cite}\n```") if cite else ""
    return f"Source: {shown}. In the reference: [`gradchain.{name}`][gradchain.{name}].{folded}"


def _indented(text: str) -> str:
    return "\n".join("    " + line if line else "" for line in text.split("\n"))


def _picture(name: str) -> str:
    kept = kept_paths().get(name)
    if kept is None:
        return ""
    if "why" in kept:
        return f"## Its path\n\nThere is no picture of it: {kept['why']}."
    same = next((n for n in ("sgd", "adam") if n != name and kept_paths()[n].get("d") == kept["d"]), None)
    if same and name not in (f"scale_by_{same}",):
        return f"## Its path\n\nOn a function of two variables it goes as {link(same)} does: see there."
    where = {
        "own": "the learning rate {rate:g}",
        "after": "`scale_by_learning_rate({rate:g})` after it",
        "before": "`sgd({rate:g})` before it",
        "none": "no rate to tune",
    }[kept["where"]].format(rate=kept["rate"] or 0)
    tuned = ", the best of powers of 2" if kept["rate"] else ""
    problem = problems.of(name)
    note = f" {docstring.inline(problem.note, letters=False)}" if problem.note else ""
    return (
        '## Its path\n\n<figure class="gc-figure" markdown="span">'
        f"{docstring.mark(pictures.path(name, kept))}<figcaption>{paths.STEPS} steps on "
        f"f(x, y) = {problem.formula}, from the circle; the cross is the minimum.{note} A dot is a step. "
        f"With {where}{tuned}; f is {kept['value']:g} at the end.</figcaption></figure>"
    )


def _where(name: str) -> str:
    return kept_paths().get(name, {}).get("where", "")


def _arguments(name: str) -> str:
    rows = [
        (
            f"`{argument}`",
            docstring.inline(said, letters=False),
            default,
            docstring.inline(meaning, letters=False),
        )
        for argument, said, default, meaning in facts.arguments(gc.REGISTRY[name])
    ]
    if not rows:
        return "It has none."
    if not any(row[1] for row in rows):
        return table(("argument", "default", "meaning"), [(a, d, m) for a, _, d, m in rows])
    return table(("argument", "values", "default", "meaning"), rows)


def _state(name: str) -> str:
    found = facts.state_bytes(name)
    if found["float32"] is None:
        return "Its state is another library's."
    slots = facts.slots(name)
    if not slots:
        return "It has no state."
    own = facts.entry(name).state
    cells = [f"{facts.digits(round(x, 4))}" if x is not None else "–" for x in found.values()]
    out = [
        "Bytes for each parameter of a float32 matrix of 1024 × 4096, with the arguments of the example; "
        "the storage is that of [`stored`](stored.md):",
        table(tuple(found), [tuple(cells)], tuple(range(len(cells)))),
    ]
    if facts.entry(name).kind == "wrapper":
        out.append(f"This is with the optimizer that it wraps; {own:g} of float32 are its own.")
    rows = [(f"`{link}`", f"`{slot}`", shape, dtype) for link, slot, shape, dtype in slots]
    out += ["What it keeps for that matrix:", table(("link", "slot", "shape", "dtype"), rows)]
    return "\n\n".join(out)


def _traffic(name: str) -> str:
    rows = facts.traffic(name)
    if not rows:
        return ""
    why = "; ".join(dict.fromkeys(row[4] for row in rows if row[4]))
    cells = [row[:4] for row in rows]
    shown = table(("compiled for", "moved", "least", "moved, log8"), cells, (1, 2, 3))
    more = f"\n\nMore than the least: {docstring.inline(why, letters=False)}." if why else ""
    return (
        "## Traffic\n\nBytes that one compiled step reads and writes for each parameter, from the compilers' "
        "programs ([how](../benchmarks.md)); least is each input read once and each output written once:"
        f"\n\n{shown}{more}"
    )


def _needs(name: str) -> str:
    needs = [facts.NEEDS[need] for need in facts.entry(name).needs]
    traits = [facts.TRAITS[trait] for trait in sorted(gc.REGISTRY[name].traits)]
    lines = [f"- `update` takes {need}." for need in needs] + [f"- {trait}" for trait in traits]
    return "## Needs\n\n" + "\n".join(lines) if lines else ""


def _oracle(name: str) -> str:
    found = compared.rows(name)
    if not found:
        why = docstring.inline(compared.reason(name), (), link, letters=False)
        return f"## Compared with\n\nNo other implementation's numbers: {why}."
    rows = [
        (
            row.by,
            *(f"{x:.2g}" for x in (row.difference, row.deviation, row.allowed)),
            docstring.inline(row.call, letters=False) if row.by.startswith("NumPy") else f"`{row.call}`",
            docstring.inline(row.note, letters=False),
        )
        for row in found[:SHOWN_ORACLES]
    ]
    noted = any(row[5] for row in rows)
    head = ("implementation", "difference", "relative", "allowed", "call", "note")
    shown = table(head[: 5 + noted], [row[: 5 + noted] for row in rows], (1, 2, 3))
    more = f"\n\nAnd {len(found) - SHOWN_ORACLES} more." if len(found) > SHOWN_ORACLES else ""
    part = "" if any(row.own for row in found) else " It is a part of what is run there."
    return (
        "## Compared with\n\nSteps of other implementations that a test holds it to, in float64: the largest "
        "difference of a number that was measured, the same relative to its size, and what the test allows "
        f"of that.{part}\n\n{shown}{more}"
    )


def _near(name: str) -> str:
    factory = gc.REGISTRY[name]
    near = [n for n in factory.near if n in gc.REGISTRY]
    back = [n for n, other in gc.REGISTRY.items() if name in other.near and n not in near]
    mentioned = [n for n in docstring.named(factory.fn.__doc__ or "") if n in gc.REGISTRY and n != name]
    rows = [
        (link(n), docstring.inline(facts.first(n), (), link, letters=False))
        for n in dict.fromkeys([*near, *mentioned, *back])
    ]
    return "## Compare\n\n" + table(("algorithm", "what it does"), rows[:10]) if rows else ""
