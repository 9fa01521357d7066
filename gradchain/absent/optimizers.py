"""Optimizers, schedulers and helpers of PyTorch, Keras and others: what to write here."""

NETWORK = "a network's normalisation is not an optimizer's; run it over the data with the averaged parameters"
NOTHING = "JAX computes gradients where jax.grad asks for them"

# name -> (expression, what else there is to say)
OPTIMIZERS: dict[str, tuple[str, str]] = {
    "Adafactor": ("gc.adafactor(1e-2)", ""),
    "Adadelta": ("gc.adadelta(1.0, rho=0.9)", ""),
    "Adagrad": ("gc.adagrad(1e-2)", ""),
    "Adam": ("gc.adam(1e-3, b1=0.9, b2=0.999)", ""),
    "AdamW": ("gc.adamw(1e-3, weight_decay=0.01)", ""),
    "Adamax": ("gc.adamax(2e-3)", ""),
    "AMSGrad": ("gc.amsgrad(1e-3)", ""),
    "ASGD": ("gc.asgd(1e-2)", "gc.eval_params(tx, state, params) is the average"),
    "FusedAdam": ("gc.adamw(1e-3)", "every chain is fused"),
    "Ftrl": ("gc.ftrl(1e-3)", "l2 is twice l2_regularization_strength"),
    "LBFGS": (
        "gc.lbfgs()",
        "tx.update(grads, state, params, value=..., grad=..., value_fn=f) for its line search",
    ),
    "Lamb": ("gc.lamb(1e-3)", ""),
    "Lion": ("gc.lion(1e-4)", ""),
    "Muon": ("gc.muon(1e-3)", ""),
    "NAdam": ("gc.nadam(2e-3)", ""),
    "Nadam": ("gc.nadam(1e-3)", ""),
    "RAdam": ("gc.radam(1e-3)", ""),
    "RMSprop": ("gc.rmsprop(1e-2, decay=0.99)", ""),
    "Rprop": ("gc.rprop(1e-2)", ""),
    "SGD": ("gc.sgd(1e-2, momentum=0.9)", ""),
    "ScheduleFreeAdamW": ("gc.schedule_free_adamw(2.5e-3)", ""),
    "AdamWScheduleFree": ("gc.schedule_free_adamw(2.5e-3)", ""),
    "RAdamScheduleFree": ("gc.schedule_free_radam(2.5e-3)", ""),
    "SGDScheduleFree": ("gc.schedule_free_sgd(1.0)", ""),
    "SparseAdam": ("gc.adam(1e-3)", "gradients in JAX are dense"),
    "Optimizer": ("gc.Transform", "an optimizer is a value with init, update and step: tx = gc.adam(1e-3)"),
    "swap_in_optimizer_params_and_state": ("tx.step(grads, state, params)", "state is a value that you keep"),
    # Around an optimizer.
    "AveragedModel": ("gc.average(gc.adam(1e-3), decay=0.999)", "gc.eval_params(tx, state, params) reads it"),
    "ExponentialMovingAverage": (
        "gc.average(gc.adam(1e-3), decay=0.999)",
        "gc.eval_params(tx, state, params) reads it",
    ),
    **dict.fromkeys(
        ("ModelEma", "ModelEmaV2", "ModelEmaV3", "EMA", "get_ema_avg_fn", "get_ema_multi_avg_fn"),
        ("gc.average(gc.adam(1e-3), decay=0.999)", "gc.eval_params(tx, state, params) reads it"),
    ),
    **dict.fromkeys(
        ("get_swa_avg_fn", "get_swa_multi_avg_fn", "SWA"),
        ("gc.average(gc.sgd(0.05), decay=None)", "gc.eval_params(tx, state, params) reads it"),
    ),
    "update_bn": ("gc.eval_params(tx, state, params)", NETWORK),
    "Lookahead": ("gc.lookahead(gc.adam(1e-3), sync_period=6, slow_step_size=0.5)", ""),
    "LossScaleOptimizer": ("gc.loss_scale(gc.adam(1e-3))", ""),
    "GradScaler": ("gc.loss_scale(gc.adam(1e-3))", ""),
    "MultiOptimizer": (
        'gc.partition({"a": gc.adam(1e-3), "b": gc.sgd(0.1)}, {"**/kernel": "a", "**": "b"})',
        "",
    ),
    **dict.fromkeys(
        ("OptimizerMap", "param_groups", "add_param_group", "ParamGroup"),
        ('gc.partition({"a": gc.adam(1e-3), "b": gc.sgd(0.1)}, {"**/kernel": "a", "**": "b"})', ""),
    ),
    **dict.fromkeys(
        ("clip_grad_norm_", "clip_grad_norm", "clip_grads_with_norm_", "clipnorm"),
        ("gc.chain(gc.clip_by_global_norm(1.0), gc.adam(1e-3))", "clipping is a link before the optimizer"),
    ),
    **dict.fromkeys(
        ("clip_grad_value_", "clip_grad_value", "clipvalue"),
        ("gc.chain(gc.clip(1.0), gc.adam(1e-3))", "clipping is a link before the optimizer"),
    ),
    "get_total_norm": ("gc.global_norm(grads)", ""),
    "zero_grad": ("jax.grad(loss)(params)", NOTHING),
    "backward": ("jax.grad(loss)(params)", NOTHING),
    "no_grad": ("jax.lax.stop_gradient(params)", NOTHING),
    "step": ("tx.step(grads, state, params)", "it returns new parameters and state"),
    "load_state_dict": ("gc.load_state(tx, params, state)", "it returns the state and a report"),
    "apply_gradients": ("tx.step(grads, state, params)", "it returns new parameters and state"),
    "TrainState": ("tx.init(params)", "parameters and state are values: tx.step(grads, state, params)"),
    "serialize": ("gc.to_config(gc.adam(1e-3))", ""),
    "deserialize": ('gc.from_config({"adam": {"learning_rate": 1e-3}})', ""),
    "get": ('gc.from_config({"adam": {"learning_rate": 1e-3}})', ""),
    **dict.fromkeys(
        ("AdamConfig", "AdamWConfig", "SGDConfig", "MuonConfig", "LionConfig", "OptimizerConfig"),
        ('gc.from_config({"adamw": {"learning_rate": 1e-3}})', "an optimizer is its own configuration"),
    ),
    # Arguments taken for names.
    "lr": ("gc.adam(learning_rate=1e-3)", "it is the argument learning_rate"),
    "learning_rate": ("gc.adam(learning_rate=1e-3)", "it is an argument"),
    "betas": ("gc.adam(1e-3, b1=0.9, b2=0.999)", "they are the arguments b1 and b2"),
    "beta1": ("gc.adam(1e-3, b1=0.9)", "it is the argument b1"),
    "beta2": ("gc.adam(1e-3, b2=0.999)", "it is the argument b2"),
    "eps": ("gc.adam(1e-3, eps=1e-8)", "it is an argument"),
    "epsilon": ("gc.adam(1e-3, eps=1e-8)", "it is the argument eps"),
    "momentum": ("gc.sgd(1e-2, momentum=0.9)", "it is an argument; as a link it is gc.trace(0.9)"),
    "weight_decay": ("gc.adamw(1e-3, weight_decay=0.01)", "as a link it is gc.add_decayed_weights(0.01)"),
    "nesterov": ("gc.sgd(1e-2, momentum=0.9, nesterov=True)", "it is an argument"),
    "gradient_accumulation_steps": ("gc.accumulate(gc.adam(1e-3), every=8)", ""),
    "GradientAccumulation": ("gc.accumulate(gc.adam(1e-3), every=8)", ""),
}

