"""NumPyro, Distrax and BlackJAX."""

import blackjax
import distrax
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
import optax
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoNormal

_DATA = jnp.array([1.0, 2.0, 0.5, 1.5])


def _model(data):
    loc = numpyro.sample("loc", dist.Normal(0.0, 2.0))
    scale = numpyro.sample("scale", dist.HalfNormal(1.0))
    with numpyro.plate("n", len(data)):
        numpyro.sample("obs", dist.Normal(loc, scale), obs=data)


def svi_with_an_autoguide():
    guide = AutoNormal(_model)
    svi = SVI(_model, guide, optax.adam(0.05), Trace_ELBO())
    result = svi.run(jax.random.key(0), 4, _DATA, progress_bar=False)
    return result.losses, result.params


def svi_with_a_guide_of_ones_own():
    def guide(data):
        loc = numpyro.param("q", 0.5)
        scale = numpyro.param("q_scale", 0.3, constraint=dist.constraints.positive)
        numpyro.sample("loc", dist.Normal(loc, scale))
        numpyro.sample("scale", dist.Delta(numpyro.param("s", 0.8, constraint=dist.constraints.positive)))

    tx = optax.chain(optax.clip(10.0), optax.adam(optax.exponential_decay(0.05, 10, 0.5)))
    svi = SVI(_model, guide, tx, Trace_ELBO(num_particles=2))
    state = svi.init(jax.random.key(1), _DATA)
    losses = []
    for _ in range(3):
        state, loss = svi.update(state, _DATA)
        losses.append(loss)
    return losses, svi.get_params(state)


def svi_by_numpyros_own_conversion():
    from numpyro.optim import optax_to_numpyro

    optimizer = optax_to_numpyro(optax.adamw(0.05))
    svi = SVI(_model, AutoDiagonalNormal(_model), optimizer, Trace_ELBO())
    state = svi.init(jax.random.key(2), _DATA)
    state, loss = svi.stable_update(state, _DATA)
    return loss, svi.get_params(state)


def mean_field_of_blackjax():
    def logdensity(x):
        return -0.5 * jnp.sum((x["a"] - 1.0) ** 2) - 0.5 * jnp.sum(x["b"] ** 2)

    method = blackjax.meanfield_vi(logdensity, optax.adam(0.1), num_samples=4)
    state = method.init({"a": jnp.zeros(2), "b": jnp.zeros(())})
    for i in range(2):
        state, info = method.step(jax.random.key(i), state)
    return state.mu, state.rho, info.elbo


def stein_variational_of_blackjax():
    method = blackjax.svgd(
        jax.grad(lambda x: -0.5 * jnp.sum((x - 1.0) ** 2)), optax.sgd(0.1), blackjax.vi.svgd.rbf_kernel
    )
    state = method.init(jnp.linspace(-1, 1, 6).reshape(3, 2))
    for _ in range(2):
        state = method.step(state)
    return state.particles


def flow_of_distrax():
    def log_prob(params, x):
        base = distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2))
        shift = distrax.ScalarAffine(params["shift"], log_scale=params["log_scale"])
        return distrax.Transformed(base, distrax.Block(shift, 1)).log_prob(x)

    params = {"shift": jnp.zeros(2), "log_scale": jnp.zeros(2)}
    tx, x = optax.adam(0.1), jnp.linspace(-1, 2, 8).reshape(4, 2)
    state = tx.init(params)
    for _ in range(3):
        grads = jax.grad(lambda p: -log_prob(p, x).mean())(params)
        updates, state = tx.update(grads, state)
        params = optax.apply_updates(params, updates)
    return params


def variational_autoencoder():
    def elbo(params, key, x):
        mean, log_std = jnp.split(x @ params["enc"], 2, axis=-1)
        posterior = distrax.MultivariateNormalDiag(mean, jnp.exp(log_std))
        z, _ = posterior.sample_and_log_prob(seed=key)
        kl = posterior.kl_divergence(distrax.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2)))
        logits = z @ params["dec"]
        return optax.sigmoid_binary_cross_entropy(logits, x).sum(-1).mean() + kl.mean()

    params = {"enc": jnp.full((3, 4), 0.1), "dec": jnp.full((2, 3), -0.1)}
    x = jnp.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    tx = optax.adamw(1e-2)
    state = tx.init(params)
    for i in range(2):
        loss, grads = jax.value_and_grad(elbo)(params, jax.random.key(i), x)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return loss, params
