"""`optax.second_order`: see gradchain.second_order."""

from gradchain.second_order import *
from gradchain.second_order import __all__ as __all__
