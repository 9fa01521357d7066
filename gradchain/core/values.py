"""Keys of arguments: equality, hashing and text for whatever a factory was called with."""

from __future__ import annotations

import dataclasses
import itertools
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gradchain.core import hyper


def as_dtype(value: Any) -> np.dtype | None:
    """The dtype that a value names other than by text, as jnp.bfloat16 and numpy.dtype("bfloat16") do."""
    if isinstance(value, np.dtype):
        return value
    found = getattr(value, "dtype", None) if type(value) is type(jnp.float32) else None
    if isinstance(found, np.dtype):
        return found
    return np.dtype(value) if isinstance(value, type) and issubclass(value, np.generic) else None


def key(value: Any) -> Any:
    """A hashable stand-in that is equal for equal values; 1, 1.0 and True differ, as their programs do."""
    if value is None or isinstance(value, str | bool | int | float | complex):
        return (type(value).__name__, value)
    if (dtype := as_dtype(value)) is not None:
        return ("dtype", dtype.name)
    if isinstance(value, Mapping):
        return ("dict", tuple(sorted((str(k), key(v)) for k, v in value.items())))
    if isinstance(value, list | tuple):
        return ("list", tuple(key(v) for v in value))
    if isinstance(value, Tracer):
        return ("tracer", id(value))
    if hyper.is_array(value):
        array = np.asarray(value)
        return ("array", array.shape, str(array.dtype), array.tobytes())
    if recipe := getattr(value, "recipe", None):  # a transform: its body holds what the recipe makes
        return recipe.key
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = tuple((f.name, key(getattr(value, f.name))) for f in dataclasses.fields(value) if f.compare)
        return (type(value), fields)
    try:
        hash(value)
    except TypeError:
        leaves, treedef = jax.tree.flatten(value)
        if len(leaves) == 1 and leaves[0] is value:  # a set, say: equal to itself alone
            return ("object", id(value))
        return (treedef, tuple(key(leaf) for leaf in leaves))
    return value


def text(value: Any) -> str:
    """Source text of a value: it evaluates back with gradchain's names, re and jnp in scope."""
    if isinstance(value, re.Pattern):
        return (
            f"re.compile({value.pattern!r})"
            if value.flags == 32
            else f"re.compile({value.pattern!r}, {value.flags})"
        )
    if (dtype := as_dtype(value)) is not None:
        return f"jnp.dtype({dtype.name!r})"
    if isinstance(value, Tracer):
        return str(value)
    if hyper.is_array(value):
        return f"jnp.asarray({np.asarray(value).tolist()!r}, {str(value.dtype)!r})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(text, value)) + (",)" if len(value) == 1 else ")")
    if callable(value) and hasattr(value, "__qualname__") and not isinstance(value, type):
        return value.__qualname__
    if (recipe := getattr(value, "recipe", None)) and callable(getattr(value, "init", None)):
        return repr(recipe)  # a transform, in one line
    return repr(value)


WIDTH = 100  # columns of a transform's text
PIECE = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([(\[{])|([)\]}])|(,)""")


def laid_out(source: str, width: int = WIDTH) -> str:
    """An expression of one line over several where it is wider: what its last brackets hold, indented."""
    if len(source) <= width:
        return source
    depth, begin, cuts = 0, 0, []
    for piece in PIECE.finditer(source):
        if piece[2]:
            depth += 1
            if depth == 1:
                begin, cuts = piece.end(), [piece.end()]
        elif piece[3]:
            depth -= 1
            if depth == 0:
                cuts.append(piece.end())
        elif piece[4] and depth == 1:
            cuts.append(piece.end())
    if len(cuts) < 2 or cuts[-1] != len(source) or depth:  # no brackets that end it
        return source
    parts = [source[i : j - 1].strip() for i, j in itertools.pairwise(cuts)]
    called = begin > 1 and (source[begin - 2].isalnum() or source[begin - 2] == "_")
    inside = [textwrap.indent(laid_out(part, width - 5), "    ") for part in parts if part]
    end = "," if called or len(parts) > 1 or source[begin - 1] != "(" else ""
    return "\n".join([source[:begin], ",\n".join(inside) + end, source[-1]])
