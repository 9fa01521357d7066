"""Recipe: a factory and the arguments it was called with. What a transform is, apart from how it runs."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

import jax
from jax.core import Tracer

from gradchain.core import hyper, values, words
from gradchain.core.hyper import Range, Tunable
from gradchain.core.kinds import Kind, find

REGISTRY: dict[str, Factory] = {}


# By a decorator's arguments.
DECLARED = ("paper", "family", "near", "record", "renamed", "example", "traits", "errors", "form")


class ErrorInput(NamedTuple):
    """Arguments that a factory refuses: what they change of its example, the error, words that it says."""

    changes: Mapping[str, Any]
    error: type[Exception]
    words: tuple[str, ...]


def _module(fn: Callable[..., Any]) -> list[str]:
    """The names in the path of a function's module; of code that has none an empty one."""
    return (fn.__module__ or "").split(".")


def _folder(fn: Callable[..., Any]) -> str:
    """The folder of rules, or of the library, that a function is defined in."""
    parts = _module(fn)
    return parts[2 if parts[1:2] == ["rules"] else 1] if parts[0] == "gradchain" else parts[0]


@dataclasses.dataclass(frozen=True, eq=False)
class Factory:
    """A registered function that makes transforms, and what tests and tables ask of it.

    Its signature and annotations are read when something asks for them: most programs call a few of hundreds.
    """

    name: str
    fn: Callable[..., Any]
    kind: str  # "transform", "optimizer" or "wrapper"
    paper: str = ""
    family: str = ""  # "adaptive", "matrix", ...: its folder, unless it declares another
    near: tuple[str, ...] = ()  # names of others that a reader may compare it with
    record: tuple[str, ...] = ()  # hyperparameters kept in the state even when constant
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Optax's spelling -> ours
    example: Callable[[], Mapping[str, Any]] = dict  # arguments that a test or a benchmark may use
    traits: frozenset[str] = frozenset()  # "matrices", "random", ...: what the algorithm declares of itself
    errors: Callable[[], Iterable[ErrorInput]] = tuple  # wrong arguments, and what is said of them
    form: type | None = None  # the class of what it makes, a Transform with methods of its own

    @classmethod
    def of(cls, fn: Callable[..., Any], kind: str, about: Mapping[str, Any]) -> Factory:
        """The factory that a decorator makes of a function, with what it declares."""
        if not callable(fn):
            raise TypeError(f"@{kind}({words.show(fn)}): expected arguments by name, {kind}(paper=...)")
        for name in about:
            if name not in DECLARED:
                raise TypeError(f"@{kind} has no argument {words.show(name)}; {words.meant(name, DECLARED)}")
        made = cls(fn.__name__, fn, kind, **{"family": _folder(fn), **about})
        if _module(fn)[0] != "gradchain":
            made.hints  # noqa: B018  so that what is wrong is said where it stands
        return made

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """How it is called."""
        return inspect.signature(self.fn)

    @functools.cached_property
    def hints(self) -> Mapping[str, Any]:
        """The annotations of its arguments."""
        try:
            return typing.get_type_hints(self.fn, include_extras=True)
        except (NameError, TypeError) as error:
            raise TypeError(
                f"{self.name}: its annotations cannot be read ({error}); import their names at run time, not "
                "under TYPE_CHECKING alone"
            ) from error

    @functools.cached_property
    def ranges(self) -> Mapping[str, Range]:
        """The values that each hyperparameter may have."""
        return {k: hyper.widened(k, r) for k, h in self.hints.items() if (r := hyper.find_range(h))}

    @functools.cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """What the arguments are that are no hyperparameters."""
        return {k: kind for k, h in self.hints.items() if k not in self.ranges and (kind := find(h))}

    @functools.cached_property
    def loose(self) -> frozenset[str]:
        """The arguments without an annotation."""
        parameters = self.signature.parameters.items()
        return frozenset({k for k, p in parameters if p.kind is not p.VAR_POSITIONAL} - self.hints.keys())

    @property
    def names(self) -> Iterable[str]:
        """The names of its arguments; of a plain function without its signature, which takes long."""
        code = getattr(self.fn, "__code__", None)
        if code is None or hasattr(self.fn, "__wrapped__"):
            return self.signature.parameters
        starred = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred]

    def uncalled(self, method: str, *args, **kwargs) -> NoReturn:
        """A method of a transform asked of the function that makes it."""
        needed = [k for k, p in self.signature.parameters.items() if p.default is p.empty]
        call = f"{self.name}({', '.join(needed)})"
        raise TypeError(
            f"{self.name} is a function that makes a transformation: call it first, {call}.{method}(...)"
        )

    def bind(self, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, defaults filled in, hyperparameters checked."""
        kwargs = self.named(kwargs)
        for name in kwargs:
            if name not in self.signature.parameters and not self.variadic:
                hint = words.meant(name, self.signature.parameters)
                raise TypeError(f"{self.name}() has no argument {words.show(name)}; {hint}")
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}(): {error}; signature: {self.name}{self.signature}") from None
        bound.apply_defaults()
        if self.kind == "wrapper" and bound.arguments:
            self._check_order(bound.arguments)
        return {k: self.check(k, inside(v)) for k, v in bound.arguments.items()}

    def _check_order(self, given: Mapping[str, Any]) -> None:
        """Raise where a number or text stands in the place of the transformation, and it in another's."""
        (name, first), *others = given.items()
        if name in self.ranges or name in self.kinds or not isinstance(first, str | int | float):
            return
        if any(callable(getattr(x, "update", None)) for _, x in others):
            raise TypeError(
                f"{self.name}: {name} is {words.show(first)}; expected a transformation, which comes first: "
                f"{self.name}(tx, ...)"
            )

    def named(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Arguments under their own names; an error where one is given under both of its names."""
        if not self.renamed or not self.renamed.keys() & given.keys():
            return given
        for theirs, ours in self.renamed.items():
            if theirs in given and ours in given:
                raise TypeError(
                    f"{self.name}() was given {ours} and {theirs}, which are one argument: give {ours}"
                )
        return {self.renamed.get(k, k): v for k, v in given.items()}

    def check(self, name: str, value: Any) -> Any:
        """An argument as it is kept; an error for what its annotation rules out."""
        if (allowed := self.ranges.get(name)) is not None:
            return hyper.check(self.name, name, value, allowed)
        if (kind := self.kinds.get(name)) is not None:
            return kind.check(self.name, name, value)
        if name in self.loose and isinstance(value, Tunable | Tracer):
            raise TypeError(
                f"{self.name}: {name} is {words.show(value)}, and has no annotation in the factory: write "
                f"{name}: Hyper (or Decay, Signed, Period) to let it be tunable, an array or a schedule"
            )
        return value

    @property
    def variadic(self) -> str | None:
        """The name of a *args parameter, as `chain` has."""
        return next((n for n, p in self.signature.parameters.items() if p.kind is p.VAR_POSITIONAL), None)

    def call(self, args: Mapping[str, Any]) -> Any:
        """Run the factory's body on arguments by name."""
        if self.variadic:
            return self.fn(*args[self.variadic])
        return self.fn(**args)


def inside(given: Any, deep: int = 2) -> Any:
    """An argument with transforms for objects of another form that have one, also in dicts and sequences."""
    if isinstance(getattr(getattr(given, "transform", None), "recipe", None), Recipe):
        return given.transform
    if not deep or type(given) not in (dict, tuple, list):
        return given
    if type(given) is dict:
        return {k: inside(x, deep - 1) for k, x in given.items()}
    return type(given)(inside(x, deep - 1) for x in given)


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
        given = {k: self.args[k] for k in self.factory.ranges}
        return tuple(k for k, v in given.items() if hyper.is_dynamic(v) or (k in record and v is not None))

    @functools.cached_property
    def static(self) -> Recipe:
        """The recipe without its operands, which may be tracers: fit to be kept in a cache."""
        return Recipe(self.factory, {k: v for k, v in self.args.items() if k not in self.operands})

    @staticmethod
    def _operand(value) -> bool:
        return hyper.is_array(value) or hyper.is_dynamic(value)

    def initial(self, name: str) -> Any:
        """The value of a hyperparameter at step 0."""
        return hyper.initial(self.factory.name, name, self.args[name])

    def note(self, error: Exception) -> str:
        """What an author is told of an error in a kernel or a factory, where traced values are the cause."""
        name = self.factory.name
        if isinstance(error, jax.errors.ConcretizationTypeError):
            traced = [f"{k} ({words.show(self.args[k])})" for k in self.operands]
            also = f", among them {', '.join(traced)}" if traced else ""
            return (
                f"{name}: Python's if, and, not, bool(), int(), float() need a number, and values in a "
                "kernel "
                f"or a factory may be traced{also}: write jnp.where(condition, a, b)"
            )
        if isinstance(error, jax.errors.UnexpectedTracerError):
            return (
                f"{name}: the factory's body or its kernel uses a traced value that is none of its "
                "arguments; "
                "it runs again in each trace: give the value as an argument, annotated Hyper"
            )
        for k in sorted(self.factory.loose):
            if hyper.is_schedule(self.args[k]):
                return (
                    f"{name}: {k} is {words.show(self.args[k])}, and has no annotation in the factory; "
                    f"if it is a schedule, write {k}: Hyper"
                )
        return ""

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
