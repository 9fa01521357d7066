"""Put the results into docs/benchmarks.md: python -m benchmarks.docs

Between `<!-- results: trace -->` and `<!-- end -->` come the tables of benchmarks/results/trace*.csv and the
figures of the same names, with `<!-- results: trace | name seconds -->` these columns of them; `*` takes what
no other section does.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import RESULTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
SECTION = re.compile(
    r"(?P<begin><!-- results: (?P<name>\S+)(?: \| (?P<columns>[\w ]+?))? -->\n).*?(?P<end><!-- end -->)",
    re.DOTALL,
)
NOTHING = "*No results are kept here yet.*"


def number(cell: str) -> float | None:
    """What a cell holds if that is a number."""
    try:
        return float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """A cell as the table has it: at most four digits that count, whole numbers as they are."""
    value = number(cell)
    if value is None or re.fullmatch(r"[+-]?\d+", cell):
        return cell
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(text: str, columns: Sequence[str] = ()) -> str:
    """A CSV as a table, numbers to the right; all columns, or those of the wanted ones that it has."""
    head, *rows = csv.reader(text.splitlines())
    at = [head.index(c) for c in columns if c in head] or list(range(len(head)))
    right = [all(number(row[i]) is not None for row in rows if row[i]) for i in at]
    body = [[head[i] for i in at], ["---:" if r else "---" for r in right]]
    body += [[shown(row[i]) for i in at] for row in rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in body)


def section(files: Sequence[Path], columns: Sequence[str] = ()) -> str:
    """The tables and figures of some result files, under their names."""
    parts = []
    for stem in sorted({file.stem for file in files}):
        title = stem.replace("_", " ")
        parts.append(f"**{title}**")
        for file in sorted(file for file in files if file.stem == stem):
            figure = f"![{title}](../benchmarks/results/{file.name})"
            parts.append(figure if file.suffix == ".png" else table(file.read_text("utf-8"), columns))
    return "\n\n".join(parts or [NOTHING])


def render(page: str, results: Path = RESULTS) -> str:
    """The page with all its sections filled from the results that there are."""
    files = sorted(f for f in results.glob("*") if f.suffix in (".csv", ".png")) if results.is_dir() else []
    names = [m["name"] for m in SECTION.finditer(page) if m["name"] != "*"]

    def owner(file: Path) -> str:
        return max((n for n in names if file.stem.startswith(n)), key=len, default="*")

    def fill(match: re.Match) -> str:
        mine = [f for f in files if owner(f) == match["name"]]
        inside = section(mine, (match["columns"] or "").split())
        if match["name"] == "*":
            inside = f"## Others\n\n{inside}" if mine else ""
        return f"{match['begin']}\n{inside}\n\n{match['end']}" if inside else match["begin"] + match["end"]

    return SECTION.sub(fill, page)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
