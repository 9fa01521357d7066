"""Second moments kept as rows and columns, or as one number for many elements."""

from gradchain.rules.factored.adafactor import (
    FactoredState,
    adafactor,
    scale_by_adafactor,
    scale_by_factored_rms,
    scale_by_param_block_rms,
)
from gradchain.rules.factored.adam_mini import (
    ScaleByAdamMiniState,
    adam_mini,
    scale_by_adam_mini,
    slim_adam,
)
from gradchain.rules.factored.came import ScaleByCameState, came, scale_by_came
from gradchain.rules.factored.racs import ScaleByRacsState, racs, scale_by_racs
from gradchain.rules.factored.sm3 import SM3State, scale_by_sm3, sm3

__all__ = [
    "FactoredState",
    "SM3State",
    "ScaleByAdamMiniState",
    "ScaleByCameState",
    "ScaleByRacsState",
    "adafactor",
    "adam_mini",
    "came",
    "racs",
    "scale_by_adafactor",
    "scale_by_adam_mini",
    "scale_by_came",
    "scale_by_factored_rms",
    "scale_by_param_block_rms",
    "scale_by_racs",
    "scale_by_sm3",
    "slim_adam",
    "sm3",
]
