"""`optax.perturbations`: see gradchain.perturbations."""

from gradchain.perturbations import *
from gradchain.perturbations import __all__ as __all__
