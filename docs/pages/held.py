"""What algorithms without a golden trajectory are held to: the test that compares, or why there is none."""

from __future__ import annotations

from typing import NamedTuple


class Held(NamedTuple):
    """A comparison that a test makes."""

    library: str  # the distribution that is run; "numpy" for a transcription of the formulas
    call: str  # what of it, or where the formulas are from
    test: str  # the test, below tests/


def _soap(case: str, source: str) -> Held:
    return Held("numpy", source, f"rules/matrix/test_soap.py::test_reference[{case}]")


_SOAP, _KL = "arXiv:2409.11321", "arXiv:2509.03378"
_DION = Held("numpy", "arXiv:2504.05295", "rules/matrix/test_dion.py::test_the_paper[1-shape0]")
_DION2 = Held("numpy", "arXiv:2512.16928", "rules/matrix/test_dion2.py::test_the_paper[shape0-largest]")
_KRON = Held(
    "numpy",
    "arXiv:1512.04202, arXiv:2402.11858",
    "rules/matrix/test_psgd.py::test_the_rule[shape0-changes0-kinds0]",
)
_LRA = Held("numpy", "arXiv:2402.11858", "rules/matrix/test_psgd_lra.py::test_the_rule")
_IVON = Held(
    "numpy", "arXiv:2402.17641, algorithm 1", "rules/curvature/test_ivon.py::test_steps_are_the_paper_s"
)
_PRIVATE = Held(
    "optax", "optax.contrib.differentially_private_aggregate",
    "rules/parts/test_privacy.py::test_without_noise_it_is_the_mean_of_the_clipped",
)  # fmt: skip
_LBFGS = "rules/curvature/test_lbfgs.py::test_direction_is_that_of_the_matrix[True]"

HELD: dict[str, Held] = {
    "scale_by_dion": _DION,
    "dion": _DION,
    "scale_by_dion2": _DION2,
    "dion2": _DION2,
    "scale_by_soap": _soap("soap", _SOAP),
    "soap": _soap("soap", _SOAP),
    "scale_by_kl_shampoo": _soap("kl_shampoo", _KL),
    "kl_shampoo": _soap("kl_shampoo", _KL),
    "kl_soap": _soap("kl_soap", _KL),
    "scale_by_psgd": _KRON,
    "psgd_kron": _KRON,
    "scale_by_psgd_lra": _LRA,
    "psgd_lra": _LRA,
    "scale_by_ivon": _IVON,
    "ivon": _IVON,
    "mechanize": Held(
        "numpy", "arXiv:2306.00144, algorithm 1", "wrappers/test_mechanic.py::test_is_the_paper[others]"
    ),
    "scale_by_lbfgs": Held("numpy", "Nocedal & Wright 2006, by dense matrices", _LBFGS),
    "balance": Held("numpy", "the formula", "rules/matrix/test_muons.py::test_balance"),
    "sm3": Held("optax", "optax.sm3", "rules/factored/test_sm3.py::test_optimizer_is_optax"),
    "scale_by_factored_rms": Held(
        "optax",
        "optax.scale_by_factored_rms",
        "rules/test_optax_numbers.py::test_numbers"
        "[scale_by_factored_rms(min_dim_size_to_factor, decay_rate_fn, epsilon, longest_axes)]",
    ),
    "scale_by_backtracking_linesearch": Held(
        "optax",
        "optax.scale_by_backtracking_linesearch",
        "rules/curvature/test_backtracking.py::test_steps_are_optax_s",
    ),
    "scale_by_distance_over_gradients": Held(
        "optax",
        "optax.scale_by_distance_over_gradients",
        "rules/rate_free/test_rate_free.py::test_layerwise_is_optax",
    ),
    "reduce_on_plateau": Held(
        "optax", "optax.contrib.reduce_on_plateau", "rules/rate_free/test_plateau.py::test_is_optax"
    ),
    "scale_by_polyak": Held(
        "optax", "optax.scale_by_polyak", "rules/rate_free/test_polyak.py::test_is_optax[sps]"
    ),
    "polyak_sgd": Held("optax", "optax.polyak_sgd", "rules/rate_free/test_polyak.py::test_is_optax[sps]"),
    "differentially_private_aggregate": _PRIVATE,
    "dpsgd": _PRIVATE,
    "MultiSteps": Held("optax", "optax.MultiSteps", "wrappers/test_accumulate.py::test_multisteps_is_optax"),
    "apply_every": Held(
        "optax", "optax.apply_every", "wrappers/test_accumulate.py::test_apply_every_is_optax"
    ),
    "apply_if_finite": Held(
        "optax",
        "optax.apply_if_finite",
        "wrappers/test_skip.py::test_apply_if_finite_is_optax_up_to_its_limit",
    ),
    "split_real_and_imaginary": Held(
        "optax", "optax.contrib.split_real_and_imaginary", "wrappers/test_split_complex.py::test_is_optax"
    ),
}

_RUNS = "it does no arithmetic of its own; what it wraps or selects is compared on its own page"
_RANDOM = "it draws noise; tests hold the variance of that, and where it comes from"
_DATA = "it measures what passes and leaves it as it is"
_FACTORS = "it multiplies by numbers that tests compute by hand"
_BITS = "it changes how numbers are kept; tests bound what that changes beside float32"
_PLACE = "it changes where arrays lie, not the numbers; tests compare both"
_STOPS = "it leaves updates out or passes them as they are; tests say which"

REASONS: dict[str, str] = {
    **dict.fromkeys(("foreign", "masked", "freeze", "named_chain", "identity", "stateless"), _RUNS),
    **dict.fromkeys(("flatten", "multi_transform", "selective_transform", "injected", "with_axes"), _RUNS),
    **dict.fromkeys(("stateless_with_tree_map", "split_columns", "unfreeze", "monitored"), _RUNS),
    **dict.fromkeys(("add_noise", "noisy_sgd", "round_stochastically"), _RANDOM),
    **dict.fromkeys(("snapshot_layer_grads", "snapshot_layer_updates", "snapshot", "monitor"), _DATA),
    **dict.fromkeys(("scale_by_schedule", "scale_by_path", "scale_by_depth", "scale_by_mup"), _FACTORS),
    **dict.fromkeys(("layerwise_decay", "lora_plus", "mup"), _FACTORS),
    **dict.fromkeys(("stored", "kahan", "master_weights", "split_weights"), _BITS),
    **dict.fromkeys(("zero", "offload"), _PLACE),
    **dict.fromkeys(("conditionally_mask", "conditionally_transform", "skip", "roll_back"), _STOPS),
    **dict.fromkeys(("zero_nans", "set_to_zero"), _STOPS),
    "keep_params_nonnegative": "it moves to the nearest number that is not negative; a test compares all",
    "pcgrad": "the order of the tasks is drawn; a test finds each step among those of all orders, in NumPy",
    "scale_by_zoom_linesearch": "its steps are its own; tests hold them to the strong Wolfe conditions",
    "lbfgs": "its directions are those of `scale_by_lbfgs`; tests count evaluations beside SciPy's",
    "qk_clip": "tests compute its factors by hand",
    "muonclip": "it is `muon` and `qk_clip`; a test holds it to that",
    "apollo_mini": "it is `apollo` of rank one; a test holds it to that",
    "loss_scale": "it multiplies by powers of 2; tests hold its scales to the rule of torch's GradScaler",
    "hutchinson_estimator_diag_hessian": "it draws; tests hold it to the diagonal where it is exact",
}  # fmt: skip
