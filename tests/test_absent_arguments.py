"""Arguments of PyTorch's and Keras's optimizers and schedulers: taken, or an error says what to write."""

import pytest

import gradchain as gc

# Signatures of torch 2.13 and keras 3, by introspection; those of all its optimizers have the Keras ones.
TORCH = {
    "adafactor": "lr beta2_decay eps d weight_decay foreach maximize",
    "adadelta": "lr rho eps weight_decay foreach capturable maximize differentiable",
    "adagrad": "lr lr_decay weight_decay initial_accumulator_value eps foreach maximize differentiable fused",
    "adam": "lr betas eps weight_decay amsgrad foreach maximize capturable differentiable fused",
    "adamw": "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused",
    "adamax": "lr betas eps weight_decay foreach maximize differentiable capturable",
    "sgd": "lr momentum dampening weight_decay nesterov maximize foreach differentiable fused lambd alpha t0",
    "lbfgs": "lr max_iter max_eval tolerance_grad tolerance_change history_size line_search_fn",
    "muon": "lr weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn",
    "nadam": "lr betas eps weight_decay momentum_decay decoupled_weight_decay foreach maximize capturable",
    "radam": "lr betas eps weight_decay decoupled_weight_decay foreach maximize capturable differentiable",
    "rmsprop": "lr alpha eps weight_decay momentum centered capturable foreach maximize differentiable",
    "rprop": "lr etas step_sizes capturable foreach maximize differentiable",
}
EVERY = """learning_rate epsilon weight_decay clipnorm clipvalue global_clipnorm use_ema ema_momentum
    ema_overwrite_frequency loss_scale_factor gradient_accumulation_steps name jit_compile"""
KERAS = {
    "adadelta": "rho",
    "adafactor": "beta_2_decay epsilon_1 epsilon_2 clip_threshold relative_step",
    "adagrad": """initial_accumulator_value learning_rate_power l1_regularization_strength
        l2_regularization_strength l2_shrinkage_regularization_strength""",
    "adam": "beta_1 beta_2 amsgrad",
    "adamw": "beta_1 beta_2 amsgrad",
    "adamax": "beta_1 beta_2",
    "lamb": "beta_1 beta_2",
    "lion": "beta_1 beta_2",
    "nadam": "beta_1 beta_2",
    "muon": """adam_beta_1 adam_beta_2 adam_weight_decay exclude_layers exclude_embeddings muon_a muon_b
        muon_c adam_lr_ratio momentum nesterov ns_steps rms_rate""",
    "rmsprop": "rho momentum centered",
    "sgd": "momentum nesterov",
    "schedule_free_adamw": "beta_1 beta_2 warmup_steps",
}
WRAPPERS = {
    "loss_scale": "inner_optimizer initial_scale dynamic_growth_steps name",
    "partition": "optimizer_map default_optimizer loss_scale_factor",
    "average": "optimizer",
    "accumulate": "gradient_accumulation_steps accumulation_steps",
}
SCHEDULERS = {
    "exponential_decay": """optimizer step_size gamma last_epoch initial_learning_rate decay_steps decay_rate
        staircase lr_lambda""",
    "piecewise_constant_schedule": "optimizer milestones last_epoch factor values",
    "linear_schedule": "optimizer start_factor end_factor total_iters last_epoch",
    "join_schedules": "optimizer schedulers milestones last_epoch",
    "cosine_decay_schedule": "optimizer T_max eta_min last_epoch initial_learning_rate decay_steps alpha",
    "sgdr_schedule": "optimizer T_0 T_mult eta_min last_epoch first_decay_steps t_mul m_mul",
    "cosine_onecycle_schedule": """optimizer max_lr total_steps epochs steps_per_epoch pct_start
        anneal_strategy cycle_momentum base_momentum max_momentum div_factor final_div_factor last_epoch""",
    "polynomial_schedule": """optimizer total_iters power last_epoch initial_learning_rate
        end_learning_rate cycle""",
    "warmup_cosine_decay_schedule": "warmup_target warmup_steps num_warmup_steps num_training_steps",
}
ROWS = [(name, arg) for name, args in TORCH.items() for arg in args.split()]
ROWS += [(name, arg) for name, args in KERAS.items() for arg in (args + " " + EVERY).split()]
ROWS += [
    (name, arg) for table in (WRAPPERS, SCHEDULERS) for name, args in table.items() for arg in args.split()
]


def error(name: str, argument: str) -> str:
    """What the call says; nothing where the factory has the argument."""
    factory = getattr(gc, name)
    try:
        factory(**{argument: None})
    except (TypeError, ValueError) as e:
        text = str(e)
        return text if f"has no argument '{argument}'" in text else ""
    return ""


def test_every_argument_of_torch_and_keras_is_explained():
    bad = []
    for name, argument in ROWS:
        if hasattr(gc, name) and (text := error(name, argument)):
            hint = text.partition("; ")[2]
            if not hint or hint.startswith(("it takes", "did you mean")):
                bad.append(text)
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: gc.sgd(0.1, dampening=0.1), "ema(decay, debias=False)"),
        (lambda: gc.adafactor(beta2_decay=-0.8), "decay_rate, with the other sign"),
        (lambda: gc.adafactor(d=1.0), "here it is clipping_threshold"),
        (lambda: gc.muon(0.1, adjust_lr_fn="original"), "consistent_rms"),
        (lambda: gc.adam(0.1, jit_compile=True), "leave it out"),
        (lambda: gc.adam(0.1, gradient_accumulation_steps=8), "accumulate(tx, every=...)"),
        (lambda: gc.adam(0.1, loss_scale_factor=8.0), "loss_scale(tx)"),
        (lambda: gc.loss_scale(gc.adam(0.1), initial_scale=8.0), "here it is init_scale"),
        (
            lambda: gc.cosine_decay_schedule(0.1, T_max=10),
            "cosine_decay_schedule() has no argument 'T_max'; here it is decay",
        ),
        (lambda: gc.exponential_decay(0.1, gamma=0.9), "here it is decay_rate"),
        (lambda: gc.exponential_decay(0.1, 30, 0.1, step_size=3), "here it is transition_steps"),
        (lambda: gc.linear_schedule(0.1, 0.0, transition_step=5), "did you mean transition_steps"),
    ],
)
def test_argument(call, words):
    with pytest.raises(TypeError) as e:
        call()
    assert words in str(e.value)


def test_proposed_functions_are_here():
    import re

    from gradchain.core.words import ELSEWHERE

    named = {n for text in ELSEWHERE.values() for n in re.findall(r"(\w+)\(", text)} - {"init"}
    named |= {
        n for text in ELSEWHERE.values() if text.startswith("see ") for n in re.findall(r"\w+", text[4:])
    }
    assert not sorted(n for n in named if not hasattr(gc, n))
