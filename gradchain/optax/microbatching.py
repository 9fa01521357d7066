"""`optax.microbatching`: see gradchain.microbatching."""

from gradchain.microbatching import *
from gradchain.microbatching import __all__ as __all__
