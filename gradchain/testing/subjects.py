"""Subject: a transform under test, what it declares of itself, and the programs that several laws look at."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.core import recipe
from gradchain.core.compose import Chain
from gradchain.core.leafwise import Leafwise
from gradchain.core.link import Treewise
from gradchain.core.masks import Frozen, Masked, Partition
from gradchain.core.recipe import Factory
from gradchain.core.transform import Transform, make
from gradchain.testing import problems

# What an algorithm says of itself, in its decorator: traits=frozenset({...}).
TRAITS = {
    "matrices": "takes norms or products over a leaf, so that the order of additions shows",
    "eigenvectors": "takes eigenvectors or roots, which of singular matrices rounding decides",
    "random": "draws numbers, others for complex parameters",
    "real": "takes real parameters only",
    "no_derivative": "has no derivative through a step",
    "no_float16": "takes no float16 parameters",
    "narrow_state": "keeps some state in the parameter's own dtype",
    "codes": "keeps state in codes made from float32",
    "host": "keeps some state in the host's memory",
    "specs": "is told how parameters are split, which a trace with automatic axes cannot see",
    "any_leaf": "works on whatever leaves the links beside it work on, and asks for none by itself",
    "last": "must be the last link, for it rounds parameters",
    "sets": "sets some parameters to values of its own, zeros for one, wherever updates lead",
    "sometimes": "runs what it wraps in some steps only",
    "per_example": "takes gradients of single examples, along a first axis",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A transform, and with what laws run it."""

    tx: Transform
    traits: frozenset[str] = frozenset()
    shapes: Any = None  # the parameters' shapes, by default a matrix and a vector
    extras: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the factory."""
        return self.tx.name

    @property
    def factory(self) -> Factory:
        """The factory of the outermost transform."""
        return self.tx.recipe.factory

    def make(self, **changes) -> Transform:
        """The transform made anew, with some arguments changed."""
        return make(self.factory, (), {**self.tx.recipe.args, **changes})

    def declares(self, trait: str) -> bool:
        """Whether the transform, or one that it is made of, says this of itself."""
        return trait in self.traits

    @functools.cached_property
    def hypers(self) -> dict[str, Any]:
        """The hyperparameters that are numbers, by name."""
        args = self.tx.recipe.args
        return {k: args[k] for k in self.factory.ranges if isinstance(args.get(k), int | float)}

    @functools.cached_property
    def nudged(self) -> dict[str, Any]:
        """Every hyperparameter at another value that its range allows."""
        ranges = self.factory.ranges
        return {k: v + 1 if ranges[k].integer else 0.9 * v or 0.01 for k, v in self.hypers.items()}

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes of parameters that the transform takes."""
        return tuple(d for d in problems.DTYPES if d != "float16" or not self.declares("no_float16"))

    @property
    def compilations(self) -> int:
        """Of a step from uncommitted parameters: arrays in the host's memory commit what comes out."""
        return 2 if self.declares("host") else 1

    @functools.cached_property
    def per_leaf(self) -> bool:
        """Whether no leaf's update depends on another leaf."""
        return per_leaf(self.tx.body)

    @property
    def on_trees(self) -> int:
        """How many of its links work on whole trees."""
        return sum(isinstance(tx.body, Treewise) for tx in links(self.tx))

    @property
    def ulps(self) -> int:
        """By how much two programs of one step may differ, in units of a leaf's largest entry.

        XLA contracts a multiplication and an addition into one where it fuses them, and adds in another
        order: 4 for an elementwise kernel, 64 where there are norms, roots of matrices or scalars of a tree.
        """
        return 4 if self.per_leaf and not self.declares("matrices") else 64

    def problem(self, dtype: Any = "float32", steps: int = problems.STEPS, size: float = 1.0):
        """Parameters, and a gradient for each step; well conditioned where eigenvectors are taken of it."""
        params, grads = problems.problem(self.shapes, dtype, steps, size)
        return params, problems.firm(grads, size) if self.declares("eigenvectors") else grads

    @property
    def shape_pair(self) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        """Two shapes for trees of other containers: of the largest leaf and of the smallest."""
        leaves = sorted(jax.tree.leaves(self.shapes or problems.SHAPES), key=lambda s: (s.size, s.ndim))
        return leaves[-1], leaves[0]

    def extra(self, tx: Transform, params, grads) -> dict[str, Any]:
        """The extra arguments that a transform asks for."""
        known = {**problems.EXTRAS, **self.extras}
        if unknown := sorted(tx.body.needs - set(known)):
            raise TypeError(
                f"{tx.name} needs {', '.join(map(repr, unknown))} in update, and no law knows what that is: "
                f"say it, check({tx.name}, extras={{{unknown[0]!r}: lambda params, grads: ...}})"
            )
        found = {name: known[name] for name in sorted(tx.body.needs)}
        return {k: v(params, grads) if callable(v) else v for k, v in found.items()}

    def gradients(self, grads):
        """A tree of gradients as the transform takes them: of two examples, where it takes those."""
        if not self.declares("per_example"):
            return grads
        return jax.tree.map(lambda g: jnp.stack([g, g / 2]), grads)

    def step(self, tx: Transform | None = None) -> Callable:
        """step(grads, state, params) -> (params, state), with what the transform asks for."""
        return self._given((tx or self.tx).step, tx or self.tx)

    def update(self, tx: Transform | None = None) -> Callable:
        """update(grads, state, params) -> (updates, state), with what the transform asks for."""
        return self._given((tx or self.tx).update, tx or self.tx)

    def _given(self, do: Callable, tx: Transform) -> Callable:
        return lambda grads, state, params: do(
            self.gradients(grads), state, params, **self.extra(tx, params, grads)
        )

    def run(self, params, grads, tx: Transform | None = None):
        """(params, state) after a step for each of the gradients."""
        tx = tx or self.tx
        return run(self.step(tx), tx.init(params), params, grads)

    @functools.cached_property
    def eager(self):
        """(params, state) after the steps of the usual problem, not jitted."""
        return self.run(*self.problem())

    @functools.cached_property
    def train(self) -> Callable:
        """The jitted step, train(params, state, grads) -> (params, state); it takes the first two."""
        do = self.step()  # donated in the order in which they are returned
        # What a step only writes, and does not read, is given up as well.
        return jax.jit(
            lambda params, state, grads: do(grads, state, params), donate_argnums=(0, 1), keep_unused=True
        )

    @functools.cached_property
    def jitted(self):
        """(params, state) after the steps of the usual problem, by `train`."""
        params, grads = self.problem()
        state = self.tx.init(params)
        for g in grads:
            params, state = self.train(params, state, g)
        return params, state


