"""The arguments that several factories share, each explained once; joined into help() and the reference."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

GLOSSARY: dict[str, str] = {
    "accumulator_dtype": "dtype in which the accumulated updates are kept; the arithmetic stays float32.",
    "adapt_lower_bound": "Estimate the lower bound of the loss while running, from `lower_bound` on.",
    "adaptive": "Multiply the update by its inner product with the momentum.",
    "alpha": "Weight of one term of the update, see the formula.",
    "axis": "Which axes of an array a norm is taken over; of `zero`, which axes of the mesh.",
    "b1": "Decay of the mean of gradients that the update is made of, from 0 to 1.",
    "b2": "Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.",
    "b3": "Decay of the slowest statistic in the state.",
    "base_optimizer": "The optimizer that is wrapped: gradchain's, or another library's.",
    "beta": "Decay of the mean of gradients that is made orthogonal or signs; of optimistic gradients "
    "the weight of the difference.",
    "beta3": "Decay of the sums that the step length is estimated from; None: sqrt(b2).",
    "betas": "The pair (b1, b2): decays of the means of gradients and of their squares.",
    "bias_correction": "Divide averages that start at zero by 1 - decay^t.",
    "bias_correction_mu": "Divide the first moment by 1 - b1^t.",
    "bias_correction_nu": "Divide the second moment by 1 - b2^t.",
    "clip_value_fn": "The bound of each element as a function of the step; None: the paper's.",
    "clipping_threshold": "The largest root mean square of an update before the learning rate; None: any.",
    "consistent_rms": "Root mean square of the updates of all matrices; None: scaled by columns / rows.",
    "debias_first": "Take the maximum of what bias correction made of the second moment.",
    "decay": "How much of an average, or of a sum, outlives a step, from 0 to 1.",
    "decay_offset": "After how many steps the decay of Adafactor's averages begins to count.",
    "decay_rate": "Exponent of Adafactor's averages: the newest square weighs t^-decay_rate.",
    "eps": "Keeps a division away from zero; it stands where the paper puts it, see the formula.",
    "eps_floor": "The squared norm is eps at least; eps is not added to the norm.",
    "eps_in_rate": "Add eps to the learning rate as well.",
    "eps_in_sqrt": "Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.",
    "eps_root": "Added to the second moment, under the root.",
    "estim_lr0": "The step length to start with, below the one that is looked for.",
    "estim_lr_coef": "Factor of the estimated step length.",
    "eta": "Variance of the noise in the first update.",
    "eta_minus": "Factor of a step size where the sign of the gradient has turned.",
    "eta_plus": "Factor of a step size where the sign of the gradient has stayed.",
    "every": "Of how many steps one counts.",
    "f_min": "The least value that the loss can have, or a guess of it.",
    "factored": "Keep the second moment of a matrix as its means over rows and over columns.",
    "fill_mu": "Start the first moment with initial_accumulator_value too.",
    "first_count": "At which step schedules begin: 0, or 1 as in Optax.",
    "gamma": "How fast the noise fades: its variance is eta / (1 + t)^gamma.",
    "init_estim_sq_dist": "The squared distance to the solution to start with; None: eps.",
    "init_step": "How far the first step goes: a pair of a name and a number.",
    "initial_accumulator_value": "What the sum or mean of squares starts with.",
    "initial_scale": "What the mean of squares starts with.",
    "inner": "The transformation that is wrapped.",
    "key": "Seed of the noise, a whole number or a JAX key; give it or `seed`.",
    "l2_norm_clip": "The largest norm of the gradient of one example.",
    "learning_rate": "Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.",
    "links": "Transformations in the order in which they run.",
    "longest_axes": "Take the two longest axes for rows and columns, whatever the leaf's name says.",
    "lower_bound": "A lower bound of the loss, 0 for most.",
    "mask": "Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular "
    "expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.",
    "max_learning_rate": "The longest step.",
    "max_step_size": "The largest step size of an element.",
    "min_dim_size_to_factor": "A matrix with fewer rows or columns than this keeps its whole second moment.",
    "min_norm": "Norms count as this at least.",
    "min_scale": "The least factor that updates are multiplied with.",
    "min_size": "Arrays with fewer numbers than this are left as they are.",
    "min_step_size": "The smallest step size of an element.",
    "momentum": "Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.",
    "mu_dtype": "dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.",
    "multiply_by_parameter_scale": "Make steps relative to the root mean square of the parameters.",
    "nesterov": "Look one step ahead along the momentum.",
    "noise_multiplier": "Standard deviation of the noise in the sum, in units of the largest norm.",
    "norm_of_sum": "Divide by the norm of gradient and decay together, not by the sum of their norms.",
    "ns_coeffs": "Coefficients (a, b, c) of the Newton-Schulz iteration, three for each step, or a name: "
    "'standard', 'dion'.",
    "ns_steps": "Steps of the Newton-Schulz iteration, where `ns_coeffs` are for all of them.",
    "old_mean": "Compare the gradient with the mean that was before it.",
    "per_leaf": "Take norms over whole leaves, stacks of layers too; False: of each layer by itself.",
    "precision": 'Precision of matrix products: None is the platform\'s own, "highest" float32 everywhere.',
    "preconditioning": "The norm a matrix is divided by first: frobenius, spectral, schatten or aol.",
    "proximal": "Decay what the step leads to, as the paper does, not the parameters before it.",
    "rho": "Decay of both running squares, from 0 to 1.",
    "safeguard_warmup": "Leave the learning rate out of the denominator of the estimate.",
    "seed": "Number that the noise is made from, together with step, path and element.",
    "slow_step_size": "Which part of the way to the fast weights the slow ones go.",
    "start": "How many steps pass before averaging begins.",
    "state_dtype": "dtype in which the second copy of the parameters is kept; None: float32 at least.",
    "strength": "Weight of the penalty.",
    "sync_period": "Steps of the fast weights for each one of the slow weights.",
    "threshold": "Where a rule begins to act: at this root mean square, in RAdam at this length of average.",
    "trust_coefficient": "Length of a step relative to the weights of its layer.",
    "tx": "The transformation that is wrapped: gradchain's, or another library's.",
    "use_clipping": "Bound what joins the momentum, element by element.",
    "variant": "Which form of the rule.",
    "warmup_steps": "Steps in which the learning rate grows to its value; None: it is constant.",
    "weight_by_max": "Weigh by the largest learning rate so far, not by that of the step.",
    "weight_decay": "Multiple of the parameters that joins the update or gradient, where `mask` says so.",
    "weight_lr_power": "Power of the learning rate in the weight of a step in the average.",
    "weight_power": "Power of the number of the step in its weight in the average.",
}


def explained(doc: str | None, names: Iterable[str], paper: str = "") -> str:
    """A docstring with what the glossary says of some arguments, and the source."""
    text = inspect.cleandoc(doc or "")
    known = [f"  {name}: {GLOSSARY[name]}" for name in names if name in GLOSSARY]
    if known:
        text += "\n\n" + "\n".join(["Arguments shared with others:", *known])
    return text + (f"\n\nSource: {paper}" if paper and paper not in text else "")
