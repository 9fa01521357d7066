"""Second moments kept as rows and columns."""

from gradchain.rules.factored.adafactor import (
    FactoredState,
    adafactor,
    scale_by_adafactor,
    scale_by_factored_rms,
    scale_by_param_block_rms,
)
from gradchain.rules.factored.sm3 import SM3State, scale_by_sm3, sm3

__all__ = [
    "FactoredState",
    "SM3State",
    "adafactor",
    "scale_by_adafactor",
    "scale_by_factored_rms",
    "scale_by_param_block_rms",
    "scale_by_sm3",
    "sm3",
]
