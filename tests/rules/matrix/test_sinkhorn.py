"""SinkGD: one round is two links of `balance`, many make both norms equal."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc
from tests.rules.steps import close, draw, problem, stack_is_layers, take


def test_one_round_is_balance_twice():
    params, grads = problem({"kernel": (4, 6), "bias": (3,)}, 1)
    found = take(gc.scale_by_sinkhorn(iterations=1), params, grads).updates[0]
    twice = take(gc.chain(gc.balance("outputs"), gc.balance("inputs")), params, grads).updates[0]
    close(found["kernel"], twice["kernel"] * 6**0.5)
    close(found["bias"], jnp.sign(grads[0]["bias"]))


def test_many_rounds_give_rows_and_columns_one_norm():
    g = draw({"kernel": (4, 6)})
    (u,) = take(gc.scale_by_sinkhorn(iterations=30), g, [g]).updates
    square = np.asarray(u["kernel"]) ** 2
    close((square.mean(0), square.mean(1)), (np.ones(6), np.ones(4)), 1e-4)


def test_layers_of_a_stack_are_matrices():
    stack_is_layers(gc.scale_by_sinkhorn())


def test_huge_gradients_move():
    """Elements beyond 2^50 count as that, so that no square overflows."""
    g = draw({"kernel": (4, 6)})
    for size in (1e12, 1e20, 1e30):
        (u,) = take(gc.scale_by_sinkhorn(), g, [{"kernel": g["kernel"] * size}]).updates
        close(np.mean(np.square(u["kernel"])), 1.0, 1e-5)
