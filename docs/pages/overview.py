"""The overview: every algorithm in one table, to sort and to filter; schedules and losses."""

from __future__ import annotations

import html
import inspect
import re

import gradchain as gc
from docs.pages import docstring, facts, small
from gradchain import losses


def first(name: str) -> str:
    """The first line of a docstring as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(facts.first(name), quote=False))


def _cells(name: str) -> str:
    about = facts.entry(name)
    papers = ", ".join(
        f'<a href="{address}">{html.escape(text.removeprefix("arXiv:"))}</a>'
        if address
        else html.escape(text)
        for text, address in facts.papers(about.paper)
    )
    state, shown = facts.digits(about.state), name.replace("_", "_<wbr>")
    return (
        f'<tr data-kind="{about.kind}" data-family="{about.family}">'
        f'<td><a href="{name}/"><code>{shown}</code></a></td><td>{about.kind}</td><td>{about.family}</td>'
        f'<td class="gc-number" data-value="{about.state}">{state}</td><td>{", ".join(about.needs)}</td>'
        f"<td>{papers}</td><td>{first(name)}</td></tr>"
    )


def page() -> str:
    """The overview as Markdown."""
    head = ("name", "kind", "family", "state", "needs", "source", "what it does")
    columns = "".join(f'<th><button type="button">{text}</button></th>' for text in head)
    rows = "\n".join(_cells(name) for name in sorted(gc.REGISTRY))
    families = "".join(
        f"<option>{family}</option>" for family in sorted({f.family for f in gc.REGISTRY.values()})
    )
    kinds = "".join(f"<option>{kind}</option>" for kind in ("optimizer", "transform", "wrapper"))
    return f"""---
hide: [toc]
---

# All algorithms

{len(gc.REGISTRY)} registered optimizers, transforms and wrappers, each with a page: its rule, arguments,
state, a picture of its path, a program. State is bytes for each parameter of a float32 matrix; a wrapper's
are its own. Press a heading to sort.
`gc.search("spikes")` finds the same from Python.

<div class="gc-filter" markdown="0">
<input type="search" placeholder="filter: muon, sign, 2405 ..." aria-label="Filter the algorithms">
<select aria-label="Kind"><option value="">every kind</option>{kinds}</select>
<select aria-label="Family"><option value="">every family</option>{families}</select>
<output></output>
</div>

<div class="gc-all" markdown="0">
<table>
<thead><tr>{columns}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>

## Schedules

{_list("schedules", sorted(gc.SCHEDULES))}

## Losses

{_list("losses", small.loss_names())}
"""


def _list(folder: str, names: list[str]) -> str:
    lines = []
    for name in names:
        doc = inspect.getdoc(gc.SCHEDULES[name] if folder == "schedules" else getattr(losses, name)) or ""
        said = docstring.inline(doc.split("\n")[0], (), small.link, letters=False)
        lines.append(f"- [`{name}`](../{folder}/{name}.md): {said}")
    return "\n".join(lines)


def gallery() -> str:
    """Thumbnails of the paths of all optimizers that have one of their own, by family."""
    from docs.pages import paths, pictures

    kept, out, seen = paths.read(), [], set()
    for family in sorted({f.family for f in gc.REGISTRY.values()}):
        shown = []
        for name in sorted(gc.REGISTRY):
            factory, one = gc.REGISTRY[name], kept.get(name, {})
            if (
                factory.family == family
                and factory.kind != "transform"
                and "d" in one
                and one["d"] not in seen
            ):
                seen.add(one["d"])
                picture = docstring.mark(pictures.path(name, one, small=True))
                shown.append(
                    f'<a class="gc-thumb" href="../algorithms/{name}/">{picture}<span>{name}</span></a>'
                )
        if shown:
            out.append(
                f"## {family.capitalize().replace('_', ' ')}\n\n"
                f'<div class="gc-thumbs" markdown="0">{"".join(shown)}</div>'
            )
    return "\n\n".join(out)
