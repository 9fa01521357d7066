"""Programs that are known to fail, with the reason; one that passes all the same fails its test."""

# On gradchain.optax: other numbers than Optax's, each in docs/guide/optax.md.
DEPARTURES: dict[str, str] = {
    "half_precision_gradients": "their products are made in float32; Optax multiplies in float16",
    "integer_parameter_beside": "an integer parameter is refused where the optimizer acts on it",
    "config_low_precision_moments": "b1 * mu is rounded once, from float32; Optax multiplies in bfloat16",
}

POSITIONS = "reads its state by Optax's positions and fields; here a state is a dict by link"
PAIRS = "takes an optimizer for a tuple of two functions; here it is a value with methods"
FUNCTIONS = "a leaf that is a function is refused where the optimizer acts on it"
ISINSTANCE = "NumPyro asks whether it is an instance of Optax's own class"

# On gradchain itself.
PLAIN: dict[str, str] = {
    "equinox_regression": FUNCTIONS,
    "equinox_module_unfiltered_without_state": FUNCTIONS,
    "equinox_only_trained_leaves_have_gradients": "a leaf without gradient is refused where it is acted on",
    "integer_parameter_beside": "an integer parameter is refused where the optimizer acts on it",
    "float_parameters": "numbers of Python as parameters are refused here",
    "state_found_by_name": "two counters are found, and the end of a path must say which",
    "state_set_by_name": "two values of that name are found, and the end of a path must say which",
    "lookahead_pairs": "lookahead has one tree of parameters here unless pairs=True",
    **dict.fromkeys(
        (
            "config_low_precision_moments",
            "own_link_in_a_chain",
            "own_link_masked",
            "own_link_in_a_partition",
            "own_momentum_with_helpers",
            "own_factory_injected",
            "moments_mapped_by_tree_map_params",
            "replicated_by_pmap",
            "linen_moments_in_a_state_dict",
            "linen_learning_rate_changed",
            "population_of_rates",
            "nnx_moments_read",
            "moments_by_position",
            "count_in_a_chain_in_a_chain",
            "count_of_one_link",
            "trace_of_one_link",
            "momentum_of_sgd",
            "learning_rate_set_last_in_a_chain",
            "learning_rate_read_for_the_log",
            "moments_of_the_injected",
            "count_reset_by_replace",
            "moments_reset_keeping_the_rest",
            "moments_scaled_in_place",
            "walk_by_class",
            "find_adam_recursively",
            "masked_nodes",
            "groups_of_a_partition",
            "rates_of_groups_set",
            "steps_of_multisteps",
            "counters_of_finiteness",
            "average_of_parameters",
            "factors_of_adafactor",
            "population_with_hyperparameters",
            "bytes_of_injected_hyperparameters",
            "multisteps_as_a_transformation_in_a_chain",
            "multisteps_with_a_schedule",
            "finite_updates_only",
            "reduced_on_plateau",
            "prodigy_without_a_rate",
            "boxed_parameters",
            "state_through_a_condition",
        ),
        POSITIONS,
    ),
    **dict.fromkeys(
        (
            "functions_by_position",
            "functions_by_name",
            "functions_replaced",
            "wrapper_by_replace",
        ),
        PAIRS,
    ),
    **dict.fromkeys(
        (
            "svi_with_an_autoguide",
            "svi_with_a_guide_of_ones_own",
        ),
        ISINSTANCE,
    ),
}

# Left to the slow suite.
SLOW = {
    "attention_block",
    "config_clip_after_and_before",
    "config_dataclass",
    "config_low_precision_moments",
    "config_mask_by_rank",
    "config_matrices_by_another_rule",
    "config_of_a_language_model",
    "config_of_adafactor",
    "convolution",
    "cross_entropies",
    "lbfgs_until_converged",
    "linen_accumulated_gradients",
    "linen_batch_statistics",
    "linen_classifier",
    "linen_frozen_dict",
    "linen_learning_rate_changed",
    "linen_restored_from_bytes",
    "linen_second_optimizer_swapped_in",
    "linen_state_dict_of_optimizer",
    "lists_of_layers",
    "logistic_regression",
    "meta_gradient_through_updates",
    "optional_parts_of_a_chain",
    "physics_informed",
    "picture_by_gradient",
    "population_of_rates",
    "private_gradients",
    "rate_built_inside_vmap",
    "recurrent_network",
    "registry_of_factories",
    "speech",
    "tokens_of_a_sequence",
}
