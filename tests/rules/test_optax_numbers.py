"""Arguments that give Optax's numbers, held against Optax itself in float64."""

import contextlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

optax = pytest.importorskip("optax")
contrib = pytest.importorskip("optax.contrib")

STEPS = 20
SHAPES = {"w": (7, 5), "wide": (3, 8), "b": (5,), "stack": (4, 3, 6), "x": ()}
EXACT = 1e-10
QUICK = {"xla_backend_optimization_level": 0}


class Case(NamedTuple):
    name: str
    theirs: dict[str, Any]  # Optax's arguments
    ours: dict[str, Any] = {}  # what is given besides  # noqa: RUF012
    rtol: float = EXACT
    contrib: bool = False

    def __repr__(self) -> str:
        given = {**self.theirs, **self.ours}
        return f"{self.name}({', '.join(map(str, given))})"


LR = {"learning_rate": 0.03}
B = {"b1": 0.8, "b2": 0.95}
EPS = {"eps": 1e-3, "eps_root": 1e-4}
DECAY = {"weight_decay": 0.1}
FLOAT32_DECAY = 5e-8  # Optax computes Adafactor's t^-0.8 in float32


def decay_rate(i, exponent):
    return 1.0 - (i + 2.0) ** -exponent


def bound(t):
    return 0.3 * (t + 1) ** 0.5


def last_axes(module):
    """Rows, columns and stacks other than by the leaves' names, and None for Adam."""
    numbers = module.MuonDimensionNumbers
    return {"w": numbers(1, 0), "wide": numbers(), "b": None, "stack": numbers((0, -1), 1), "x": None}


