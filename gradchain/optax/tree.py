"""`optax.tree`: see gradchain.tree."""

from gradchain import tree_map_params as map_params
from gradchain.tree import *
from gradchain.tree import __all__ as __all__
