"""Any tree of parameters: all kinds of containers, None, scalars, nothing; NumPy and complex leaves."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import tree
from gradchain.testing.compare import finite, leaves, near, require, same_bits, same_kinds, same_structure
from gradchain.testing.law import law, laws_in
from gradchain.testing.problems import STEPS, array, problem
from gradchain.testing.subjects import Subject

ANY_TREE = (
    "A kernel sees one array and no container: lift it by gc.leafwise, or use gc.tree and jax.tree on trees."
)


class Pair(NamedTuple):
    kernel: Any
    bias: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Block:
    kernel: Any
    bias: Any


def _mapping(**items) -> Any:
    try:
        from flax.core import FrozenDict
    except ImportError:
        return items
    return FrozenDict(items)


def rich(k, b):
    """A tree with a leaf of every kind of container, and places without leaves."""
    return {
        "data": Block(k, b),
        "empty": {},
        "frozen": _mapping(bias=b, kernel=k),
        "list": [k, [b]],
        "none": None,
        "tuple": (k, Pair(k, None)),
    }


def plain(by_path) -> dict[str, Any]:
    """The same leaves at the same paths, in dicts."""
    found: dict[str, Any] = {}
    for path, x in by_path.items():
        *way, last = path.split("/")
        here = found
        for part in way:
            here = here.setdefault(part, {})
        here[last] = x
    return found


def by_path(params) -> dict[str, Any]:
    """Every leaf by its path, in the order of the paths."""
    return dict(sorted(zip(tree.paths(params), jax.tree.leaves(params), strict=True)))


@law(advice=ANY_TREE)
def containers_do_not_matter(subject: Subject) -> None:
    """Parameters in any container step as the same ones in dicts do."""
    shapes = rich(*subject.shape_pair)
    params, grads = problem(shapes, steps=2)
    state = subject.tx.init(params)
    updates, after = subject.update()(grads[0], state, params)
    same_structure(updates, params, "the tree of updates")
    same_structure(tree.apply_updates(params, updates), params, "the tree of parameters")
    same_kinds(after, state, "the state after an update")
    found = by_path(subject.run(params, grads)[0])
    as_dicts = lambda x: plain(by_path(x))  # noqa: E731
    expected = by_path(subject.run(as_dicts(params), [as_dicts(g) for g in grads])[0])
    require(list(found) == list(expected), f"paths {list(found)}; expected {list(expected)}")
    if subject.per_leaf:
        same_bits(found, expected)
    else:
        near(found, expected, 64)  # a sum over leaves may take them in another order


@law(advice="Keep per-leaf state in slots; what has none for a leaf keeps a scalar in its place.")
def state_holds_one_array_per_leaf(subject: Subject) -> None:
    """The state holds arrays with elements only: others' checkpoints record empty containers and None."""
    state = subject.tx.init(subject.problem(steps=1)[0])
    require(isinstance(state, dict), f"the state is a {type(state).__name__}; expected a dict by link")
    for path, x in leaves(state).items():
        require(x.size > 0, f"the state {path} has no elements")
    is_hole = lambda x: x is None or (isinstance(x, list | dict | tuple) and not x)  # noqa: E731
    for path, x in jax.tree_util.tree_flatten_with_path(state, is_leaf=is_hole)[0] if state else ():
        require(hasattr(x, "dtype"), f"the state {jax.tree_util.keystr(path)} is {x!r}; expected an array")


@law(advice=ANY_TREE + " A reduction over leaves starts from a number, for there may be none.")
def nothing_to_optimise(subject: Subject) -> None:
    """A tree without leaves is stepped without complaint."""
    tx: Any = subject.tx
    state = tx.init({})
    updates, after = subject.update()({}, state, {})
    require(updates == {}, f"the updates of no parameters are {updates}")
    same_kinds(after, state, "the state after an update")
    params, after = subject.run({}, [{}] * STEPS)
    require(params == {}, f"no parameters become {params}")
    same_kinds(after, state, "the state after steps")


def steps_stay_finite(subject: Subject, shapes) -> None:
    """Require that steps keep kinds and give finite numbers."""
    params, grads = problem(shapes)
    found, state = subject.run(params, grads)
    same_kinds(found, params, "the parameters after a step")
    same_kinds(state, subject.tx.init(params), "the state after a step")
    finite((found, state), "the (params, state)")


@law(advice=ANY_TREE)
def one_bare_array(subject: Subject) -> None:
    """The parameters may be a single array."""
    steps_stay_finite(subject, subject.shape_pair[0])


@law(advice="Means over no elements are 0/0: use gc.numerics.safe_divide.", dear=True)
def scalars_and_arrays_without_elements(subject: Subject) -> None:
    """Leaves may be scalars, or have no elements."""
    others = {"none": array(0, 3), "one": array(1, 1), "scalar": array()}
    steps_stay_finite(subject, {"kernel": subject.shape_pair[0], **others})


@law(advice="Use jnp, which takes both kinds of arrays, and no method that only one has.")
def numpy_arrays(subject: Subject) -> None:
    """NumPy arrays step as JAX's do, to the bit."""
    params, grads = jax.tree.map(np.asarray, subject.problem())
    same_bits(subject.run(params, grads), subject.eager)


@law(
    advice="Squares are g * conj(g): gc.numerics.abs2. Or declare the trait 'real'.",
    unless=("real",),
    dear=True,
)
def complex_parameters(subject: Subject) -> None:
    """Complex numbers without imaginary part step as the real ones do, and others stay finite."""
    shapes = {"kernel": subject.shape_pair[0]}
    params, grads = problem(shapes)
    as_complex = jax.tree.map(lambda x: x.astype(jnp.complex64), (params, grads))
    state = subject.tx.init(as_complex[0])
    found, after = subject.run(*as_complex)
    same_kinds(found, as_complex[0], "the parameters after a step")
    same_kinds(after, state, "the state after a step")
    if not subject.declares("random"):
        expected, _ = subject.run(params, grads)
        near(jax.tree.map(jnp.real, found), expected, 64)
        near(jax.tree.map(jnp.imag, found), jax.tree.map(jnp.zeros_like, expected), 0)
    turned = jax.tree.map(lambda x: x * jnp.exp(0.7j).astype(x.dtype), as_complex)
    finite(subject.run(*turned), "of complex numbers, the (params, state)")


LAWS = laws_in(globals())
