"""Recipe: a factory and the arguments it was called with. What a transform is, apart from how it runs."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gradchain.core import hyper, values
from gradchain.core.hyper import Range

REGISTRY: dict[str, Factory] = {}


@dataclasses.dataclass(frozen=True, eq=False)
class Factory:
    """A registered function that makes transforms: its signature, and what tests and tables ask of it."""

    name: str
    fn: Callable[..., Any]
    signature: inspect.Signature
    ranges: Mapping[str, Range]
    kind: str  # "transform", "optimizer" or "wrapper"
    paper: str = ""
    record: tuple[str, ...] = ()  # hyperparameters kept in the state even when constant
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Optax's spelling -> ours
    example: Callable[[], Mapping[str, Any]] = dict  # arguments that a test or a benchmark may use
    traits: frozenset[str] = frozenset()  # "matrices", "random", ...: what the algorithm declares of itself

    def bind(self, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, defaults filled in, hyperparameters checked."""
        kwargs = {self.renamed.get(k, k): v for k, v in kwargs.items()}
        for name in kwargs:
            if name not in self.signature.parameters and not self.variadic:
                near = difflib.get_close_matches(name, self.signature.parameters, 3, 0.5)
                hint = (
                    f"did you mean {' or '.join(near)}?"
                    if near
                    else f"it takes {', '.join(self.signature.parameters)}"
                )
                raise TypeError(f"{self.name}() has no argument {name!r}; {hint}")
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}; signature: {self.name}{self.signature}") from None
        bound.apply_defaults()
        found = dict(bound.arguments)
        return {
            k: hyper.check(self.name, k, v, self.ranges[k]) if k in self.ranges else v
            for k, v in found.items()
        }

    @property
    def variadic(self) -> str | None:
        """The name of a *args parameter, as `chain` has."""
        return next((n for n, p in self.signature.parameters.items() if p.kind is p.VAR_POSITIONAL), None)

    def call(self, args: Mapping[str, Any]) -> Any:
        """Run the factory's body on arguments by name."""
        if self.variadic:
            return self.fn(*args[self.variadic])
        return self.fn(**args)


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """A factory and the arguments it was called with: what a transform is, apart from how it runs."""

    factory: Factory
    args: Mapping[str, Any]

    @functools.cached_property
    def key(self) -> Any:
        """Equal for equal recipes, hashable."""
        return (self.factory.fn, values.key(self.args))

    @functools.cached_property
    def operands(self) -> tuple[str, ...]:
        """Hyperparameters that are not compile-time constants."""
        return tuple(k for k, v in self.args.items() if k in self.factory.ranges and self._operand(v))

    @functools.cached_property
    def kept(self) -> tuple[str, ...]:
        """Hyperparameters that the state holds: scheduled, tunable, or recorded for `metrics`."""
        record = self.factory.record
        return tuple(k for k in self.factory.ranges if hyper.is_dynamic(self.args[k]) or k in record)

    @functools.cached_property
    def static(self) -> Recipe:
        """The recipe without its operands, which may be tracers: fit to be kept in a cache."""
        return Recipe(self.factory, {k: v for k, v in self.args.items() if k not in self.operands})

    @staticmethod
    def _operand(value) -> bool:
        return hyper.is_array(value) or hyper.is_dynamic(value)

    def build(self, given: Mapping[str, Any]) -> Any:
        """The body of the transform with these values for its operands."""
        return self.factory.call({**self.args, **given})

    def __repr__(self) -> str:
        shown, positional = [], True
        for name, p in self.factory.signature.parameters.items():
            value = self.args[name]
            if p.kind is p.VAR_POSITIONAL:
                shown += [values.text(v) for v in value]
            elif p.default is p.empty and positional and isinstance(getattr(value, "recipe", None), Recipe):
                shown.append(values.text(value))
            elif p.default is p.empty or values.key(value) != values.key(p.default):
                shown.append(f"{name}={values.text(value)}")
                positional = False
        return f"{self.factory.name}({', '.join(shown)})"
