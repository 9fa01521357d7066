"""A second moment for each element."""

from gradchain.rules.adaptive.adadelta import ScaleByAdaDeltaState, adadelta, scale_by_adadelta
from gradchain.rules.adaptive.adagrad import ScaleByRssState, adagrad, scale_by_rss
from gradchain.rules.adaptive.adam import (
    ScaleByAdamState,
    ScaleByAmsgradState,
    adam,
    adamw,
    amsgrad,
    nadam,
    nadamw,
    scale_by_adam,
    scale_by_amsgrad,
)
from gradchain.rules.adaptive.adamax import adamax, adamaxw, scale_by_adamax
from gradchain.rules.adaptive.adan import AdanState, adan, scale_by_adan
from gradchain.rules.adaptive.ademamix import (
    AdemamixState,
    SimplifiedAdemamixState,
    ademamix,
    scale_by_ademamix,
    scale_by_simplified_ademamix,
    simplified_ademamix,
)
from gradchain.rules.adaptive.adopt import adopt, scale_by_adopt
from gradchain.rules.adaptive.belief import (
    ScaleByBeliefState,
    acprop,
    adabelief,
    scale_by_acprop,
    scale_by_belief,
)
from gradchain.rules.adaptive.madgrad import MadgradState, madgrad, scale_by_madgrad
from gradchain.rules.adaptive.novograd import ScaleByNovogradState, novograd, scale_by_novograd
from gradchain.rules.adaptive.optimistic_adam import optimistic_adam, optimistic_adam_v2
from gradchain.rules.adaptive.radam import (
    ScaleByRectificationState,
    radam,
    scale_by_radam,
    scale_by_rectification,
)
from gradchain.rules.adaptive.rmsprop import (
    ScaleByRmsState,
    ScaleByRStdDevState,
    rmsprop,
    scale_by_rms,
    scale_by_stddev,
)
from gradchain.rules.adaptive.yogi import scale_by_yogi, yogi

__all__ = [
    "AdanState",
    "AdemamixState",
    "MadgradState",
    "ScaleByAdaDeltaState",
    "ScaleByAdamState",
    "ScaleByAmsgradState",
    "ScaleByBeliefState",
    "ScaleByNovogradState",
    "ScaleByRStdDevState",
    "ScaleByRectificationState",
    "ScaleByRmsState",
    "ScaleByRssState",
    "SimplifiedAdemamixState",
    "acprop",
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "adan",
    "ademamix",
    "adopt",
    "amsgrad",
    "madgrad",
    "nadam",
    "nadamw",
    "novograd",
    "optimistic_adam",
    "optimistic_adam_v2",
    "radam",
    "rmsprop",
    "scale_by_acprop",
    "scale_by_adadelta",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adan",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_amsgrad",
    "scale_by_belief",
    "scale_by_madgrad",
    "scale_by_novograd",
    "scale_by_radam",
    "scale_by_rectification",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_simplified_ademamix",
    "scale_by_stddev",
    "scale_by_yogi",
    "simplified_ademamix",
    "yogi",
]
