"""Functions of a large batch evaluated on parts of it, one after another: `optax.microbatching`."""

from gradchain.microbatching.accumulators import AccumulationType, Accumulator
from gradchain.microbatching.examples import micro_grad, micro_vmap
from gradchain.microbatching.loop import microbatch, reshape_batch_axis

__all__ = [
    "AccumulationType",
    "Accumulator",
    "micro_grad",
    "micro_vmap",
    "microbatch",
    "reshape_batch_axis",
]
