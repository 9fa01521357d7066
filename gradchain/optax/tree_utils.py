"""`optax.tree_utils`: see gradchain.tree_utils."""

from gradchain.tree_utils import *
from gradchain.tree_utils import __all__ as __all__
