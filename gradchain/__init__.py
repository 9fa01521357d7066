"""gradchain: optimizers for JAX as chains of pure gradient transformations."""

from gradchain.compose import chain, named_chain
from gradchain.foreign import foreign
from gradchain.hyper import Decay, Hyper, Period, Signed, tunable
from gradchain.leafwise import leafwise
from gradchain.link import treewise
from gradchain.masks import freeze, masked, partition
from gradchain.rules.adam import adam, adamw, amsgrad, nadam, scale_by_adam, scale_by_amsgrad
from gradchain.rules.basic import (
    identity,
    scale,
    scale_by_learning_rate,
    scale_by_schedule,
    set_to_zero,
    zero_nans,
)
from gradchain.rules.decay import add_decayed_weights, add_l1, proximal_l1
from gradchain.transform import REGISTRY, Transform, optimizer, transform, wrapper
from gradchain.tree import apply_updates, global_norm
