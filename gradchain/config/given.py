"""What a command line is given: an optimizer as an expression, JSON, YAML or a file of these."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gradchain.config.expression import from_repr
from gradchain.config.files import SUFFIXES, parse_yaml, read_file
from gradchain.config.place import ConfigError, parse
from gradchain.config.read import made_from
from gradchain.core import words
from gradchain.core.transform import Transform

FORMS = "an expression, JSON, a file .json or .yaml, or - for what is piped in"


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
        raise ConfigError(f"{words.plain(text)} is a {type(found).__name__}; expected an optimizer")
    return found
