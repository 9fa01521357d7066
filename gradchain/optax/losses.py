"""`optax.losses`: see gradchain.losses."""

from typing import TYPE_CHECKING

from gradchain import losses
from gradchain.optax import special

if TYPE_CHECKING:
    from gradchain.losses import *
else:
    globals().update({name: getattr(losses, name) for name in losses.__all__} | special.names(losses))

__all__ = losses.__all__
