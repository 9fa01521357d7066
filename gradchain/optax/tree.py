"""`optax.tree`: see gradchain.tree."""

from gradchain.tree import *
from gradchain.tree import __all__ as __all__
