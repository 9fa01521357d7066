"""A second moment for each element."""

from gradchain.rules.adaptive.adadelta import adadelta, scale_by_adadelta
from gradchain.rules.adaptive.adagrad import adagrad, scale_by_rss
from gradchain.rules.adaptive.adam import adam, adamw, amsgrad, nadam, scale_by_adam, scale_by_amsgrad
from gradchain.rules.adaptive.adan import AdanState, adan, scale_by_adan
from gradchain.rules.adaptive.madgrad import MadgradState, madgrad, scale_by_madgrad
from gradchain.rules.adaptive.radam import radam, scale_by_radam
from gradchain.rules.adaptive.rmsprop import rmsprop, scale_by_rms, scale_by_stddev

__all__ = [
    "AdanState",
    "MadgradState",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "adan",
    "amsgrad",
    "madgrad",
    "nadam",
    "radam",
    "rmsprop",
    "scale_by_adadelta",
    "scale_by_adam",
    "scale_by_adan",
    "scale_by_amsgrad",
    "scale_by_madgrad",
    "scale_by_radam",
    "scale_by_rms",
    "scale_by_rss",
    "scale_by_stddev",
]
