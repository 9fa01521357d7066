"""`optax.assignment`: see gradchain.assignment."""

from gradchain.assignment import *
from gradchain.assignment import __all__ as __all__
