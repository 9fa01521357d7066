"""Places in a configuration, errors that begin with them, and what is read at all: JSON text, bounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from gradchain.core import words

Json = Any


class ConfigError(ValueError):
    """A configuration that cannot be built; the message begins with the place, chain[1].adamw.eps."""


def fail(place: str, message: str, cause: BaseException | None = None) -> NoReturn:
    place, message = words.plain(place, 300), words.plain(message, 1000)
    raise ConfigError(f"{place}: {message}" if place else message) from cause


def reason(error: Exception, name: str) -> str:
    """What an error says, without the name that the place has already."""
    text = str(error).removeprefix(f"{name}: ")
    return text if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {text}"


def at(place: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else key


def near(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = words.near(name, known, 0.6)
    return f"did you mean {near}?" if near else f"expected one of {', '.join(known)}"


def parse(text: str, hint: str = "") -> Json:
    """JSON text; a ConfigError for what is none, is nested too deep, or has a key twice: with a hint."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            key = next(key for key, _ in pairs if key in seen or seen.add(key))
            message = f"the key {words.show(key)} stands twice in one mapping"
            raise ConfigError(message + hint)
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigError(f"nested more than {DEEPEST} deep") from error
    except ValueError as error:  # no JSON, or a number of more digits than Python reads
        raise ConfigError(f"not JSON: {words.plain(str(error), 300)}") from None


DEEPEST, MOST = 64, 10**6  # levels and values of a configuration
LARGEST = 2**127  # whole numbers beyond float32's


def bounded(config: Json) -> None:
    """Raise for what cannot be walked through or computed with: too deep, in a circle, no text for a key."""
    todo: list[tuple[Any, Any, int]] = [(config, None, 0)]  # value, (place of the parent, key), depth
    left = MOST
    while todo:
        value, where, depth = todo.pop()
        left -= 1
        if depth > DEEPEST:
            fail(spelt(where), f"nested more than {DEEPEST} deep, or contains itself")
        if left < 0:
            fail("", f"more than {MOST:,} values")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    fail(spelt(where), f"the key {words.show(key)} is no text")
            todo += [(v, (where, k), depth + 1) for k, v in value.items()]
        elif isinstance(value, list | tuple):
            todo += [(v, (where, i), depth + 1) for i, v in enumerate(value)]
        elif isinstance(value, int) and abs(value) > LARGEST:
            fail(spelt(where), f"found {words.show(value)}; expected a number below 1.7e38")


def spelt(where: Any) -> str:
    """The place of a value, from the chain of its keys."""
    keys = []
    while where is not None:
        where, key = where
        keys.append(key)
    place = ""
    for key in reversed(keys):
        place = at(place, key)
    return place


def show(value: Json) -> str:
    """A value as JSON, where it is small."""
    if isinstance(value, Mapping | list | tuple) and len(value) > 20:
        return words.show(value, 60)
    return words.plain(json.dumps(value, default=words.show), 60)
