"""`optax.transforms`, see gradchain.optax."""

from typing import TYPE_CHECKING

from gradchain import transforms
from gradchain.optax import special, types
from gradchain.optax.surface import faces

if TYPE_CHECKING:
    from gradchain.transforms import *
else:
    globals().update(faces(transforms) | special.names(transforms) | types.names(transforms))

__all__ = transforms.__all__
