"""Optimizers around optimizers, and those that want more than gradients."""

import functools

import jax
import jax.numpy as jnp
import optax
from optax import contrib

_START = {"x": jnp.array([2.0, -1.0, 0.5]), "y": jnp.array(1.5)}


def _f(params):
    return jnp.sum(jnp.array([1.0, 2.0, 3.0]) * (params["x"] - 1.0) ** 2) + (params["y"] + 0.5) ** 2


def _run(tx, steps=4, extra=lambda params: {}):
    params = _START
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(jax.grad(_f)(params), state, params, **extra(params))
        params = optax.apply_updates(params, updates)
    return params, state


def multisteps_has_updated():
    tx = optax.MultiSteps(optax.adam(0.1), every_k_schedule=2)
    params, state = _START, tx.init(_START)
    updated = []
    for _ in range(4):
        updates, state = tx.update(jax.grad(_f)(params), state, params)
        params = optax.apply_updates(params, updates)
        updated.append(tx.has_updated(state))
    return params, updated


def multisteps_as_a_transformation_in_a_chain():
    inner = optax.MultiSteps(optax.sgd(0.1), every_k_schedule=2, use_grad_mean=False)
    tx = optax.chain(optax.clip(1.0), inner.gradient_transformation())
    params, state = _run(tx)
    return params, state[1].gradient_step


def multisteps_with_a_schedule():
    def every(step):
        return jnp.where(step < 1, 1, 2)

    params, state = _run(optax.MultiSteps(optax.adam(0.1), every_k_schedule=every), 5)
    return params, state.gradient_step, state.mini_step


def multisteps_skipping():
    tx = optax.MultiSteps(optax.sgd(0.1), every_k_schedule=1, should_skip_update_fn=optax.skip_not_finite)
    state = tx.init(_START)
    bad = {"x": jnp.array([jnp.nan, 0.0, 0.0]), "y": jnp.array(1.0)}
    skipped, state = tx.update(bad, state, _START)
    return skipped, tx.update(jax.grad(_f)(_START), state, _START)[0]


def finite_updates_only():
    tx = optax.apply_if_finite(optax.adam(0.1), max_consecutive_errors=3)
    params, state = _run(tx, 2)
    bad = jax.tree.map(lambda x: x * jnp.inf, params)
    skipped, state = tx.update(bad, state, params)
    again, state = tx.update(jax.grad(_f)(params), state, params)
    return skipped, again, state.notfinite_count, state.total_notfinite, state.inner_state[0].count


def lookahead_pairs():
    tx = optax.lookahead(optax.sgd(0.05, momentum=0.9), sync_period=2, slow_step_size=0.5)
    params = optax.LookaheadParams.init_synced(_START)
    state = tx.init(params)
    for _ in range(4):
        grads = jax.grad(_f)(params.fast)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params.fast, params.slow


def lbfgs_with_its_line_search():
    solver = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(_f)

    @jax.jit
    def step(params, state):
        value, grad = value_and_grad(params, state=state)
        updates, state = solver.update(grad, state, params, value=value, grad=grad, value_fn=_f)
        return optax.apply_updates(params, updates), state, value

    params, state = _START, solver.init(_START)
    values = []
    for _ in range(3):
        params, state, value = step(params, state)
        values.append(value)
    return values


def lbfgs_until_converged():
    """A while loop that reads the count and the gradient out of the state by name."""
    opt = optax.lbfgs(memory_size=3)
    value_and_grad = optax.value_and_grad_from_state(_f)

    def step(carry):
        params, state = carry
        value, grad = value_and_grad(params, state=state)
        updates, state = opt.update(grad, state, params, value=value, grad=grad, value_fn=_f)
        return optax.apply_updates(params, updates), state

    def go_on(carry):
        _, state = carry
        count = optax.tree_utils.tree_get(state, "count")
        error = optax.tree_utils.tree_norm(optax.tree_utils.tree_get(state, "grad"))
        return (count == 0) | ((count < 20) & (error >= 1e-3))

    params, state = jax.lax.while_loop(go_on, step, (_START, opt.init(_START)))
    return _f(params), optax.tree_utils.tree_get(state, "count")


