"""Transforms as Optax's: pairs of functions whose state has Optax's form."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import tree
from gradchain.core.codec import Plan
from gradchain.core.recipe import Factory
from gradchain.core.transform import Context, Transform
from gradchain.optax.describe import form
from gradchain.optax.form import Form, FormError, Table
from gradchain.optax.numbers import NUMBERS, numbers_of
from gradchain.optax.types import GradientTransformationExtraArgs, MaskedNode

PyTree = Any
PLAIN: dict[Callable[..., Transformation], Callable[..., Transform]] = {}  # the factory that each one calls


@dataclasses.dataclass(frozen=True)
class Run:
    """The two functions of a transform on states in Optax's form."""

    tx: Transform

    @functools.cached_property
    def form(self) -> Form:
        """Where everything stands."""
        return form(self.tx)

    def init(self, params: PyTree) -> Any:
        """The state for parameters, in Optax's form."""
        params = of_arrays(self.tx, arrays(params))
        init = lambda params: self.formed(self.tx.init(params, plan=plan_of(params)), params)  # noqa: E731
        return of_shapes(init, params, self.tx.name) if is_abstract(params) else init(params)

    def update(self, updates: PyTree, state: Any, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
        """Updates to add to the parameters, and the new state, in the form that the old one has."""
        return self._run(updates, state, params, extra, False)

    def step(self, grads: PyTree, state: Any, params: PyTree, **extra: Any) -> tuple[PyTree, Any]:
        """The new parameters and state: update and apply in one."""
        return self._run(grads, state, params, extra, True)

    def _run(self, updates, state, params, extra, apply):
        updates, params = arrays(updates), None if params is None else arrays(params)
        params = None if params is None else with_gradients(self.tx, updates, params)
        ctx = Context(extra, apply, plan_of(updates))
        if self.form.shows_nothing:  # whatever state is given
            out, _ = self.tx.run(updates, self.form.start(), params, ctx)
            return (out if apply else like(out, updates, params)), state
        flat = self.flat(state, updates)
        out, new = self.tx.run(updates, flat, params, ctx)
        out = out if apply else like(out, updates, params)
        return out, new if flat is state else self.formed(new, updates)

    def formed(self, state: Mapping[str, Any], params: PyTree) -> Any:
        """Optax's form of a state of links."""
        return self.form.out(state, params)

    def flat(self, state: Any, params: PyTree) -> Any:
        """The state of links, of one in either form."""
        links = isinstance(state, Mapping) and set(state) == set(self.tx.body.keys)
        if not self.tx.body.keys or (links and not isinstance(self.form.root, Table)):
            return state
        try:  # of a named chain both forms may have the same keys
            return self.form.into(state, params)
        except FormError as error:
            if links:
                return state
            raise ValueError(
                f"{self.tx.name}: in the state {error}; it belongs to another optimizer: make a new one with "
                "init(params)"
            ) from None


def is_abstract(params: PyTree) -> bool:
    """Whether only shapes of parameters are known, not their values."""
    return any(isinstance(x, jax.ShapeDtypeStruct) for x in jax.tree.leaves(params))


def of_shapes(init: Callable[[PyTree], Any], params: PyTree, name: str) -> Any:
    """The state for parameters of which only shapes are known, if it starts the same for all values."""
    program = jax.make_jaxpr(init)(params).jaxpr
    known: set[Any] = {id(x) for x in program.invars}
    for line in program.eqns:
        if any(id(x) in known for x in line.invars):
            known |= {id(x) for x in line.outvars}
    if any(id(x) in known for x in program.outvars):
        raise TypeError(
            f"{name}: the state starts with values of the parameters, and only their shapes are given: use "
            "jax.eval_shape(tx.init, params)"
        )
    return jax.jit(lambda: init(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), params)))()


def plan_of(whole: PyTree) -> Plan:
    """The plan under which another library's transformation sees MaskedNode for what a mask leaves out."""

    def lift(values: PyTree) -> PyTree:
        same = jax.tree.structure(values) == jax.tree.structure(whole)
        if same or not isinstance(values, Mapping) or not set(values) <= set(tree.paths(whole)):
            return values
        return tree.map_paths(lambda path, _: values.get(path, MaskedNode()), whole)

    return Plan(lift=lift)


def with_gradients(tx: Transform, updates: PyTree, params: PyTree) -> PyTree:
    """Parameters without what has None for its gradient: Optax takes a whole module beside them."""
    if jax.tree.structure(updates) == jax.tree.structure(params):
        return params
    none = jax.tree.map(lambda g: g is None, updates, is_leaf=lambda g: g is None)
    gone = {path for path, there in zip(tree.paths(none), jax.tree.leaves(none), strict=True) if there}
    return without(tx, params, gone)


