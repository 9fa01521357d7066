"""Second moments kept as rows and columns."""

from gradchain.rules.factored.adafactor import (
    FactoredState,
    adafactor,
    scale_by_adafactor,
    scale_by_factored_rms,
    scale_by_param_block_rms,
)

__all__ = [
    "FactoredState",
    "adafactor",
    "scale_by_adafactor",
    "scale_by_factored_rms",
    "scale_by_param_block_rms",
]