RISE = "gc.linear_schedule(0.0, 1e-3, 500)"
COSINE = "gc.cosine_decay_schedule(1e-3, decay_steps=10_000)"
WARM = "gc.warmup_cosine_decay_schedule(0.0, 1e-3, warmup_steps=500, decay_steps=10_000)"
RESTARTS = (
    'gc.sgdr_schedule([{"init_value": 1e-3, "peak_value": 1e-3, "warmup_steps": 0, "decay_steps": n} '
    "for n in (1000, 2000, 4000)])"
)
SCHEDULE = "a schedule is an argument: gc.adam(schedule)"
SCHEDULERS: dict[str, tuple[str, str]] = {
    "lr_scheduler": (f"gc.adam({COSINE})", SCHEDULE),
    "LRScheduler": ("gc.Schedule", SCHEDULE),
    "LearningRateSchedule": ("gc.Schedule", SCHEDULE),
    "LambdaLR": ("gc.adam(lambda step: 1e-3 * 0.95**step)", "the function returns the learning rate itself"),
    "MultiplicativeLR": ("gc.exponential_decay(1e-3, transition_steps=1, decay_rate=0.95)", SCHEDULE),
    "StepLR": ("gc.exponential_decay(0.1, transition_steps=30, decay_rate=0.1, staircase=True)", SCHEDULE),
    "MultiStepLR": ("gc.piecewise_constant_schedule(0.1, {30: 0.1, 80: 0.1})", SCHEDULE),
    "ConstantLR": ("gc.piecewise_constant_schedule(1e-3 / 3, {5: 3.0})", SCHEDULE),
    "LinearLR": ("gc.linear_schedule(1e-3 / 3, 1e-3, transition_steps=5)", SCHEDULE),
    "ExponentialLR": ("gc.exponential_decay(1e-3, transition_steps=1, decay_rate=0.95)", SCHEDULE),
    "SequentialLR": (f"gc.join_schedules([{RISE}, {COSINE}], [500])", SCHEDULE),
    "CosineAnnealingLR": (COSINE, SCHEDULE),
    "ChainedScheduler": (
        "gc.adam(lambda step: 1e-3 * gc.linear_schedule(0.1, 1.0, 500)(step) * 0.999**step)",
        "schedules are functions, and this is their product",
    ),
    "ReduceLROnPlateau": (
        "gc.chain(gc.adam(1e-3), gc.reduce_on_plateau(factor=0.1, patience=10))",
        "it reads tx.update(grads, state, params, value=loss)",
    ),
    "CyclicLR": ("gc.cyclic_schedule(1e-4, 1e-3, 2000)", SCHEDULE),
    "CosineAnnealingWarmRestarts": (RESTARTS, SCHEDULE),
    "CosineDecayRestarts": (RESTARTS, SCHEDULE),
    "OneCycleLR": ("gc.cosine_onecycle_schedule(10_000, peak_value=1e-3)", SCHEDULE),
    "PolynomialLR": ("gc.polynomial_schedule(1e-3, 0.0, power=1.0, transition_steps=5)", SCHEDULE),
    "SWALR": (f"gc.join_schedules([{COSINE}, gc.constant_schedule(5e-4)], [10_000])", SCHEDULE),
    "CosineDecay": (COSINE, SCHEDULE),
    "ExponentialDecay": ("gc.exponential_decay(1e-3, transition_steps=1000, decay_rate=0.96)", SCHEDULE),
    "InverseTimeDecay": ("gc.inverse_time_schedule(1e-3, 1000, 0.5)", SCHEDULE),
    "PiecewiseConstantDecay": ("gc.piecewise_constant_schedule(1e-3, {1000: 0.5, 2000: 0.1})", SCHEDULE),
    "PolynomialDecay": ("gc.polynomial_schedule(1e-2, 1e-4, power=1.0, transition_steps=10_000)", SCHEDULE),
    "get_scheduler": (f"gc.adamw({WARM})", SCHEDULE),
    "get_cosine_schedule_with_warmup": (WARM, SCHEDULE),
    "get_constant_schedule": ("gc.constant_schedule(1e-3)", SCHEDULE),
    "get_constant_schedule_with_warmup": ("gc.warmup_constant_schedule(0.0, 1e-3, 500)", SCHEDULE),
    "get_linear_schedule_with_warmup": (
        f"gc.join_schedules([{RISE}, gc.linear_schedule(1e-3, 0.0, 9500)], [500])",
        SCHEDULE,
    ),
    "get_polynomial_decay_schedule_with_warmup": (
        f"gc.join_schedules([{RISE}, gc.polynomial_schedule(1e-3, 0.0, 2.0, 9500)], [500])",
        SCHEDULE,
    ),
    "get_inverse_sqrt_schedule": ("gc.inverse_sqrt_schedule(0.0, 1e-3, warmup_steps=500)", SCHEDULE),
    "get_wsd_schedule": ("gc.wsd_schedule(0.0, 1e-3, 500, 8500, 1000)", SCHEDULE),
}  # fmt: skip
