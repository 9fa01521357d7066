"""FlowJAX: fit_to_data with an optimizer of one's own."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from flowjax.bijections import Affine
from flowjax.distributions import Normal, Transformed
from flowjax.train import fit_to_data, fit_to_key_based_loss
from flowjax.train.losses import ElboLoss

_DATA = jax.random.normal(jax.random.key(0), (20, 2)) * 2.0 + 1.0


def _flow():
    return Transformed(Normal(jnp.zeros(2)), Affine(jnp.zeros(2), jnp.ones(2)))


def _leaves(flow):
    return jax.tree.leaves(eqx.filter(flow, eqx.is_inexact_array))


def flow_fitted_to_data():
    flow, losses = fit_to_data(
        jax.random.key(1), _flow(), _DATA, optimizer=optax.adam(0.1), max_epochs=2, batch_size=9,
        show_progress=False,
    )  # fmt: skip
    return _leaves(flow), losses["train"]


def flow_fitted_with_a_chain():
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.apply_if_finite(optax.adamw(1e-1), max_consecutive_errors=2)
    )
    flow, losses = fit_to_data(
        jax.random.key(2),
        _flow(),
        _DATA,
        optimizer=optimizer,
        max_epochs=1,
        batch_size=9,
        show_progress=False,
    )
    return _leaves(flow), losses["val"]


def flow_fitted_to_a_density():
    loss = ElboLoss(lambda x: -0.5 * jnp.sum((x - 1.0) ** 2), num_samples=4)
    flow, losses = fit_to_key_based_loss(
        jax.random.key(3), _flow(), loss_fn=loss, optimizer=optax.rmsprop(0.1), steps=3, show_progress=False
    )
    return _leaves(flow), losses
