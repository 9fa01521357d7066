"""The algorithms: one file per family, each its state, its kernel and its optimizer."""

from gradchain.rules import (
    adaptive,
    curvature,
    factored,
    layerwise,
    matrix,
    momentum,
    parts,
    proximal,
    rate_free,
    sign,
    variance,
)
from gradchain.rules.adaptive import *
from gradchain.rules.curvature import *
from gradchain.rules.factored import *
from gradchain.rules.layerwise import *
from gradchain.rules.matrix import *
from gradchain.rules.momentum import *
from gradchain.rules.parts import *
from gradchain.rules.proximal import *
from gradchain.rules.rate_free import *
from gradchain.rules.sign import *
from gradchain.rules.variance import *

__all__ = []
__all__ += adaptive.__all__
__all__ += curvature.__all__
__all__ += factored.__all__
__all__ += layerwise.__all__
__all__ += matrix.__all__
__all__ += momentum.__all__
__all__ += parts.__all__
__all__ += proximal.__all__
__all__ += rate_free.__all__
__all__ += sign.__all__
__all__ += variance.__all__
