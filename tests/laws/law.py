"""What the laws share: every registered transform, trees to run it on, and how results are compared."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc
from gradchain.core.compose import Chain
from gradchain.core.leafwise import Leafwise
from gradchain.core.masks import Frozen, Masked, Partition

transform = sys.modules["gradchain.core.transform"]  # gc.transform is the decorator

every = pytest.mark.parametrize("name", sorted(gc.REGISTRY))
DTYPES = ("float64", "float32", "bfloat16", "float16")
STEPS = 3
SHAPES = {"dense": {"kernel": (4, 3), "bias": (3,)}}  # two kernels to compile, not more


def make(name: str, **changes) -> gc.Transform:
    """The registered transform with the arguments that its factory declares as an example."""
    factory = gc.REGISTRY[name]
    args = {**factory.example(), **changes}
    return transform.make(factory, (), args)


def declares(name: str, trait: str) -> bool:
    """Whether the factory says this of itself: an exemption from a law comes from here, never from a name.

    "matrices": norms or products over a leaf, so that the order of additions shows; "random": draws numbers,
    others for complex parameters; "real": takes real parameters only; "no_derivative": none through a step;
    "no_float16": takes no float16 parameters; "narrow_state": keeps some state in the parameter's own dtype;
    "codes": keeps state in codes made from float32; "host": keeps some in the host's memory;
    "any_leaf": works on whatever leaves the links beside it work on, and asks for none by itself;
    "specs": is told how parameters are split, which a trace on a mesh with automatic axes cannot see.
    """
    return trait in gc.REGISTRY[name].traits


def compilations(name: str) -> int:
    """Of a step from uncommitted parameters: arrays in the host's memory commit what comes out."""
    return 2 if declares(name, "host") else 1


def dtypes(name: str) -> tuple[str, ...]:
    """The dtypes of parameters that the transform takes."""
    return tuple(d for d in DTYPES if d != "float16" or not declares(name, "no_float16"))


def random(shapes, dtype="float32", seed=0, size=1.0):
    """A tree of normal numbers, one array per shape; real values also where the dtype is complex."""
    rng = np.random.default_rng(seed)
    is_shape = lambda x: isinstance(x, tuple) and all(isinstance(n, int) for n in x)  # noqa: E731
    return jax.tree.map(
        lambda s: jnp.asarray(size * rng.standard_normal(s), jnp.dtype(dtype)), shapes, is_leaf=is_shape
    )


def problem(dtype="float32", shapes=None, steps=STEPS, size=1.0):
    """Parameters, and a gradient for each step."""
    shapes = SHAPES if shapes is None else shapes
    return random(shapes, dtype), [random(shapes, dtype, 1 + i, size) for i in range(steps)]


# An extra argument of update is known by its name, whichever transform asks for it.
EXTRAS: dict[str, Callable[[Any, Any], Any]] = {
    "value": lambda params, grads: jnp.float32(1.5),
    "grad": lambda params, grads: grads,
    "value_fn": lambda params, grads: loss,
    "key": lambda params, grads: jax.random.key(0),
    "hessian_diagonal": lambda params, grads: jax.tree.map(jnp.square, grads),
}


def loss(params) -> jax.Array:
    """A convex function of any tree, in float32 at least."""
    wide = [gc.tree.wide(x) for x in jax.tree.leaves(params)]
    return sum((jnp.sum(jnp.square(jnp.abs(x - 0.5))) for x in wide), jnp.float32(0))


def extras(tx: gc.Transform, params, grads) -> dict[str, Any]:
    """The extra arguments that the transform asks for."""
    if unknown := tx.body.needs - set(EXTRAS):
        pytest.fail(f"{tx!r} needs {sorted(unknown)}: say in EXTRAS what such an argument is", pytrace=False)
    return {name: EXTRAS[name](params, grads) for name in sorted(tx.body.needs)}


def step(tx: gc.Transform):
    """step(grads, state, params) -> (params, state), with what the transform asks for."""
    return lambda grads, state, params: tx.step(grads, state, params, **extras(tx, params, grads))


def update(tx: gc.Transform):
    """update(grads, state, params) -> (updates, state), with what the transform asks for."""
    return lambda grads, state, params: tx.update(grads, state, params, **extras(tx, params, grads))


def run(do, state, params, grads):
    """Steps from a state: (params, state) after the last."""
    for g in grads:
        params, state = do(g, state, params)
    return params, state


def hypers(name: str) -> dict[str, Any]:
    """The hyperparameters that the example gives a number, by name."""
    factory, args = gc.REGISTRY[name], make(name).args
    return {k: args[k] for k in factory.ranges if isinstance(args.get(k), int | float)}


def nudged(name: str) -> dict[str, Any]:
    """Every hyperparameter at another value that its range allows."""
    ranges = gc.REGISTRY[name].ranges
    return {k: v + 1 if ranges[k].integer else 0.9 * v or 0.01 for k, v in hypers(name).items()}


def per_leaf(body) -> bool:
    """Whether no leaf's update depends on another leaf: leafwise links without `before`, however composed."""
    match body:
        case Leafwise():
            return body.before is None
        case Chain():
            return all(per_leaf(link.body) for link in body.links)
        case Masked() | Frozen():
            return per_leaf(body.inner.body)
        case Partition():
            return all(per_leaf(tx.body) for tx in body.groups.values())
    return False


class Kind(NamedTuple):
    """What must not change about an array from step to step."""

    shape: tuple[int, ...]
    dtype: str
    weak: bool


def kinds(tree) -> Any:
    """The kind of every leaf, in the tree's structure."""
    return jax.tree.map(lambda x: Kind(tuple(x.shape), str(x.dtype), bool(x.weak_type)), tree)


def leaves(tree) -> dict[str, np.ndarray]:
    """Every leaf by path, as NumPy arrays; bfloat16 and keys as something NumPy compares."""
    found = {}
    for path, x in jax.tree_util.tree_flatten_with_path(tree)[0]:
        x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        found[jax.tree_util.keystr(path)] = np.asarray(x)
    return found


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def same_bits(found, expected) -> None:
    """Assert that two trees hold the same bits, NaN included."""
    found, expected = leaves(found), leaves(expected)
    assert list(found) == list(expected)
    for path, x in found.items():
        y = expected[path]
        assert x.dtype == y.dtype and x.shape == y.shape, path
        assert x.tobytes() == y.tobytes(), f"{path}: {x} and {y}"


def near(found, expected, ulps: float, dtype=None) -> None:
    """Assert that leaves differ by no more than `ulps` units in the last place of a leaf's largest entry."""
    found, expected = leaves(found), leaves(expected)
    assert list(found) == list(expected)
    for path, x in found.items():
        y = expected[path]
        assert x.shape == y.shape, path
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            assert np.array_equal(x, y), f"{path}: {x} and {y}"
            continue
        eps = max(float(jnp.finfo(t).eps) for t in (x.dtype, y.dtype, dtype or x.dtype))
        x, y = _wide(x), _wide(y)
        size = max(np.max(np.abs(y), initial=0), 1e-200)
        off = np.max(np.abs(x - y), initial=0) / (eps * size)
        assert off <= ulps, f"{path}: off by {off:.3g} ulp of its largest entry: {x} and {y}"


def finite(tree, what: str) -> None:
    """Assert that no leaf holds an infinity or a NaN."""
    for path, x in leaves(tree).items():
        if jnp.issubdtype(x.dtype, jnp.inexact):
            assert np.all(np.isfinite(_wide(x))), f"{what}{path} is not finite: {x}"
