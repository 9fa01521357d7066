"""`optax.tree_utils`: see gradchain.tree_utils."""

from gradchain import tree_map_params as tree_map_params
from gradchain.tree_utils import *
from gradchain.tree_utils import __all__ as __all__
