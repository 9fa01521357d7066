"""Packages that gradchain works with but does not need, imported where they are used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a Transform is what functions take that are annotated for Optax, as Flax's are
    from optax import GradientTransformationExtraArgs as Pair
else:
    Pair = object


def need(module: str, extra: str, who: str, package: str = "") -> Any:
    """A module of an optional package; where it is absent an error that names the extra to install.

    `package` is what pip calls it, where that is not the module's first name.
    """
    top = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != top:
            raise  # the package is there, and something that it needs is not
        raise ImportError(
            f"{who} needs the package {package or top}, which is not installed: "
            f"pip install 'gradchain[{extra}]', or pip install {package or top}"
        ) from None
