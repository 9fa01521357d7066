"""On |A (W - W*) B|^2, n = 24, A and B of condition 30: what preconditioning both sides is for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

N, CONDITION, STEPS = 24, 30.0, 200


def relative_loss(make):
    """The best over learning rates, linearly decaying, of a grid whose ends are not the best."""
    rng = np.random.default_rng(0)

    def factor():
        (u, _), (v, _) = (np.linalg.qr(rng.standard_normal((N, N))) for _ in range(2))
        return u * np.geomspace(1, 1 / CONDITION, N) @ v

    a, b, goal = (jnp.asarray(x, jnp.float32) for x in (factor(), factor(), rng.standard_normal((N, N))))
    loss = lambda p: jnp.sum((a @ (p["kernel"] - goal) @ b) ** 2)  # noqa: E731
    start = {"kernel": jnp.zeros((N, N))}

    @jax.jit
    def final(rate):
        tx = make(lambda t: rate * (1 - t / STEPS))

        def step(carry, _):
            p, s = carry
            return tx.step(jax.grad(loss)(p), s, p), None

        (p, _), _ = jax.lax.scan(step, (start, tx.init(start)), None, STEPS)
        return loss(p) / loss(start)

    found = [float(final(rate)) for rate in np.geomspace(0.03, 30, 10)]
    best = int(np.nanargmin(found))
    assert 0 < best < 9
    return found[best]


@pytest.mark.slow
def test_order():
    """SOAP < Shampoo with sums < Adam < SGD; Shampoo with running means is below SOAP here."""
    found = {
        "soap": relative_loss(lambda rate: gc.soap(rate)),
        "sums": relative_loss(lambda rate: gc.shampoo(rate, sums=True)),
        "means": relative_loss(lambda rate: gc.shampoo(rate)),
        "adam": relative_loss(lambda rate: gc.adam(rate)),
        "sgd": relative_loss(lambda rate: gc.sgd(rate)),
    }
    print({k: f"{v:.2g}" for k, v in found.items()})
    assert found["soap"] < 0.2 * found["sums"] < 0.2 * found["adam"] < 0.1 * found["sgd"]
    assert found["means"] < found["soap"]
