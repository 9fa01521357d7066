"""Programs written for Optax beside themselves with one import changed, as tabs of docs/optax.md."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples" / "from_optax"
HERE, THERE = "import gradchain.optax as optax", "import optax"  # the line that differs


def programs() -> list[str]:
    """The names of the programs."""
    return sorted(file.stem for file in FOLDER.glob("*.py"))


def source(name: str, library: str = "gradchain") -> str:
    """A program's text, for gradchain as it is in its file, or for Optax."""
    text = (FOLDER / f"{name}.py").read_text("utf-8")
    if text.count(f"\n{HERE}\n") != 1:
        raise ValueError(f"examples/from_optax/{name}.py: expected the line {HERE!r} once")
    return text.replace(f"\n{HERE}\n", f"\n{THERE}\n") if library == "Optax" else text


def tabs(name: str) -> str:
    """Both texts of a program, one tab each, with the line that differs marked."""
    made = []
    for library, line in (("Optax", THERE), ("gradchain", HERE)):
        code = source(name, library).rstrip().split("\n")
        marked = code.index(line) + 1
        block = [f'```python hl_lines="{marked}"', *code, "```"]
        made.append("\n".join([f'=== "{library}"', "", *(f"    {row}".rstrip() for row in block)]))
    return "\n\n".join(made)
