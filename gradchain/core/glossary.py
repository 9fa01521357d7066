"""The arguments that several factories share, each explained once; joined into help() and the reference."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

GLOSSARY: dict[str, str] = {
    "accumulator_dtype": "dtype in which the accumulated updates are kept; the arithmetic stays float32.",
    "adaptive": "Multiply the update by its inner product with the momentum.",
    "b1": "Decay of the mean of gradients that the update is made of, from 0 to 1.",
    "b2": "Decay of the slower statistic in the state: the mean of squares; of Lion, the mean of gradients.",
    "beta": "Decay of the mean of gradients that is made orthogonal, from 0 to 1.",
    "bias_correction": "Divide averages that start at zero by 1 - decay^t.",
    "bias_correction_mu": "Divide the first moment by 1 - b1^t.",
    "bias_correction_nu": "Divide the second moment by 1 - b2^t.",
    "clipping_threshold": "The largest root mean square of an update before the learning rate; None: any.",
    "consistent_rms": "Root mean square of the updates of all matrices; None: scaled by columns / rows.",
    "decay": "How much of an average, or of a sum, outlives a step, from 0 to 1.",
    "decay_offset": "After how many steps the decay of Adafactor's averages begins to count.",
    "decay_rate": "Exponent of Adafactor's averages: the newest square weighs t^-decay_rate.",
    "eps": "Keeps a division away from zero; it stands where the paper puts it, see the formula.",
    "eps_in_sqrt": "Whether eps is under the root, sqrt(v + eps), or beside it, sqrt(v) + eps.",
    "eps_root": "Added to the second moment, under the root.",
    "eta": "Variance of the noise in the first update.",
    "every": "Of how many steps one counts.",
    "f": "The function that the link is.",
    "factored": "Keep the second moment of a matrix as its means over rows and over columns.",
    "forward_extra_args": "Give the condition the extra arguments of the update as well.",
    "gamma": "How fast the noise fades: its variance is eta / (1 + t)^gamma.",
    "initial_accumulator_value": "What the sum of squares starts with.",
    "initial_scale": "What the mean of squares starts with.",
    "inner": "The transformation that is wrapped.",
    "learning_rate": "Length of a step: p = p - learning_rate * u. The first takes a schedule's value at 0.",
    "links": "Transformations in the order in which they run.",
    "mask": "Which leaves are meant (of an optimizer: which ones decay): a glob on the path, a regular "
    "expression, a list of these, (path, leaf) -> bool, a tree of booleans; None: all.",
    "mask_compatible_extra_args": "Pick leaves of extra arguments that are trees like the updates, too.",
    "min_dim_size_to_factor": "A matrix with fewer rows or columns than this keeps its whole second moment.",
    "min_size": "Arrays with fewer numbers than this are left as they are.",
    "momentum": "Decay of the momentum that is added to the method, from 0 to 1; None: no momentum.",
    "mu_dtype": "dtype in which the first moment is kept; None: float32 at least. Arithmetic stays float32.",
    "multiply_by_parameter_scale": "Make steps relative to the root mean square of the parameters.",
    "nesterov": "Look one step ahead along the momentum.",
    "ns_coeffs": "Coefficients (a, b, c) of the Newton-Schulz iteration, or a list with three for each step.",
    "ns_steps": "Steps of the Newton-Schulz iteration, where `ns_coeffs` are for all of them.",
    "param_labels": "Which group a leaf is in: a tree of labels, a function that gives one, patterns.",
    "precision": 'Precision of matrix products: None is the platform\'s own, "highest" float32 everywhere.',
    "preconditioning": "The norm a matrix is divided by first: frobenius, spectral, schatten or aol.",
    "rho": "Decay of both running squares, from 0 to 1.",
    "running_mean": "Keep the mean of the microbatches so far, as Optax does, rather than their sum.",
    "seed": "Number that the noise is made from, together with step, path and element.",
    "should_skip_update_fn": "(grads, gradient_step, params) -> (leave the microbatch out, what to keep).",
    "should_transform_fn": "Whether the transformation works in a step, 0 the first: step -> truth value.",
    "slow_step_size": "Which part of the way to the fast weights the slow ones go.",
    "start": "How many steps pass before averaging begins.",
    "strength": "Weight of the penalty.",
    "sync_period": "Steps of the fast weights for each one of the slow weights.",
    "threshold": "Where a rule begins to act: at this root mean square, in RAdam at this length of average.",
    "transforms": "A transformation for each label.",
    "trust_coefficient": "Length of a step relative to the weights of its layer.",
    "tx": "The transformation that is wrapped: gradchain's, or another library's.",
    "weight_decay": "Multiple of the parameters that joins the update or gradient, where `mask` says so.",
}


def explained(doc: str | None, names: Iterable[str], paper: str = "") -> str:
    """A docstring with what the glossary says of some arguments, and the source."""
    text = inspect.cleandoc(doc or "")
    known = [f"  {name}: {GLOSSARY[name]}" for name in names if name in GLOSSARY]
    if known:
        text += "\n\n" + "\n".join(["Arguments shared with others:", *known])
    return text + (f"\n\nSource: {paper}" if paper and paper not in text else "")
