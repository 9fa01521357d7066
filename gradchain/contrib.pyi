"""Algorithms and wrappers that Optax keeps in `contrib`; here they are in the root as well."""

# Written by .ci/stubs.py: make stubs

from gradchain import COCOBState as COCOBState
from gradchain import DAdaptAdamWState as DAdaptAdamWState
from gradchain import DifferentiallyPrivateAggregateState as DifferentiallyPrivateAggregateState
from gradchain import DoGState as DoGState
from gradchain import DoWGState as DoWGState
from gradchain import GaLoreDimensionNumbers as GaLoreDimensionNumbers
from gradchain import GaLoreState as GaLoreState
from gradchain import HutchinsonState as HutchinsonState
from gradchain import MadgradState as MadgradState
from gradchain import MechanicState as MechanicState
from gradchain import MomoAdamState as MomoAdamState
from gradchain import MomoState as MomoState
from gradchain import MuonDimensionNumbers as MuonDimensionNumbers
from gradchain import MuonState as MuonState
from gradchain import NormalizeState as NormalizeState
from gradchain import ProdigyState as ProdigyState
from gradchain import ReduceLROnPlateauState as ReduceLROnPlateauState
from gradchain import SAMState as SAMState
from gradchain import ScaleByAdemamixState as ScaleByAdemamixState
from gradchain import ScaleBySimplifiedAdEMAMixState as ScaleBySimplifiedAdEMAMixState
from gradchain import ScheduleFreeState as ScheduleFreeState
from gradchain import SophiaState as SophiaState
from gradchain import SplitRealAndImaginaryState as SplitRealAndImaginaryState
from gradchain import acprop as acprop
from gradchain import ademamix as ademamix
from gradchain import adopt as adopt
from gradchain import cocob as cocob
from gradchain import dadapt_adamw as dadapt_adamw
from gradchain import differentially_private_aggregate as differentially_private_aggregate
from gradchain import dog as dog
from gradchain import dowg as dowg
from gradchain import dpsgd as dpsgd
from gradchain import galore as galore
from gradchain import hutchinson_estimator_diag_hessian as hutchinson_estimator_diag_hessian
from gradchain import madgrad as madgrad
from gradchain import mechanize as mechanize
from gradchain import momo as momo
from gradchain import momo_adam as momo_adam
from gradchain import muon as muon
from gradchain import normalize as normalize
from gradchain import prodigy as prodigy
from gradchain import reduce_on_plateau as reduce_on_plateau
from gradchain import sam as sam
from gradchain import scale_by_acprop as scale_by_acprop
from gradchain import scale_by_ademamix as scale_by_ademamix
from gradchain import scale_by_adopt as scale_by_adopt
from gradchain import scale_by_cocob as scale_by_cocob
from gradchain import scale_by_galore as scale_by_galore
from gradchain import scale_by_madgrad as scale_by_madgrad
from gradchain import scale_by_muon as scale_by_muon
from gradchain import scale_by_simplified_ademamix as scale_by_simplified_ademamix
from gradchain import schedule_free as schedule_free
from gradchain import schedule_free_adamw as schedule_free_adamw
from gradchain import schedule_free_eval_params as schedule_free_eval_params
from gradchain import schedule_free_sgd as schedule_free_sgd
from gradchain import simplified_ademamix as simplified_ademamix
from gradchain import sophia as sophia
from gradchain import split_real_and_imaginary as split_real_and_imaginary

__all__ = [
    "COCOBState",
    "DAdaptAdamWState",
    "DifferentiallyPrivateAggregateState",
    "DoGState",
    "DoWGState",
    "GaLoreDimensionNumbers",
    "GaLoreState",
    "HutchinsonState",
    "MadgradState",
    "MechanicState",
    "MomoAdamState",
    "MomoState",
    "MuonDimensionNumbers",
    "MuonState",
    "NormalizeState",
    "ProdigyState",
    "ReduceLROnPlateauState",
    "SAMState",
    "ScaleByAdemamixState",
    "ScaleBySimplifiedAdEMAMixState",
    "ScheduleFreeState",
    "SophiaState",
    "SplitRealAndImaginaryState",
    "acprop",
    "ademamix",
    "adopt",
    "cocob",
    "dadapt_adamw",
    "differentially_private_aggregate",
    "dog",
    "dowg",
    "dpsgd",
    "galore",
    "hutchinson_estimator_diag_hessian",
    "madgrad",
    "mechanize",
    "momo",
    "momo_adam",
    "muon",
    "normalize",
    "prodigy",
    "reduce_on_plateau",
    "sam",
    "scale_by_acprop",
    "scale_by_ademamix",
    "scale_by_adopt",
    "scale_by_cocob",
    "scale_by_galore",
    "scale_by_madgrad",
    "scale_by_muon",
    "scale_by_simplified_ademamix",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_eval_params",
    "schedule_free_sgd",
    "simplified_ademamix",
    "sophia",
    "split_real_and_imaginary",
]
