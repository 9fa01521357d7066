"""Arguments that give Optax's numbers, where a rule follows its paper and Optax made another choice.

`docs/optax.md` says what each of them changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradchain.rules import matrices_alone, scale_by_zoom_linesearch

Given = Mapping[str, Any]  # the arguments of a call by name, defaults included
PER_LEAF = {"per_leaf": True}
DEBIASED = {"debias_first": True}
FILLED = {"fill_mu": True}
OLD_MEAN = {"old_mean": True}
IN_RATE = {"eps_in_rate": True}
PLAIN_DECAY = {"proximal": False}
LONG_SIDE = {"side": "long"}
CONJUGATED: Any = {"conjugate_grad": True}
AVERAGED = {"first_count": 1, "weight_by_max": True}


def _muon_kernel(given: Given) -> dict[str, Any]:
    return {"bias_correction": True, "eps_floor": given["preconditioning"] in ("aol", "schatten")}


def _muon(given: Given) -> dict[str, Any]:
    dimensions = given["muon_weight_dimension_numbers"]
    return _muon_kernel(given) | {
        "adam_nesterov": given["nesterov"],
        "adam_mask": True,
        "muon_weight_dimension_numbers": matrices_alone if dimensions is None else dimensions,
    }


def _lbfgs(given: Given) -> dict[str, Any]:
    """Optax's own line search takes complex gradients as it does, conjugated."""
    own = given["linesearch"] == scale_by_zoom_linesearch(20, initial_guess_strategy="one")
    one = scale_by_zoom_linesearch(20, initial_guess_strategy="one", **CONJUGATED)
    return {"linesearch": one if own else given["linesearch"]}


NUMBERS: dict[str, dict[str, Any] | Callable[[Given], dict[str, Any]]] = {
    "amsgrad": DEBIASED,
    "scale_by_amsgrad": DEBIASED,
    "lars": {"norm_of_sum": True, "per_leaf": True},
    **dict.fromkeys(("lamb", "scale_by_trust_ratio", "scale_by_param_block_rms"), PER_LEAF),
    **dict.fromkeys(("clip_by_block_rms", "novograd", "scale_by_novograd"), PER_LEAF),
    "scale_by_factored_rms": {"longest_axes": True},
    "adafactor": {"longest_axes": True, "per_leaf": True},
    "yogi": FILLED,
    "scale_by_yogi": FILLED,
    "acprop": OLD_MEAN,
    "scale_by_acprop": OLD_MEAN,
    "muon": _muon,
    "scale_by_muon": _muon_kernel,
    "adan": PLAIN_DECAY,
    "madgrad": IN_RATE,
    "scale_by_madgrad": IN_RATE,
    "centralize": {"units": "leading"},
    "polyak_sgd": {"scaling_first": True},
    "momo": PLAIN_DECAY,
    "momo_adam": PLAIN_DECAY,
    "scale_by_distance_over_gradients": lambda given: {"param_dtype": given["param_dtype"] or "float32"},
    "mechanize": {"variant": "optax"},
    "sophia": {"bias_correction": True, "delayed": True},
    "galore": LONG_SIDE,
    "scale_by_galore": LONG_SIDE,
    **dict.fromkeys(("schedule_free", "schedule_free_sgd", "schedule_free_adamw"), AVERAGED),
    "MultiSteps": lambda given: {"running_mean": given["use_grad_mean"]},
    "lookahead": {"pairs": True},
    "scale_by_zoom_linesearch": CONJUGATED,
    "lbfgs": _lbfgs,
}


def numbers_of(name: str, given: Given) -> dict[str, Any]:
    """The arguments of one call that are not the paper's."""
    found = NUMBERS.get(name, {})
    return found(given) if callable(found) else found
