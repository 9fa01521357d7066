"""What users of Optax suffer from in numbers: dtypes, half precision, weak types, derivatives.

"#n" is google-deepmind/optax; each check runs on gradchain, where it holds, and on Optax, where it must not.
"""

import jax
import jax.numpy as jnp
import numpy as np
from library import arrays, equal, fails_on_optax, finite, kinds, stepper


@fails_on_optax(AssertionError, "the state changed")
def test_pain_01_dtypes_are_stable(lib):
    """#1098, #1207, maxtext#2546: bfloat16 parameters with float32 gradients compile once."""
    tx, params, grads = lib.adam(0.1), arrays("bfloat16"), arrays()
    state = tx.init(params)
    step, before = stepper(lib, tx), kinds(state)
    for _ in range(2):
        params, state = step(grads, state, params)
    assert kinds(state) == before, "the state changed its dtypes"
    assert step._cache_size() == 1
    assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype("bfloat16")}


@fails_on_optax(AssertionError, "kept in bfloat16")
def test_pain_01_moments_are_float32(lib):
    """#1552, #1098: the second moment of bfloat16 parameters is not kept in bfloat16, where 0.999 is 1."""
    state = lib.adam(0.1).init(arrays("bfloat16"))
    assert not any("bfloat16" in str(dtype) for _, dtype, _ in kinds(state).values()), "kept in bfloat16"


@fails_on_optax(AssertionError, "b2 is 1.0")
def test_pain_02_hyperparameters_are_float32(lib):
    """#1414, #1532: b2 of 0.999 in the state is not 1.0 where the parameters are bfloat16."""
    params = arrays("bfloat16")
    tx = lib.tunable("adamw", learning_rate=1e-3, b2=0.999)
    b2 = lib.hyperparams(tx, tx.init(params))["b2"]
    assert b2 == np.float32(0.999), f"b2 is {float(b2)}"
    assert b2.dtype == jnp.float32


@fails_on_optax(AssertionError, "NaN after one step")
def test_pain_02_tunable_is_the_same_optimizer(lib):
    """#1414, #583: hyperparameters in the state give the trajectory of constants, in bfloat16."""
    params, grads = arrays("bfloat16"), arrays("bfloat16")
    found = {}
    for kind, tx in (
        ("tunable", lib.tunable("adamw", learning_rate=1e-2, b1=0.9, b2=0.999)),
        ("constant", lib.adamw(learning_rate=1e-2, b1=0.9, b2=0.999)),
    ):
        p, s, step = params, tx.init(params), stepper(lib, tx)
        for _ in range(3):
            p, s = step(grads, s, p)
        found[kind] = p
    assert finite(found["tunable"]), "NaN after one step"
    assert equal(found["tunable"], found["constant"])


@fails_on_optax(jax.errors.TracerBoolConversionError, "boolean conversion of traced array")
def test_pain_02_init_is_jitted(lib):
    """#412, #1532: adafactor with its learning rate in the state can be initialised under jit."""
    tx, params = lib.tunable("adafactor", learning_rate=1e-3), arrays()
    assert equal(jax.jit(tx.init)(params), tx.init(params))


@fails_on_optax(AssertionError, "NaN from zero gradients")
def test_pain_11_zero_gradients_in_float16(lib):
    """#1754, #1784: eps of 1e-8 is zero in float16; a zero gradient is no 0 / 0 all the same."""
    params = {"kernel": jnp.ones((2, 2), jnp.float16)}
    zero = jax.tree.map(jnp.zeros_like, params)
    wrong = []
    for name, make in lib.optimizers().items():
        tx = make(learning_rate=0.1)
        updates, _ = tx.update(zero, tx.init(params), params)
        if not finite(updates):
            wrong.append(name)
    assert not wrong, f"NaN from zero gradients: {wrong}"


@fails_on_optax(AssertionError, "clipped to nothing")
def test_pain_11_clipping_in_float16(lib):
    """#1752, #1789: the norm of float16 gradients does not overflow; clipping keeps their direction."""
    grads = {"kernel": jnp.full((300,), 300.0, jnp.float16)}  # the norm is 5196, its square beyond float16
    tx = lib.clip_by_global_norm(1.0)
    clipped, _ = tx.update(grads, tx.init(grads))
    norm = np.linalg.norm(np.asarray(clipped["kernel"], np.float64))
    assert abs(norm - 1) < 1e-3, f"clipped to nothing: {norm}"


@fails_on_optax(AssertionError, "weakly typed")
def test_pain_20_state_is_strongly_typed(lib):
    """#1440, #1175: the state of weakly typed parameters (jnp.full) is strong, and the same after a step."""
    params = {"kernel": jnp.full((3, 2), 1.0)}
    assert params["kernel"].weak_type
    tx = lib.adam(0.1)
    state = tx.init(params)
    weak = [path for path, (_, _, weak) in kinds(state).items() if weak]
    assert not weak, f"weakly typed: {weak}"
    assert kinds(stepper(lib, tx)(params, state, params)[1]) == kinds(state)


@fails_on_optax(AssertionError, "compiled for twice")
def test_pain_20_one_compilation(lib):
    """#1440: a step on its own state is compiled once, whatever the parameters were made of."""
    tx, params = lib.adam(0.1), {"kernel": jnp.full((3, 2), 1.0)}
    state, grads = tx.init(params), {"kernel": jnp.ones((3, 2))}
    update = jax.jit(lambda grads, state: tx.update(grads, state))
    for _ in range(2):
        _, state = update(grads, state)
    assert update._cache_size() == 1, "compiled for twice"


@fails_on_optax(AssertionError, "the derivative is NaN")
def test_pain_25_adam_can_be_differentiated(lib):
    """#882: the derivative through a step of Adam with a zero in its gradient is finite and right."""
    tx = lib.adam(0.1, eps=0.5)

    def after(w):  # a loss of w^2 / 2 for the first weight, none for the second
        params = {"w": w}
        updates, _ = tx.update({"w": w * jnp.array([1.0, 0.0])}, tx.init(params), params)
        return jnp.sum(lib.apply_updates(params, updates)["w"])

    found = jax.grad(after)(jnp.array([2.0, 2.0]))
    assert finite(found), f"the derivative is NaN: {found}"
    # The first step is w - 0.1 w / (|w| + 0.5); its derivative at 2 is 1 - 0.1 * 0.5 / 2.5^2.
    np.testing.assert_allclose(found, [1 - 0.1 * 0.5 / 2.5**2, 1.0], rtol=1e-5)


@fails_on_optax(AssertionError, "the derivative is NaN")
def test_pain_25_clipping_can_be_differentiated(lib):
    """#882: so is the derivative through clipping by the global norm, at gradients that are all zero."""
    tx = lib.clip_by_global_norm(1.0)

    def after(w):
        return jnp.sum(tx.update({"w": w}, tx.init({"w": w}))[0]["w"])

    found = jax.grad(after)(jnp.zeros(2))
    assert finite(found), f"the derivative is NaN: {found}"
    np.testing.assert_array_equal(found, [1.0, 1.0])
