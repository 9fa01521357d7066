"""Tiger: the sign of one momentum, with weight decay."""

from __future__ import annotations

from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Hyper
from gradchain.core.kinds import DType
from gradchain.core.select import Selection
from gradchain.core.transform import optimizer
from gradchain.rules.factored.adafactor import scale_by_param_block_rms
from gradchain.rules.parts.averaging import ema
from gradchain.rules.parts.basic import scale_by_learning_rate
from gradchain.rules.parts.decay import optional_decay
from gradchain.rules.sign.signs import scale_by_sign


@optimizer(
    paper="Su 2023, Tiger: a tight-fisted optimizer",
    near=("signum", "lion"),
    example=lambda: {"learning_rate": 0.01},
)
def tiger(
    learning_rate: Hyper,
    beta: Decay = 0.965,
    mu_dtype: DType | None = None,
    weight_decay: Hyper = 0.01,
    mask: Selection = None,
    *,
    multiply_by_parameter_scale: bool = False,
):
    """Tiger: m = beta m + (1 - beta) g;  p = p - lr * (sign(m) + weight_decay * p).

    Lion with one decay, `signum` with decay. multiply_by_parameter_scale: lr times the root mean square of
    the leaf's parameters (1e-3 at least), for matrices in the author's code, with lr / 2 for vectors.
    """
    relative = (scale_by_param_block_rms(),) if multiply_by_parameter_scale else ()
    return chain(
        ema(beta, debias=False, accumulator_dtype=mu_dtype),
        scale_by_sign(),
        *optional_decay(weight_decay, mask),
        *relative,
        scale_by_learning_rate(learning_rate),
    )