CASES = [
    Case("sgd", LR),
    Case("sgd", {**LR, "momentum": 0.8, "nesterov": True}),
    Case("trace", {"decay": 0.7}),
    Case("scale_by_learning_rate", {}),
    Case("scale_by_learning_rate", {**LR, "flip_sign": False}),
    Case("adagrad", LR),
    Case("adagrad", {**LR, "initial_accumulator_value": 0.3, "eps": 1e-3}),
    Case("rmsprop", LR),
    Case("rmsprop", {**LR, "decay": 0.8, "eps": 1e-3, "eps_in_sqrt": False, "momentum": 0.7}),
    Case("rmsprop", {**LR, "centered": True, "momentum": 0.7, "nesterov": True, "eps": 1e-3}),
    Case("rmsprop", {**LR, "initial_scale": 0.5, "centered": True, "eps_in_sqrt": False, "eps": 1e-3}),
    Case("rmsprop", {**LR, "bias_correction": True}),
    Case("scale_by_stddev", {"bias_correction": True, "decay": 0.8, "eps": 1e-2}),
    Case("adadelta", {"learning_rate": 1.0}),
    Case("adadelta", {"learning_rate": 0.5, "rho": 0.8, "eps": 1e-4, **DECAY}),
    Case("adam", LR),
    Case("adam", {**LR, **B, **EPS, "nesterov": True}),
    Case("adamw", {**LR, **B, **EPS, **DECAY, "nesterov": True}),
    Case("nadam", LR),
    Case("nadam", {**LR, **B, **EPS, "nesterov": False}),
    Case("nadamw", LR),
    Case("nadamw", {**LR, **B, **EPS, **DECAY, "nesterov": False}),
    Case("amsgrad", LR, {"debias_first": True}),
    Case("amsgrad", {**LR, **B, **EPS, "bias_correction_mu": False}, {"debias_first": True}),
    Case("amsgrad", {**LR, **B, **EPS, "bias_correction_nu": False}),
    Case("radam", LR),
    Case("radam", {**LR, **B, **EPS, "threshold": 4.5, "nesterov": True}),
    Case("lion", LR),
    Case("lion", {**LR, "b1": 0.8, "b2": 0.9, **DECAY}),
    Case("scale_by_lion", {"mode": "smooth", "smooth_beta": 0.7}),
    Case("scale_by_lion", {"mode": "refined", "b1": 0.6}),
    Case("lamb", LR, {"per_leaf": True}),
    Case("lamb", {**LR, **B, **EPS, **DECAY}, {"per_leaf": True}),
    Case("scale_by_trust_ratio", {}, {"per_leaf": True}),
    Case("scale_by_trust_ratio", {"min_norm": 1.5, "trust_coefficient": 0.7, "eps": 0.1}, {"per_leaf": True}),
    Case("lars", LR, {"per_leaf": True}),
    Case("lars", {**LR, **DECAY, "eps": 0.1, "nesterov": True}, {"per_leaf": True, "norm_of_sum": True}),
    Case("clip_by_block_rms", {"threshold": 0.5}, {"per_leaf": True}),
    Case("scale_by_param_block_rms", {"min_scale": 0.9}, {"per_leaf": True}),
    Case(
        "scale_by_factored_rms",
        {"min_dim_size_to_factor": 3, "decay_rate_fn": decay_rate, "epsilon": 1e-3},
        {"longest_axes": True},
    ),
    Case("scale_by_factored_rms", {"factored": False}, rtol=FLOAT32_DECAY),
    Case("adafactor", LR, {"longest_axes": True, "per_leaf": True}, rtol=FLOAT32_DECAY),
    Case(
        "adafactor",
        {**LR, "min_dim_size_to_factor": 3, "momentum": 0.8, "weight_decay_rate": 0.01, "eps": 1e-3},
        {"longest_axes": True, "per_leaf": True},
        rtol=FLOAT32_DECAY,
    ),
    Case("adabelief", LR),
    Case("adabelief", {**LR, **B, **EPS, "nesterov": True}),
    Case("adamax", LR),
    Case("adamaxw", {**LR, **B, "eps": 1e-2, **DECAY}),
    Case("yogi", LR, {"fill_mu": True}),
    Case(
        "scale_by_yogi",
        {**B, **EPS, "initial_accumulator_value": 0.3},
        {"fill_mu": True},
    ),
    Case("novograd", LR, {"per_leaf": True}),
    Case("novograd", {**LR, **B, **EPS, **DECAY}, {"per_leaf": True}),
    Case("optimistic_gradient_descent", {**LR, "alpha": 0.8, "beta": 0.6}),
    Case("optimistic_adam", LR),
    Case("optimistic_adam", {**LR, **B, **EPS, "optimism": 0.01, "nesterov": False}),
    Case("optimistic_adam_v2", {**LR, **B, "alpha": 0.8, "beta": 0.6}),
    Case("acprop", LR, {"old_mean": True}, contrib=True),
    Case("acprop", {**LR, **B, **EPS, **DECAY}, {"old_mean": True}, contrib=True),
    Case("ademamix", LR, contrib=True),
    Case("ademamix", {**LR, **B, **EPS, **DECAY, "b3": 0.99, "alpha": 3.0}, contrib=True),
    Case("simplified_ademamix", LR, contrib=True),
    Case("simplified_ademamix", {**LR, **B, **EPS, **DECAY, "alpha": 0.5}, contrib=True),
    Case("adopt", LR, contrib=True),
    Case("adopt", {**LR, **B, "eps": 0.5, "nesterov": True, "clip_value_fn": bound}, contrib=True),
    Case("adopt", {**LR, **B, "use_clipping": False}, contrib=True),
]


QUICK_ONES = {
    "adamaxw",
    "adopt",
    "ademamix",
    "optimistic_adam",
    "scale_by_lion",
}  # of those without more arguments


def params_of():
    """The second call of each rule, with other arguments than the defaults; the slow suite runs all."""
    for i, case in enumerate(CASES):
        last = i + 1 == len(CASES) or CASES[i + 1].name != case.name
        dear = not last or not (case.ours or case.name in QUICK_ONES)
        yield pytest.param(case, marks=[pytest.mark.slow] * dear, id=repr(case))


def trajectory(tx, params, grads):
    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        return (params, state), params

    def run(params, grads):
        return jax.lax.scan(step, (params, tx.init(params)), grads)[1]

    return jax.jit(run, compiler_options=QUICK)(params, grads)


