"""Any tree of parameters: all kinds of containers, None, scalars, nothing; NumPy and complex leaves."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.core import FrozenDict
from law import (
    STEPS,
    declares,
    every,
    finite,
    kinds,
    leaves,
    make,
    near,
    per_leaf,
    problem,
    random,
    run,
    same_bits,
    step,
    update,
)

import gradchain as gc

K, B = (4, 3), (3,)


class Pair(NamedTuple):
    kernel: object
    bias: object


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Block:
    kernel: object
    bias: object


def rich(of):
    """A tree with a leaf of every kind of container, and places without leaves."""
    return {
        "data": Block(of(K, 0), of(B, 1)),
        "empty": {},
        "frozen": FrozenDict({"bias": of(B, 2), "kernel": of(K, 3)}),
        "list": [of(K, 4), [of(B, 5)]],
        "none": None,
        "tuple": (of(K, 6), Pair(of(K, 7), None)),
    }


def plain(of):
    """The same leaves at the same paths, in dicts."""
    return {
        "data": {"bias": of(B, 1), "kernel": of(K, 0)},
        "frozen": {"bias": of(B, 2), "kernel": of(K, 3)},
        "list": {"0": of(K, 4), "1": {"0": of(B, 5)}},
        "tuple": {"0": of(K, 6), "1": {"kernel": of(K, 7)}},
    }


def leaf(seed):
    return lambda shape, i: random([shape], seed=100 * seed + i)[0]


@every
def test_containers_do_not_matter(name):
    tx = make(name)
    params, grads = rich(leaf(0)), [rich(leaf(1)), rich(leaf(2))]
    state = tx.init(params)
    updates, after = update(tx)(grads[0], state, params)
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    assert jax.tree.structure(gc.apply_updates(params, updates)) == jax.tree.structure(params)
    assert kinds(after) == kinds(state)

    found, _ = run(step(tx), state, params, grads)
    twin = plain(leaf(0))
    expected, _ = run(step(tx), tx.init(twin), twin, [plain(leaf(1)), plain(leaf(2))])
    by_path = dict(zip(gc.tree.paths(found), jax.tree.leaves(found), strict=True))
    twins = dict(zip(gc.tree.paths(expected), jax.tree.leaves(expected), strict=True))
    assert set(by_path) == set(twins)
    order = sorted(by_path)  # a sum over leaves may take them in another order
    compare = same_bits if per_leaf(tx.body) else lambda x, y: near(x, y, 64)
    compare([by_path[p] for p in order], [twins[p] for p in order])


@every
def test_state_holds_one_array_per_leaf(name):
    """Never a container, None or an array without elements at a leaf: others' checkpoints record those."""
    params, _ = problem()
    state = make(name).init(params)
    assert isinstance(state, dict)
    for path, x in leaves(state).items():
        assert x.size > 0, path
    holes = jax.tree.leaves(
        state, is_leaf=lambda x: x is None or (isinstance(x, list | dict | tuple) and not x)
    )
    assert state == {} or all(hasattr(x, "dtype") for x in holes), "an empty container or None in the state"


@every
def test_nothing_to_optimise(name):
    tx = make(name)
    state = tx.init({})
    updates, after = update(tx)({}, state, {})
    assert updates == {} and kinds(after) == kinds(state)
    params, after = run(step(tx), state, {}, [{}] * STEPS)
    assert params == {} and kinds(after) == kinds(state)


@every
def test_one_bare_array(name):
    tx = make(name)
    params, grads = problem(shapes=K)
    found, state = run(step(tx), tx.init(params), params, grads)
    assert kinds(found) == kinds(params) and kinds(state) == kinds(tx.init(params))
    finite((found, state), "")


@every
def test_scalars_and_arrays_without_elements(name):
    tx = make(name)
    params, grads = problem(shapes={"kernel": K, "none": (0, 3), "one": (1, 1), "scalar": ()})
    found, state = run(step(tx), tx.init(params), params, grads)
    assert kinds(found) == kinds(params) and kinds(state) == kinds(tx.init(params))
    finite((found, state), "")


@every
def test_numpy_arrays(name):
    tx = make(name)
    params, grads = problem()
    expected = run(step(tx), tx.init(params), params, grads)
    host, host_grads = jax.tree.map(np.asarray, (params, grads))
    same_bits(run(step(tx), tx.init(host), host, host_grads), expected)


@every
def test_complex_parameters(name):
    """Complex numbers without imaginary part step as the real ones do, and others stay finite."""
    if declares(name, "real"):
        pytest.skip("declares that it takes real parameters only")
    tx = make(name)
    params, grads = problem(shapes={"kernel": K})
    expected, _ = run(step(tx), tx.init(params), params, grads)
    as_complex = jax.tree.map(lambda x: x.astype(jnp.complex64), (params, grads))
    state = tx.init(as_complex[0])
    found, after = run(step(tx), state, *as_complex)
    assert kinds(found) == kinds(as_complex[0]) and kinds(after) == kinds(state)
    if not declares(name, "random"):
        near(jax.tree.map(jnp.real, found), expected, 64)
        near(jax.tree.map(jnp.imag, found), jax.tree.map(jnp.zeros_like, expected), 0)

    turned = jax.tree.map(lambda x: x * jnp.exp(0.7j).astype(x.dtype), as_complex)
    finite(run(step(tx), tx.init(turned[0]), *turned), "")
