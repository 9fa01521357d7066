"""Trajectories of independent implementations, in float64; `tests/golden/generate.py` wrote them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

GOLDEN = Path(__file__).parent
CASES = {case["name"]: case for case in json.loads((GOLDEN / "cases.json").read_text())}
ARRAYS = np.load(GOLDEN / "trajectories.npz")
FLOAT32_BOUND = 1e-4  # of the largest entry of a leaf's trajectory
QUICK = {"xla_backend_optimization_level": 0}  # most of the time here is compilation
NAMES = pytest.mark.parametrize("name", CASES)

Keys = tuple[str | int, ...]  # the way to a number in a config


def arrays(prefix: str, dtype=np.float64) -> dict[str, np.ndarray]:
    prefix += "/"
    return {k.removeprefix(prefix): ARRAYS[k].astype(dtype) for k in ARRAYS.files if k.startswith(prefix)}


def trajectory(config: dict, params, grads) -> dict[str, jax.Array]:
    """The parameters after each step, [steps, *shape], and their averages where the optimizer keeps some."""
    tx = gc.from_config(config)

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = gc.apply_updates(params, updates)
        seen = dict(params)
        if config.keys() & {"average", "lookahead"}:
            seen |= {f"average/{k}": v for k, v in gc.eval_params(tx, state, params).items()}
        return (params, state), seen

    return jax.lax.scan(step, (params, tx.init(params)), grads)[1]


def run(config: dict, params, grads, options=None) -> dict[str, jax.Array]:
    return jax.jit(lambda p, g: trajectory(config, p, g), compiler_options=options)(params, grads)


def golden(case: dict, dtype=np.float64) -> tuple[dict, dict, dict]:
    """Initial parameters, gradients and the oracle's trajectory."""
    problem = case["problem"]
    return arrays(f"{problem}/params", dtype), arrays(f"{problem}/grads", dtype), arrays(case["name"])


def distance(found, expected, rtol: float) -> float:
    """The largest difference in units of the tolerance, rtol * (|expected| + 0.01); NaN where one is NaN."""
    assert set(found) == set(expected)
    units = [np.abs(np.asarray(found[k]) - e) / (rtol * (np.abs(e) + 0.01)) for k, e in expected.items()]
    return float(np.max([np.max(u) for u in units]))


@NAMES
def test_trajectory(name: str):
    case = CASES[name]
    with jax.enable_x64(True):
        params, grads, expected = golden(case)
        found = run(case["config"], params, grads)
    assert distance(found, expected, case["rtol"]) <= 1, case["oracle"]


@NAMES
def test_float32_stays_near(name: str):
    case = CASES[name]
    params, grads, expected = golden(case, np.float32)
    found = run(case["config"], params, grads, QUICK)
    for leaf, e in expected.items():
        assert found[leaf].dtype == jnp.float32
        assert np.max(np.abs(found[leaf] - e)) <= FLOAT32_BOUND * np.max(np.abs(e)), leaf


def numbers(config: Any, keys: Keys = ()) -> Iterator[tuple[Keys, float | int]]:
    """Every numeric hyperparameter of a config, and where it stands."""
    if isinstance(config, dict | list):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            yield from numbers(value, (*keys, key))
    elif isinstance(config, int | float) and not isinstance(config, bool):
        yield keys, config


def replaced(config: Any, keys: Keys, value: Any) -> Any:
    """The config with another value at `keys`."""
    if not keys:
        return value
    new = copy.copy(config)
    new[keys[0]] = replaced(config[keys[0]], keys[1:], value)
    return new


def changed(value: float | int) -> float | int:
    """Another value: one more for an integer, a tenth less otherwise, 0.001 for zero."""
    if isinstance(value, int):
        return value + 1
    return 0.9 * value if value else 1e-3


def can_be_traced(keys: Keys) -> bool:
    factory = gc.REGISTRY.get(keys[-2]) if len(keys) > 1 else None
    return factory is not None and keys[-1] in factory.ranges and not factory.ranges[keys[-1]].integer


@NAMES
def test_every_hyperparameter_matters(name: str):
    """A golden test that some number cannot fail says nothing of it: each must move the trajectory."""
    case = CASES[name]
    config, rtol = case["config"], case["rtol"]
    found = list(numbers(config))
    assert set(case["insensitive"]) <= {keys[-1] for keys, _ in found}
    traced = [(keys, v) for keys, v in found if can_be_traced(keys)]
    with jax.enable_x64(True):
        params, grads, expected = golden(case)
        base = np.array([v for _, v in traced])
        swapped = [np.where(np.arange(len(base)) == i, changed(v), base) for i, (_, v) in enumerate(traced)]

        def with_values(row):
            new = config
            for (keys, _), value in zip(traced, row, strict=True):
                new = replaced(new, keys, value)
            return trajectory(new, params, grads)

        many = jax.jit(jax.vmap(with_values), compiler_options=QUICK)
        unmoved, *variants = unstack(many(np.stack([base, *swapped]))) if traced else [expected]
        assert distance(unmoved, expected, rtol) <= 1, "an operand and a constant of one value differ"
        moved = {keys: distance(x, expected, rtol) for (keys, _), x in zip(traced, variants, strict=True)}
        for keys, value in found:
            if keys not in moved:
                variant = run(replaced(config, keys, changed(value)), params, grads, QUICK)
                moved[keys] = distance(variant, expected, rtol)
    for keys, d in moved.items():
        assert d <= 1 if keys[-1] in case["insensitive"] else d > 100, (keys, d)


def unstack(tree: dict[str, jax.Array]) -> list[dict[str, np.ndarray]]:
    return [{k: np.asarray(v[i]) for k, v in tree.items()} for i in range(len(next(iter(tree.values()))))]


def test_reasons_for_what_cannot_matter():
    assert all(reason for case in CASES.values() for reason in case["insensitive"].values())
