"""Transforms within objects of another form, such as Optax's pairs, as functions of transforms see them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gradchain.core.transform import Transform

P = ParamSpec("P")
R = TypeVar("R")
STATES = ("state", "saved")


def opens(f: Callable[P, R]) -> Callable[P, R]:
    """Let a function of `tx` and its `state` take a transform in another form, and its state in that form.

    Such an object has the transform as `transform`, and flat(state, params) gives the state of links.
    """
    signature = inspect.signature(f)

    @functools.wraps(f)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return f(*args, **kwargs)  # which says what is wrong
        tx = bound.arguments.get("tx")
        if isinstance(tx, Transform) or not isinstance(getattr(tx, "transform", None), Transform):
            return f(*args, **kwargs)
        for name in STATES:
            if name in bound.arguments:
                params = bound.arguments.get("params")
                bound.arguments[name] = tx.flat(bound.arguments[name], params)  # pyright: ignore
        bound.arguments["tx"] = tx.transform  # pyright: ignore
        return f(*bound.args, **bound.kwargs)

    return call
