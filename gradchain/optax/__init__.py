"""Optax's surface: its names, signatures, numbers and form of the state, on gradchain's algorithms.

    import gradchain.optax as optax

A program written for Optax runs with this one import changed. What a factory returns is an instance of
Optax's own GradientTransformationExtraArgs, where Optax is installed; `tx.transform` is gradchain's
transform, whose state is a dict of links: tx.flat(state, params) gives it, tx.formed(flat, params) Optax's
form again. Functions of gradchain (`describe`, `save`, `load_state`, ...) take either.
"""

from typing import TYPE_CHECKING

import gradchain
from gradchain import absent
from gradchain.optax import (
    aliases,
    assignment,
    contrib,
    experimental,
    losses,
    microbatching,
    perturbations,
    projections,
    schedules,
    second_order,
    special,
    transforms,
    tree,
    tree_utils,
    types,
)
from gradchain.optax.surface import Transformation as Transformation
from gradchain.optax.surface import faces

_NAMESPACES = (
    *("assignment", "contrib", "experimental", "losses", "microbatching", "perturbations", "projections"),
    *("schedules", "second_order", "transforms", "tree", "tree_utils", "types"),
)

if TYPE_CHECKING:
    from gradchain import *
else:
    _here = dict(globals())
    globals().update(faces(gradchain) | special.names(gradchain) | types.names(gradchain))
    globals().update({name: _here[name] for name in _NAMESPACES})

    def __getattr__(name: str):
        raise absent.missing(name, __all__, __name__)


__all__ = list(gradchain.__all__)
