"""A second moment for each element."""

from gradchain.rules.adaptive.adabound import adabound, scale_by_adabound
from gradchain.rules.adaptive.adadelta import ScaleByAdaDeltaState, adadelta, scale_by_adadelta
from gradchain.rules.adaptive.adagc import adagc
from gradchain.rules.adaptive.adagrad import ScaleByRssState, adagrad, scale_by_rss
from gradchain.rules.adaptive.adai import ScaleByAdaiState, adai, scale_by_adai
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
from gradchain.rules.adaptive.adamc import adamc, add_corrected_weights
from gradchain.rules.adaptive.adamod import ScaleByAdamodState, adamod, scale_by_adamod
from gradchain.rules.adaptive.adamp import adamp, scale_by_adamp
from gradchain.rules.adaptive.adan import AdanState, adan, scale_by_adan
from gradchain.rules.adaptive.adanorm import ScaleByAdanormState, adanorm, scale_by_adanorm
from gradchain.rules.adaptive.ademamix import (
    AdemamixState,
    SimplifiedAdemamixState,
    ademamix,
    scale_by_ademamix,
    scale_by_simplified_ademamix,
    simplified_ademamix,
)
from gradchain.rules.adaptive.adopt import adopt, scale_by_adopt
from gradchain.rules.adaptive.ano import ano, scale_by_ano
from gradchain.rules.adaptive.belief import (
    ScaleByBeliefState,
    acprop,
    adabelief,
    scale_by_acprop,
    scale_by_belief,
)
from gradchain.rules.adaptive.diffgrad import ScaleByDiffgradState, diffgrad, scale_by_diffgrad
from gradchain.rules.adaptive.kate import ScaleByKateState, kate, scale_by_kate
from gradchain.rules.adaptive.laprop import laprop, scale_by_laprop
from gradchain.rules.adaptive.madgrad import MadgradState, madgrad, scale_by_madgrad
from gradchain.rules.adaptive.novograd import ScaleByNovogradState, novograd, scale_by_novograd
from gradchain.rules.adaptive.optimistic_adam import optimistic_adam, optimistic_adam_v2
from gradchain.rules.adaptive.qhadam import qhadam, scale_by_qhadam
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
from gradchain.rules.adaptive.spam import ScaleBySpamState, scale_by_spam, spam, stable_spam
from gradchain.rules.adaptive.stable import scale_by_stable_adam, stable_adamw
from gradchain.rules.adaptive.yogi import scale_by_yogi, yogi

__all__ = [
    "AdanState",
    "AdemamixState",
    "MadgradState",
    "ScaleByAdaDeltaState",
    "ScaleByAdaiState",
    "ScaleByAdamState",
    "ScaleByAdamodState",
    "ScaleByAdanormState",
    "ScaleByAmsgradState",
    "ScaleByBeliefState",
    "ScaleByDiffgradState",
    "ScaleByKateState",
    "ScaleByNovogradState",
    "ScaleByRStdDevState",
    "ScaleByRectificationState",
    "ScaleByRmsState",
    "ScaleByRssState",
    "ScaleBySpamState",
    "SimplifiedAdemamixState",
    "acprop",
    "adabelief",
    "adabound",
    "adadelta",
    "adagc",
    "adagrad",
    "adai",
    "adam",
    "adamax",
    "adamaxw",
    "adamc",
    "adamod",
    "adamp",
    "adamw",
    "adan",
    "adanorm",
    "add_corrected_weights",
    "ademamix",
    "adopt",
    "amsgrad",
    "ano",
    "diffgrad",
    "kate",
    "laprop",
    "madgrad",
    "nadam",
    "nadamw",
    "novograd",
    "optimistic_adam",
    "optimistic_adam_v2",
    "qhadam",
    "radam",
    "rmsprop",
    "scale_by_acprop",
    "scale_by_adabound",
    "scale_by_adadelta",
    "scale_by_adai",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_adamod",
    "scale_by_adamp",
    "scale_by_adan",
    "scale_by_adanorm",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_amsgrad",
    "scale_by_ano",
    "scale_by_belief",
    "scale_by_diffgrad",
    "scale_by_kate",
    "scale_by_laprop",
    "scale_by_madgrad",
    "scale_by_novograd",
    "scale_by_qhadam",
    "scale_by_radam",
    "scale_by_rectification",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_simplified_ademamix",
    "scale_by_spam",
    "scale_by_stable_adam",
    "scale_by_stddev",
    "scale_by_yogi",
    "simplified_ademamix",
    "spam",
    "stable_adamw",
    "stable_spam",
    "yogi",
]
