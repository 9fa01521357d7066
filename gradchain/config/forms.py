"""The forms of a configuration: what a mapping of one name means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradchain.core.transform import REGISTRY, Transform
from gradchain.schedules import SCHEDULES
from gradchain.storage.codecs import CODECS

NAMED: dict[str, Any] = SCHEDULES | CODECS  # values that have a name and arguments
FORMS = ("tunable", "regex", "dtype", "mapping")


def is_form(value: Any) -> bool:
    """Whether a mapping means a thing by its name, rather than being a mapping of the user's."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((name, inside),) = value.items()
    known = name in NAMED or (
        name in REGISTRY and (isinstance(inside, Mapping) or bool(REGISTRY[name].variadic))
    )
    return name in FORMS or known


def holds_transforms(sample: Any) -> bool:
    """Whether an argument, going by its factory's example, is a mapping of transformations."""
    return isinstance(sample, Mapping) and any(isinstance(v, Transform) for v in sample.values())
