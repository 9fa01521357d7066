"""A program written for Optax, with one import changed: strict pyright has nothing to say about it."""

# pyright: strict

import jax
import jax.numpy as jnp

import gradchain.optax as optax

Params = dict[str, jax.Array]


def loss_fn(params: Params) -> jax.Array:
    return jnp.sum(optax.losses.squared_error(params["w"], params["w"] * 0))


def make(rate: float, total: int) -> optax.GradientTransformationExtraArgs:
    schedule = optax.schedules.warmup_cosine_decay_schedule(0.0, rate, warmup_steps=10, decay_steps=total)
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.95, mask={"w": True}))
    return optax.MultiSteps(optax.masked(adam, {"w": True}), every_k_schedule=2).gradient_transformation()


def keep(updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None):
    return updates, state


def train(params: Params) -> tuple[Params, optax.OptState]:
    tx: optax.GradientTransformation = make(1e-3, 100)
    state: optax.OptState = tx.init(params)
    value, grads = jax.value_and_grad(loss_fn)(params)  # pyright: ignore[reportUnknownMemberType]  # JAX's
    updates, state = tx.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    plateau = optax.contrib.reduce_on_plateau(0.5, patience=3)
    scaled, _ = plateau.update(updates, plateau.init(params), params, value=value)
    print(optax.global_norm(scaled), optax.tree.norm(params))
    injected = optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)
    groups = optax.multi_transform({"a": optax.contrib.muon(0.02), "b": optax.set_to_zero()}, {"w": "a"})
    own = optax.GradientTransformation(optax.init_empty_state, keep)
    print(optax.chain(injected, groups, own, optax.transforms.ema(0.9)).init(params), optax.EmptyState())
    return params, state
