"""`optax.contrib`, see gradchain.optax."""

from typing import TYPE_CHECKING

from gradchain import contrib
from gradchain.optax import special, types
from gradchain.optax.surface import faces

if TYPE_CHECKING:
    from gradchain.contrib import *
else:
    globals().update(faces(contrib) | special.names(contrib) | types.names(contrib))

__all__ = contrib.__all__
