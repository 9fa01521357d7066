"""The safetensors format: a length, a header in JSON, and the arrays' bytes one after the other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

from gradchain.checkpoint.parsed import parse

# In the order of the package, which puts the last ones first. Arrays of other dtypes are written as bytes.
CODES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "complex64": "C64",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
RANK = {name: rank for rank, name in enumerate(CODES)}
NAMES = {code: name for name, code in CODES.items()}
LONGEST = 100_000_000  # bytes of a header that the package safetensors reads


class Tensor(NamedTuple):
    """One array of a file: how it is written, and where its bytes are, from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int = 0
    end: int = 0


def laid_out(arrays: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Tensor]:
    """Arrays by name, given as dtype and shape, in the file's order: large elements first, to align all."""
    found, at = {}, 0
    for name in sorted(arrays, key=lambda name: (-RANK[arrays[name][0]], name)):
        dtype, shape = arrays[name]
        size = jnp.dtype(dtype).itemsize * math.prod(shape)
        found[name] = Tensor(dtype, tuple(shape), at, at + size)
        at += size
    return found


def header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The first part of a file: the length of its JSON, and the JSON."""
    rows: dict[str, Any] = {"__metadata__": dict(metadata)}
    for name, x in tensors.items():
        rows[name] = {"dtype": CODES[x.dtype], "shape": list(x.shape), "data_offsets": [x.start, x.end]}
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_header(text: bytes, room: int) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays and the metadata of a header, before `room` bytes; a ValueError where they do not fit."""
    rows = parse(text)
    if not isinstance(rows, dict):
        raise ValueError("its header is no table")
    metadata = rows.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in metadata.values()):
        raise ValueError("its metadata are no texts")
    found = {name: _tensor(name, row) for name, row in rows.items()}
    at = 0
    for name, x in sorted(found.items(), key=lambda item: (item[1].start, item[1].end)):
        size = jnp.dtype(x.dtype).itemsize * math.prod(x.shape)
        if x.start != at or x.end != at + size:
            raise ValueError(
                f"{name!r} ({x.dtype}{list(x.shape)}) is at bytes {x.start} to {x.end}, "
                f"not {at} to {at + size}"
            )
        at = x.end
    if at != room:
        raise ValueError(f"its arrays take {at} bytes, and {room} are there")
    return found, metadata


def _tensor(name: str, row: Any) -> Tensor:
    try:
        dtype, shape, (start, end) = NAMES[row["dtype"]], row["shape"], row["data_offsets"]
        if not all(type(n) is int and 0 <= n < 1 << 63 for n in (*shape, start, end)):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"its header does not describe {name!r}") from None
    return Tensor(dtype, tuple(shape), start, end)