def run(do, state, params, grads):
    """Steps from a state: (params, state) after the last."""
    for g in grads:
        params, state = do(g, state, params)
    return params, state


def links(tx: Transform) -> Iterator[Transform]:
    """The transform, and all that it is made of."""
    yield tx
    for part in tx.body.inside():
        yield from links(part.tx)


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


def example(factory: Factory) -> Transform:
    """The transform with the arguments that its factory declares."""
    try:
        return make(factory, (), factory.example())
    except TypeError as error:
        first = next((n for n, p in factory.signature.parameters.items() if p.default is p.empty), "x")
        raise TypeError(
            f"{factory.name} cannot be made from its example {dict(factory.example())}: {error}. Declare one "
            f"where it is defined, @{factory.kind}(example=lambda: {{{first!r}: ...}}), or pass a transform, "
            f"check({factory.name}(...))"
        ) from error


def subject(tx: Any, *, traits=(), params: Any = None, extras: Mapping[str, Any] | None = None) -> Subject:
    """What laws look at, of a transform, of a registered factory or of its name."""
    found = recipe.REGISTRY.get(tx) if isinstance(tx, str) else getattr(tx, "factory", None)
    if isinstance(tx, str) and found is None:
        raise ValueError(f"no transform of the name {tx!r} is registered: import the module that defines it")
    if isinstance(found, Factory):
        tx = example(found)
    if not isinstance(tx, Transform):
        raise TypeError(
            f"testing takes a transform, a factory marked @transform, @optimizer or @wrapper, or its name; "
            f"found {tx!r}. Another library's transformation is one as gc.foreign(...)"
        )
    declared = frozenset().union(*(link.recipe.factory.traits for link in links(tx)), traits)
    if unknown := sorted(declared - set(TRAITS)):
        raise ValueError(
            f"{tx.name} declares {unknown}, which no law knows; a trait is one of {sorted(TRAITS)}"
        )
    shapes = problems.SQUARE if "eigenvectors" in declared else None
    if params is not None:
        shapes = jax.tree.map(lambda x: problems.array(*x.shape), params)
    return Subject(tx, declared, shapes, dict(extras or {}))