def of_arrays(tx: Transform, params: PyTree) -> PyTree:
    """Parameters without functions and the like, which Optax takes where it makes no state for them."""
    if all(hasattr(x, "dtype") for x in jax.tree.leaves(params)):
        return params
    rows = zip(tree.paths(params), jax.tree.leaves(params), strict=True)
    return without(tx, params, {path for path, x in rows if not hasattr(x, "dtype")})


def without(tx: Transform, params: PyTree, gone: Collection[str]) -> PyTree:
    """Parameters with None in the place of leaves that the transform acts on, by their paths."""
    leaves, treedef = jax.tree.flatten(params)
    rows = zip(tree.paths(params), tx.body.acts(params), leaves, strict=True)
    return treedef.unflatten([None if on and path in gone else x for path, on, x in rows])


def arrays(values: PyTree) -> PyTree:
    """Numbers of Python as arrays: Optax takes them for parameters and gradients."""
    leaves, treedef = jax.tree.flatten(values)
    if not any(isinstance(x, float | int | complex) for x in leaves):
        return values
    return treedef.unflatten([_array(x) for x in leaves])


def like(out: PyTree, updates: PyTree, params: PyTree) -> PyTree:
    """Updates in the dtype of the gradients, or of the parameters where that is wider, as Optax's are."""
    leaves, treedef = jax.tree.flatten(out)
    given = [x for x in (updates, params) if x is not None]
    if any(jax.tree.structure(x) != treedef for x in given):
        return out
    rows = zip(leaves, *map(jax.tree.leaves, given), strict=True)
    return treedef.unflatten([_as(u, *more) for u, *more in rows])


def _as(u: Any, *others: Any) -> Any:
    dtypes = [x.dtype for x in (u, *others) if hasattr(x, "dtype")]
    if len(dtypes) < len(others) + 1 or not all(jnp.issubdtype(d, jnp.inexact) for d in dtypes):
        return u
    with jax.numpy_dtype_promotion("standard"):
        return u.astype(jnp.result_type(*dtypes[1:]))


def _array(x: Any) -> Any:
    if isinstance(x, bool) or not isinstance(x, float | int | complex):
        return x
    return jnp.asarray(x, jnp.result_type(complex if isinstance(x, complex) else float))


class Transformation(GradientTransformationExtraArgs):
    """A transform of gradchain as Optax's pair (init, update), with Optax's form of the state."""

    __slots__ = ()

    @classmethod
    def of(cls, tx: Transform) -> Transformation:
        """The pair of a transform."""
        run = Run(tx)
        return cls(run.init, run.update)

    @property
    def run(self) -> Run | None:
        """What both functions are methods of; None where one was replaced."""
        ours = {getattr(f, "__self__", None) for f in self}
        return ours.pop() if len(ours) == 1 and isinstance(next(iter(ours)), Run) else None

    @property
    def transform(self) -> Transform | None:
        """The transform itself, whose state is a dict of links; None where a function was replaced."""
        return None if self.run is None else self.run.tx

    def __getattr__(self, name: str) -> Any:
        run = None if name.startswith("__") else self.run
        if run is None:
            raise AttributeError(name)
        if name in ("step", "flat", "formed"):
            return getattr(run, name)
        found = getattr(run.tx, name)
        if name == "has_updated":  # of MultiSteps
            return lambda state: found(run.flat(state, None))
        return (lambda: self) if name == "gradient_transformation" else found

    def __repr__(self) -> str:
        return repr(self.transform) if self.run else super().__repr__()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Transformation) and self.run and other.run:
            return self.run.tx == other.run.tx
        return tuple.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(self.transform) if self.run else tuple.__hash__(self)

    def __reduce__(self):
        return (Transformation.of, (self.transform,)) if self.run else (Transformation, tuple(self))


def surface(factory: Callable[..., Transform]) -> Callable[..., Transformation]:
    """A factory whose transforms are Optax's pairs, with Optax's numbers."""
    about: Factory = factory.factory  # pyright: ignore[reportFunctionMemberAccess]

    @functools.wraps(factory)
    def call(*args: Any, **kwargs: Any) -> Transformation:
        if about.name not in NUMBERS:
            return Transformation.of(factory(*args, **kwargs))
        return Transformation.of(factory(**arguments(about, args, kwargs)))

    PLAIN[call] = factory
    return call


def arguments(about: Factory, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of a call by name, those that give Optax's numbers among them."""
    given = about.bind(args, kwargs)
    return {**given, **numbers_of(about.name, given), **_own(about.name, kwargs)}


def _own(name: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the caller says of the arguments that give Optax's numbers."""
    fixed = NUMBERS.get(name, {})
    return {} if callable(fixed) else {k: v for k, v in kwargs.items() if k in fixed}


def faces(namespace: Any) -> dict[str, Any]:
    """The names of one of gradchain's namespaces, its factories in Optax's form."""
    found = {name: getattr(namespace, name) for name in namespace.__all__}
    return {name: surface(x) if hasattr(x, "factory") else x for name, x in found.items()}


__all__ = ["Run", "Transformation", "faces", "surface"]
