"""What commands are given: optimizers as expressions, JSON, YAML and files; parameters by their shapes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import jax

from gradchain.catalogue.search import MATRIX
from gradchain.config.expression import from_repr
from gradchain.config.files import SUFFIXES, parse_yaml, read_file
from gradchain.config.place import ConfigError, parse
from gradchain.config.read import made_from
from gradchain.core import words
from gradchain.core.transform import Transform

FORMS = "an expression, JSON, a file .json or .yaml, or - for what is piped in"
SHORT = re.compile(r"([^=,]+)=(\d+(?:x\d+)*)(?::(\w+))?")


class UsageError(ValueError):
    """Arguments that cannot be read, or that do not fit each other."""


def made(text: str) -> Any:
    """The optimizer or schedule that a text or file describes."""
    if text == "-":
        text = sys.stdin.read()
        if (
            ": " in text and "(" not in text and "{" not in text
        ):  # no expression has a colon outside of braces
            return made_from(parse_yaml(text))
    elif Path(text).suffix.lower() in SUFFIXES and "(" not in text:
        config = read_file(text)
        try:
            return made_from(config)
        except ConfigError as error:
            raise ConfigError(f"{text}: {error}") from error
    return made_from(parse(text)) if text.lstrip()[:1] in ("{", "[") else from_repr(text)


def optimizer(text: str) -> Transform:
    """The optimizer that a text or file describes."""
    found = made(text)
    if not isinstance(found, Transform):
        raise UsageError(f"{words.plain(text)} is a {type(found).__name__}; expected an optimizer")
    return found


def shapes(text: str | None) -> Any:
    """Abstract parameters: of a file as gradchain.aot reads, of JSON, of kernel=8x4,bias=4; or one matrix."""
    from gradchain.aot import model

    if text is None:
        return MATRIX
    try:
        inline = text if text.lstrip().startswith("{") else _inline(text)
        leaves = model.read(inline if inline else Path(text).read_text(encoding="utf-8"))
    except model.ShapesError as error:
        raise UsageError(f"--shapes {words.plain(text)}: {error}") from error
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype),
        leaves,
        is_leaf=lambda x: isinstance(x, model.Leaf),
    )


def _inline(text: str) -> str:
    """The JSON of kernel=1024x4096,bias=4096:bfloat16; nothing where a file is named."""
    if "=" not in text:
        return ""
    found = [SHORT.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise UsageError(
            f"--shapes {words.plain(text)}: expected a file SHAPES.json, JSON, or "
            "kernel=1024x4096,bias=4096:bfloat16"
        )
    return json.dumps({
        m[1]: {"shape": [int(n) for n in m[2].split("x")], "dtype": m[3] or "float32"} for m in found if m
    })  # fmt: skip
