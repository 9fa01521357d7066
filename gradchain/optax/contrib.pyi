"""`optax.contrib`, see gradchain.optax."""

# Written by .ci/stubs.py: make stubs

from gradchain.optax import COCOBState as COCOBState
from gradchain.optax import DAdaptAdamWState as DAdaptAdamWState
from gradchain.optax import DifferentiallyPrivateAggregateState as DifferentiallyPrivateAggregateState
from gradchain.optax import DoGState as DoGState
from gradchain.optax import DoWGState as DoWGState
from gradchain.optax import GaLoreDimensionNumbers as GaLoreDimensionNumbers
from gradchain.optax import GaLoreState as GaLoreState
from gradchain.optax import HutchinsonState as HutchinsonState
from gradchain.optax import MadgradState as MadgradState
from gradchain.optax import MechanicState as MechanicState
from gradchain.optax import MomoAdamState as MomoAdamState
from gradchain.optax import MomoState as MomoState
from gradchain.optax import MuonDimensionNumbers as MuonDimensionNumbers
from gradchain.optax import MuonState as MuonState
from gradchain.optax import NormalizeState as NormalizeState
from gradchain.optax import ProdigyState as ProdigyState
from gradchain.optax import ReduceLROnPlateauState as ReduceLROnPlateauState
from gradchain.optax import SAMState as SAMState
from gradchain.optax import ScaleByAdemamixState as ScaleByAdemamixState
from gradchain.optax import ScaleBySimplifiedAdEMAMixState as ScaleBySimplifiedAdEMAMixState
from gradchain.optax import ScheduleFreeState as ScheduleFreeState
from gradchain.optax import SophiaState as SophiaState
from gradchain.optax import SplitRealAndImaginaryState as SplitRealAndImaginaryState
from gradchain.optax import acprop as acprop
from gradchain.optax import ademamix as ademamix
from gradchain.optax import adopt as adopt
from gradchain.optax import cocob as cocob
from gradchain.optax import dadapt_adamw as dadapt_adamw
from gradchain.optax import differentially_private_aggregate as differentially_private_aggregate
from gradchain.optax import dog as dog
from gradchain.optax import dowg as dowg
from gradchain.optax import dpsgd as dpsgd
from gradchain.optax import galore as galore
from gradchain.optax import hutchinson_estimator_diag_hessian as hutchinson_estimator_diag_hessian
from gradchain.optax import madgrad as madgrad
from gradchain.optax import mechanize as mechanize
from gradchain.optax import momo as momo
from gradchain.optax import momo_adam as momo_adam
from gradchain.optax import muon as muon
from gradchain.optax import normalize as normalize
from gradchain.optax import prodigy as prodigy
from gradchain.optax import reduce_on_plateau as reduce_on_plateau
from gradchain.optax import sam as sam
from gradchain.optax import scale_by_acprop as scale_by_acprop
from gradchain.optax import scale_by_ademamix as scale_by_ademamix
from gradchain.optax import scale_by_adopt as scale_by_adopt
from gradchain.optax import scale_by_cocob as scale_by_cocob
from gradchain.optax import scale_by_galore as scale_by_galore
from gradchain.optax import scale_by_madgrad as scale_by_madgrad
from gradchain.optax import scale_by_muon as scale_by_muon
from gradchain.optax import scale_by_simplified_ademamix as scale_by_simplified_ademamix
from gradchain.optax import schedule_free as schedule_free
from gradchain.optax import schedule_free_adamw as schedule_free_adamw
from gradchain.optax import schedule_free_eval_params as schedule_free_eval_params
from gradchain.optax import schedule_free_sgd as schedule_free_sgd
from gradchain.optax import simplified_ademamix as simplified_ademamix
from gradchain.optax import sophia as sophia
from gradchain.optax import split_real_and_imaginary as split_real_and_imaginary

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