def problem(shapes):
    rng = np.random.default_rng(7)
    params = {k: jnp.asarray(rng.normal(size=s)) for k, s in shapes.items()}
    drift = {k: rng.normal(size=s) for k, s in shapes.items()}
    grads = {k: jnp.asarray(0.4 * drift[k] + rng.normal(size=(STEPS, *s))) for k, s in shapes.items()}
    return params, grads


def agree(ours, theirs, shapes, rtol: float) -> None:
    with jax.enable_x64(True):
        params, grads = problem(shapes)
        found, expected = trajectory(ours(), params, grads), trajectory(theirs(), params, grads)
    for leaf, e in expected.items():
        assert found[leaf].dtype == jnp.float64
        np.testing.assert_allclose(found[leaf], e, rtol=rtol, atol=rtol * np.max(np.abs(e)), err_msg=leaf)


@pytest.mark.parametrize("case", list(params_of()))
def test_numbers(case: Case):
    module = contrib if case.contrib else optax

    def theirs():
        quiet = case.name == "optimistic_adam"  # deprecated there
        with pytest.warns(DeprecationWarning) if quiet else contextlib.nullcontext():
            return getattr(module, case.name)(**case.theirs)

    agree(lambda: getattr(gc, case.name)(**case.theirs, **case.ours), theirs, SHAPES, case.rtol)


def rates_and_masks() -> dict[str, Any]:
    mask = {"w": True, "wide": False, "b": False, "stack": True, "x": False}
    return {
        "learning_rate": 0.02,
        "adam_learning_rate": 0.1,
        "adam_weight_decay": 0.2,
        "consistent_rms": 0.2,
        "weight_decay_mask": mask,
        "preconditioning": "aol",
        "eps": 1e-3,
        **DECAY,
    }


MUON = {"adam_mask": True, "bias_correction": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"learning_rate": 0.02}, {"adam_nesterov": True}),
        (
            {
                "learning_rate": 0.02,
                "ns_coeffs": "dion",
                "beta": 0.8,
                "eps": 1e-3,
                **DECAY,
                "nesterov": False,
            },
            {},
        ),
        (rates_and_masks(), {"adam_nesterov": True, "eps_floor": True}),
        (
            {"learning_rate": 0.02, "preconditioning": "schatten", "adaptive": True},
            {"adam_nesterov": True, "eps_floor": True},
        ),
    ],
    ids=["defaults", "dion", "aol", "schatten"],
)
def test_muon(theirs, ours):
    agree(
        lambda: gc.muon(**theirs, **ours, **MUON, muon_weight_dimension_numbers=gc.matrices_alone),
        lambda: contrib.muon(**theirs),
        SHAPES,
        EXACT,
    )


@pytest.mark.parametrize("of_params", [pytest.param(False, marks=pytest.mark.slow), True])
def test_muon_of_dimension_numbers(of_params: bool):
    """Rows, columns and stacks that no name of a leaf says, from a tree of them or a function."""

    def given(module):
        return (lambda params: last_axes(module)) if of_params else last_axes(module)

    agree(
        lambda: gc.muon(0.02, muon_weight_dimension_numbers=given(gc), adam_nesterov=True, **MUON),
        lambda: contrib.muon(0.02, muon_weight_dimension_numbers=given(contrib)),
        SHAPES,
        EXACT,
    )


@pytest.mark.slow
def test_scale_by_muon_of_dimension_numbers():
    shapes = {"w": (7, 5), "stack": (4, 3, 6)}

    def given(module):
        return {"w": module.MuonDimensionNumbers(1, 0), "stack": module.MuonDimensionNumbers(2, (0, 1))}

    agree(
        lambda: gc.scale_by_muon(weight_dimension_numbers=given(gc), bias_correction=True),
        lambda: contrib.scale_by_muon(weight_dimension_numbers=given(contrib)),
        shapes,
        EXACT,
    )
