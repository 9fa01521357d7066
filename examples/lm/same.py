"""What a run is made of, and whether one that is resumed would go on as it began."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradchain as gc
from lm import UserError, flags
from lm.checkpoint import SECTIONS
from lm.data import Corpus
from lm.model import ModelConfig


def config_of(
    args: Any, sizes: ModelConfig, tx: gc.Transform, corpus: Corpus, *order: str
) -> dict[str, dict[str, Any]]:
    """The config of a run; `order` are the flags that say which numbers come in which step."""
    return {
        "flags": flags.to_remember(args),
        "model": dataclasses.asdict(sizes),
        "optimizer": gc.to_config(tx),
        "text": corpus.fingerprint,
        "order": {name: getattr(args, name) for name in order},
    }


def check_same(stored: dict, current: dict, folder: Path, given: str) -> None:
    """Raise where a run would not go on as it began, naming the first difference; `given` are its flags."""
    for section in SECTIONS[1:]:
        for path, was, now in differences(stored[section], current[section], section):
            raise UserError(
                f"--resume: the checkpoint in {folder} has another {section}: {path} is {brief(was)} there "
                f"and {brief(now)} here; "
                + (f"leave out {given}, or " if given else "")
                + "start anew in another --out"
            )


def differences(a: Any, b: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict) and (a.keys() == b.keys() or len(a) > 1):
        for key in dict.fromkeys([*a, *b]):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from differences(x, y, f"{path}[{i}]")
    elif a != b:
        yield path, a, b


def brief(value: Any) -> str:
    """A JSON value on part of a line; of a config of something, its name."""
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value))
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
