"""The sign of a momentum."""

from gradchain.rules.sign.focus import ScaleByFocusState, focus, scale_by_focus
from gradchain.rules.sign.lion import ScaleByLionState, lion, scale_by_lion
from gradchain.rules.sign.rprop import ScaleByRpropState, rprop, scale_by_rprop
from gradchain.rules.sign.signs import scale_by_sign, sign_sgd, signum
from gradchain.rules.sign.tiger import tiger

__all__ = [
    "ScaleByFocusState",
    "ScaleByLionState",
    "ScaleByRpropState",
    "focus",
    "lion",
    "rprop",
    "scale_by_focus",
    "scale_by_lion",
    "scale_by_rprop",
    "scale_by_sign",
    "sign_sgd",
    "signum",
    "tiger",
]