def backtracking_line_search():
    tx = optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=10))

    def extra(params):
        value, grad = jax.value_and_grad(_f)(params)
        return {"value": value, "grad": grad, "value_fn": _f}

    return _run(tx, 3, extra)[0]


def reduced_on_plateau():
    tx = optax.chain(
        optax.adam(0.1),
        contrib.reduce_on_plateau(factor=0.5, patience=1, cooldown=0, accumulation_size=1, rtol=1e-4),
    )
    state = tx.init(_START)
    scales = []
    for value in (1.0, 0.9, 0.9, 0.9, 0.9, 0.9):
        updates, state = tx.update(jax.grad(_f)(_START), state, _START, value=value)
        scales.append(optax.tree_utils.tree_get(state, "scale"))
    return scales, updates, state[-1].best_value


def schedule_free_evaluation():
    tx = contrib.schedule_free(optax.sgd(0.1), learning_rate=0.1, b1=0.9)
    params, state = _run(tx)
    return params, contrib.schedule_free_eval_params(state, params)


def schedule_free_adamw_evaluation():
    tx = contrib.schedule_free_adamw(0.1, warmup_steps=2)
    params, state = _run(tx)
    return contrib.schedule_free_eval_params(state, params)


def sharpness_aware_opaque():
    tx = contrib.sam(
        optax.sgd(0.1), optax.chain(contrib.normalize(), optax.sgd(0.05)), sync_period=2, opaque_mode=True
    )
    return _run(tx, 2, lambda params: {"grad_fn": lambda p, _: jax.grad(_f)(p)})[0]


def sharpness_aware_transparent():
    tx = contrib.sam(optax.sgd(0.1), optax.chain(contrib.normalize(), optax.sgd(0.05)), sync_period=2)
    return _run(tx, 4)[0]


def prodigy_without_a_rate():
    params, state = _run(contrib.prodigy(1.0, safeguard_warmup=True))
    return params, state.estim_lr


def dadaptation_without_a_rate():
    return _run(contrib.dadapt_adamw(1.0))[0]


def mechanic_around_adam():
    return _run(contrib.mechanize(optax.adam(1.0), weight_decay=1e-2))[0]


def polyak_with_the_value():
    def extra(params):
        return {"value": _f(params)}

    return _run(optax.polyak_sgd(max_learning_rate=1.0), 3, extra)[0]


def momo_with_the_value():
    return _run(contrib.momo(0.5), 3, lambda params: {"value": _f(params)})[0]


def cocob_without_a_rate():
    return _run(contrib.cocob(alpha=100))[0]


def several_of_contrib():
    made = {
        "dog": contrib.dog(1.0), "dowg": contrib.dowg(), "ademamix": contrib.ademamix(0.1),
        "muon": contrib.muon(0.1), "acprop": contrib.acprop(0.1), "adopt": contrib.adopt(0.1),
    }  # fmt: skip
    return {name: _run(tx, 3)[0] for name, tx in made.items()}


def perturbed_and_noisy():
    tx = optax.chain(optax.add_noise(eta=0.0, gamma=0.55, key=0), optax.sgd(0.1))
    return _run(tx, 2)[0]


def conditional_transformations():
    def every_other(step, **_):
        return step % 2 == 0

    tx = optax.chain(
        optax.conditionally_transform(optax.clip(0.5), every_other),
        optax.conditionally_mask(optax.sgd(0.1), every_other),
    )
    return _run(tx, 3)[0]


def applied_every_k():
    return _run(optax.chain(optax.scale_by_adam(), optax.apply_every(2), optax.scale(-0.1)), 4)[0]


def flattened():
    return _run(optax.flatten(optax.adam(0.1)))[0]


def skipped_when_large():
    accept = functools.partial(optax.skip_large_updates, max_squared_norm=10.0)
    tx = optax.MultiSteps(optax.sgd(0.1), 1, should_skip_update_fn=accept)
    large, state = tx.update(jax.tree.map(lambda x: x * 100, _START), tx.init(_START), _START)
    return large, tx.update(jax.tree.map(lambda x: x * 0.1, _START), state, _START)[0]
