"""Packages that gradchain does not need at run time: imported in the function that uses one."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a Transform is what functions take that are annotated for Optax, as Flax's are
    from optax import GradientTransformationExtraArgs as Pair
else:
    Pair = object


def package(name: str, extra: str, who: str) -> ModuleType:
    """The module `name`, for the function `who`; an error that says which extra has it where it is absent."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or name.split(".")[0] != error.name.split(".")[0]:
            raise  # it is there, and something that it needs is not
        missing = name.split(".")[0]
        raise ImportError(
            f"{who} needs the package {missing}, which is not installed: pip install 'gradchain[{extra}]'"
        ) from None
