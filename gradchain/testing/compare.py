"""How laws compare trees: kinds, bits, units in the last place; a failure names the leaf and its values."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


def require(condition: Any, found: str) -> None:
    """An AssertionError that says what was found; unlike `assert` it is there under python -O."""
    if not condition:
        raise AssertionError(found)


class Kind(NamedTuple):
    """What must not change about an array from step to step."""

    shape: tuple[int, ...]
    dtype: str
    weak: bool


def kinds(tree) -> Any:
    """The kind of every leaf, in the tree's structure."""
    return jax.tree.map(
        lambda x: Kind(tuple(x.shape), str(x.dtype), bool(getattr(x, "weak_type", False))), tree
    )


def _text(kind: Kind) -> str:
    return f"{kind.dtype}{list(kind.shape)}{' of weak type' if kind.weak else ''}"


def _by_path(tree, is_leaf=None) -> dict[str, Any]:
    found = jax.tree_util.tree_flatten_with_path(tree, is_leaf)[0]
    return {jax.tree_util.keystr(path): x for path, x in found}


def same_structure(found, expected, what: str) -> None:
    """Require that two trees have leaves at the same places, in the same containers."""
    one, other = jax.tree.structure(found), jax.tree.structure(expected)
    require(one == other, f"{what} has the structure {one}; expected {other}")


def same_kinds(found, expected, what: str) -> None:
    """Require that leaves have the same shapes, dtypes and weak types."""
    same_structure(found, expected, what)
    is_kind = lambda x: isinstance(x, Kind)  # noqa: E731
    others = _by_path(kinds(expected), is_kind)
    for path, kind in _by_path(kinds(found), is_kind).items():
        require(kind == others[path], f"{what} {path} is {_text(kind)}; expected {_text(others[path])}")


def leaves(tree) -> dict[str, np.ndarray]:
    """Every leaf by path, as NumPy arrays; keys of random numbers as their data."""
    found = {}
    for path, x in _by_path(tree).items():
        x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        found[path] = np.asarray(x)
    return found


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def _pairs(found, expected):
    found, expected = leaves(found), leaves(expected)
    require(list(found) == list(expected), f"leaves at {list(found)}; expected {list(expected)}")
    for path, x in found.items():
        y = expected[path]
        require(x.shape == y.shape, f"{path} has the shape {list(x.shape)}; expected {list(y.shape)}")
        yield path, x, y


def same_bits(found, expected) -> None:
    """Require that two trees hold the same bits, NaN included."""
    for path, x, y in _pairs(found, expected):
        require(x.dtype == y.dtype, f"{path} is {x.dtype}; expected {y.dtype}")
        require(x.tobytes() == y.tobytes(), f"{path} holds {x}; expected the same bits as {y}")


def near(found, expected, ulps: float, dtype=None) -> None:
    """Require that leaves differ by at most `ulps` units in the last place of a leaf's largest entry."""
    for path, x, y in _pairs(found, expected):
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            require(np.array_equal(x, y), f"{path} holds {x}; expected {y}")
            continue
        eps = max(float(jnp.finfo(t).eps) for t in (x.dtype, y.dtype, dtype or x.dtype))
        x, y = _wide(x), _wide(y)
        size = max(np.max(np.abs(y), initial=0), 1e-200)
        off = np.max(np.abs(x - y), initial=0) / (eps * size)
        require(
            off <= ulps,
            f"{path} is off by {off:.3g} ulp of its largest entry: it holds {x}; expected {y}",
        )


def finite(tree, what: str) -> None:
    """Require that no leaf holds an infinity or a NaN."""
    for path, x in leaves(tree).items():
        if jnp.issubdtype(x.dtype, jnp.inexact):
            require(np.all(np.isfinite(_wide(x))), f"{what} {path} is not finite: {x}")
