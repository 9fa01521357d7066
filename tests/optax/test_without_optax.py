"""gradchain.optax where Optax is not installed: its own classes stand for Optax's."""

import subprocess
import sys
import textwrap

PROGRAM = """
    import sys

    sys.modules["optax"] = None  # as if it were not installed: importing it is an ImportError
    import jax
    import jax.numpy as jnp

    import gradchain as gc
    import gradchain.optax as optax
    from gradchain.optax.surface import Transformation

    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
    mask = {"w": True, "b": False}
    own = optax.GradientTransformation(lambda p: optax.EmptyState(), lambda g, s, p=None: (g, s))
    tx = optax.chain(own, optax.masked(optax.scale_by_adam(), mask), optax.scale(-0.1))
    state = tx.init(params)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    assert isinstance(own, optax.GradientTransformation)
    assert state[1].inner_state.mu["b"] == optax.MaskedNode() and type(state[0]).__name__ == "EmptyState"
    updates, state = jax.jit(tx.update)(params, state, params)
    assert int(state[1].inner_state.count) == 1 and bool(jnp.allclose(updates["w"], -0.1))
    assert not isinstance(own, Transformation) and not isinstance(gc.adam(0.1), Transformation)
    assert optax.adam(0.1) == optax.adam(0.1) != own
    assert type(optax.with_extra_args_support(own)) is Transformation
    print("done")
"""


def test_without_optax():
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "done\n", ran.stderr
