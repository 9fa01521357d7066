"""`optax.projections`: see gradchain.projections."""

from gradchain.projections import *
from gradchain.projections import __all__ as __all__
