"""Print the lowest versions that pyproject.toml promises, as constraints for pip: jax==0.10.2, one a line.

Of what the library needs and of what its extras bring, but not of tools, which the newest of is always right.
"""

import re
import tomllib
from pathlib import Path

TOOLS = {"docs", "test"}  # extras


def lowest(pyproject: str) -> list[str]:
    """The lower bounds of the dependencies and extras in the text of a pyproject.toml, as exact versions."""
    project = tomllib.loads(pyproject)["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k not in TOOLS}
    needed = [*project["dependencies"], *(x for requirements in extras.values() for x in requirements)]
    bounds = (re.match(r"([\w.-]+)(?:\[.*?\])?\s*>=\s*([\w.]+)", x) for x in needed)
    return sorted({f"{found[1]}=={found[2]}" for found in bounds if found})


if __name__ == "__main__":
    print(*lowest((Path(__file__).parent.parent / "pyproject.toml").read_text()), sep="\n")
