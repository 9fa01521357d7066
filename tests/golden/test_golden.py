"""Trajectories of independent implementations, in float64; `tests/golden/generate.py` wrote them."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from docs.pages import compared
from gradchain import testing
from tests.sampled import evenly, slow_but

GOLDEN = Path(__file__).parent
RECORDS = [case for file in sorted(GOLDEN.glob("*.json")) for case in json.loads(file.read_text())]
CASES = {case["name"]: case for case in RECORDS}
ARRAYS = {
    key: file for path in sorted(GOLDEN.glob("*.npz")) for file in [np.load(path)] for key in file.files
}
FLOAT32_BOUND = 1e-4  # of the largest entry of a leaf's trajectory
QUICK = {"xla_backend_optimization_level": 0}  # most of the time here is compilation
# The quick suite runs so many tests and no more, each case in one of them while there are not more cases;
# `make test-golden` all other trajectories; the slow suite all tests.
KEPT = evenly([*CASES], 200)
TRAJECTORY, FLOAT32, MOVED = (
    pytest.mark.parametrize(
        "name", slow_but([*CASES], {name for i, name in enumerate(KEPT) if i % 4 in part})
    )
    for part in ((0, 2), (1,), (3,))
)


def loss(params) -> jax.Array:
    return sum(jnp.sum((p - 0.5) ** 2) for p in params.values())


def arrays(prefix: str, dtype=np.float64) -> dict[str, np.ndarray]:
    prefix += "/"
    return {k.removeprefix(prefix): f[k].astype(dtype) for k, f in ARRAYS.items() if k.startswith(prefix)}


def trajectory(tx: gc.Transform, params, grads) -> dict[str, jax.Array]:
    """The parameters after each step, [steps, *shape], and their averages where the optimizer keeps some."""

    def step(carry, g):
        params, state = carry
        extra = {"value": loss(params)} if "value" in tx.body.needs else {}
        if "grad_fn" in tx.body.needs:
            moved = lambda x, p, g: g + jnp.sin(x) - jnp.sin(p)  # noqa: E731
            extra["grad_fn"] = lambda x, p=params, g=g: jax.tree.map(moved, x, p, g)
        updates, state = tx.update(g, state, params, **extra)
        params = gc.apply_updates(params, updates)
        seen = dict(params)
        if tx.name.startswith(("asgd", "average", "diloco", "gpa", "lookahead", "schedule_free")):
            seen |= {f"average/{k}": v for k, v in gc.eval_params(tx, state, params).items()}
        return (params, state), seen

    return jax.lax.scan(step, (params, tx.init(params)), grads)[1]


def run(config: dict, params, grads, options=None) -> dict[str, jax.Array]:
    tx = gc.from_config(config)
    return jax.jit(lambda p, g: trajectory(tx, p, g), compiler_options=options)(params, grads)


def golden(case: dict, dtype=np.float64) -> tuple[dict, dict, dict]:
    """Initial parameters, gradients and the oracle's trajectory."""
    problem = case["problem"]
    return arrays(f"{problem}/params", dtype), arrays(f"{problem}/grads", dtype), arrays(case["name"])


@TRAJECTORY
def test_trajectory(name: str):
    case = CASES[name]
    with jax.enable_x64(True):
        params, grads, expected = golden(case)
        found = run(case["config"], params, grads)
    units = testing.distance(found, expected, case["rtol"])
    assert units <= 1, case["oracle"]
    if recorded := compared.measured()["golden"].get(name):  # test_compared asks for those that are not there
        assert compared.alike(units * case["rtol"], recorded["deviation"]), (
            f"run: make deviations ARGS={name}"
        )


@FLOAT32
def test_float32_stays_near(name: str):
    case = CASES[name]
    params, grads, expected = golden(case, np.float32)
    found = run(case["config"], params, grads, QUICK)
    for leaf, e in expected.items():
        assert found[leaf].dtype == jnp.float32
        assert np.max(np.abs(found[leaf] - e)) <= FLOAT32_BOUND * np.max(np.abs(e)), leaf


@MOVED
def test_every_hyperparameter_matters(name: str):
    """A golden test that some number cannot fail says nothing of it: each must move the trajectory."""
    case = CASES[name]
    with jax.enable_x64(True):
        params, grads, expected = golden(case)
        testing.sensitive(
            case["config"],
            lambda tx: trajectory(tx, params, grads),
            case["rtol"],
            insensitive=case["insensitive"],
            expected=expected,
            options=QUICK,
        )


def test_names_are_unique():
    assert len(CASES) == len(RECORDS)


def test_reasons_for_what_cannot_matter():
    assert all(reason for case in CASES.values() for reason in case["insensitive"].values())
