"""`optax.losses`: see gradchain.losses."""

from gradchain.losses import *
from gradchain.losses import __all__ as __all__
