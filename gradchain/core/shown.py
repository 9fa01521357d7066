"""What notebooks show of a value; folders above the core enter what they know of a class."""

from __future__ import annotations

import functools
import html as entities
from typing import Any


@functools.singledispatch
def html(value: Any) -> str:
    """A value as HTML: its text, unless something better is entered for its class."""
    return f"<pre>{entities.escape(repr(value))}</pre>"
