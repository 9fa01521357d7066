"""`optax.schedules`, see gradchain.optax."""

from gradchain import schedules
from gradchain.optax.special import inject_hyperparams, inject_stateful_hyperparams
from gradchain.schedules import *
from gradchain.types import InjectHyperparamsState, InjectStatefulHyperparamsState

__all__ = list(schedules.__all__)
