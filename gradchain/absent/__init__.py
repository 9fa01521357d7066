"""What to write instead of a name that is not here: another library's, an old one, a misspelt one."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

from gradchain.absent.losses import LOSSES
from gradchain.absent.optax import OF_OPTAX, OF_TREE_UTILS
from gradchain.absent.optimizers import OPTIMIZERS, SCHEDULERS
from gradchain.core import words

TABLE: dict[str, tuple[str, str]] = {**LOSSES, **OPTIMIZERS, **SCHEDULERS, **OF_OPTAX}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The names that were meant: those of the same letters, else the nearest."""
    names = list(known)
    same = [n for n in names if _plain(n) == _plain(name)]
    return same or difflib.get_close_matches(name[: words.LIMIT], names, 3, 0.7)


def missing(
    name: str, known: Iterable[str], module: str = "gradchain", table: Mapping[str, tuple[str, str]] = TABLE
) -> Exception:
    """The error for a name that a module does not have, with an expression that does what was meant.

    AttributeError; ImportError for `from gradchain import Adam`, for which Python would drop the message.
    """
    text = f"module {module!r} has no attribute {words.show(name)}"
    if name.startswith("_"):
        return AttributeError(text)
    if name in table:
        expression, note = table[name]
        text += f"; write {expression}" + (f" ({note})" if note else "")
    elif near := [f"gc.{n}" if module == "gradchain" else n for n in _near(name, known)]:
        text += f"; did you mean {' or '.join(near)}?"
    frame = sys._getframe(2)
    imported = frame.f_code.co_name == "_handle_fromlist" and "importlib" in frame.f_code.co_filename
    if imported and ";" in text and not find_spec(f"{module}.{name}"):  # a folder may be imported next
        if name not in table:
            text = text.replace(f"module {module!r} has no attribute {words.show(name)}",
                                f"cannot import name {words.show(name)} from {module!r}")  # fmt: skip
        return ImportError(text, name=module)
    return AttributeError(text)


def missing_in_tree_utils(name: str, known: Iterable[str]) -> Exception:
    """The same for `gradchain.tree_utils`."""
    return missing(name, known, "gradchain.tree_utils", OF_TREE_UTILS)
