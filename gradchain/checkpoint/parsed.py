"""JSON that anybody may have written: any fault of it is a ValueError."""

from __future__ import annotations

import json
import math
import re
from typing import Any


def parse(text: str | bytes) -> Any:
    """A JSON value; no key may stand twice, and nothing nest too deep."""
    try:
        return json.loads(text, object_pairs_hook=_table)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _is_number(x: Any) -> bool:
    return type(x) is int and 0 <= x < 1 << 63


def _is_texts(x: Any) -> bool:
    return isinstance(x, dict) and all(isinstance(v, str) for v in x.values())


def _is_arrays(x: Any) -> bool:
    return isinstance(x, dict) and all(map(_is_array, x.values()))


def _is_array(x: Any) -> bool:
    return (
        isinstance(x, dict)
        and all(isinstance(x.get(k), str) for k in ("dtype", "sum"))
        and isinstance(x.get("key", ""), str)
        and isinstance(x.get("shape"), list)
        and all(map(_is_number, x["shape"]))
        and bool(DTYPE.fullmatch(x["dtype"]))
        and math.prod(x["shape"]) < 1 << 62
    )


DTYPE = re.compile(
    r"bool|u?int(1|2|4|8|16|32|64)|bfloat16|float(16|32|64)|float[468]_e\w{1,20}|complex(64|128)|key<\w{1,20}>"
)
# What a description must hold, and what it may hold; fields of later versions are let through.
NEEDED = {"arrays": (_is_arrays, "arrays with dtype, shape and sum")}
OPTIONAL = {
    "optimizer": (lambda x: isinstance(x, str), "a text"),
    "config": (lambda x: x is None or isinstance(x, dict), "a table or null"),
    "codecs": (lambda x: x is None or _is_texts(x), "a table of texts or null"),
    "step": (lambda x: x is None or _is_number(x), "an integer or null"),
}


def described(found: Any) -> dict[str, Any]:
    """The description of a checkpoint, if its fields are what they should be, or else a ValueError."""
    if not isinstance(found, dict):
        raise ValueError("it is no table")
    for name, (right, expected) in (NEEDED | OPTIONAL).items():
        if name not in found and name in OPTIONAL:
            continue
        if not right(found.get(name)):
            raise ValueError(f"its field {name!r} is {json.dumps(found.get(name))[:80]}; expected {expected}")
    return found
