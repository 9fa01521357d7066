"""Kinds: what an argument that is no hyperparameter may be, from its annotation, checked when it is given."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gradchain.core import words

NO = object()  # what `read` returns for a value of another kind


class KindError(TypeError, ValueError):
    """An argument of another kind than its annotation says: 0.5 for a whole number is either of the two."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of argument: how a message calls it, and read(value) -> the value as it is kept, or NO."""

    name: str
    read: Callable[[Any], Any]
    choices: tuple[str, ...] = ()  # where it is one of these words

    def check(self, who: str, argument: str, value: Any) -> Any:
        """The value as it is kept; an error for one of another kind."""
        found = self.read(value)
        if found is not NO:
            return found
        raise KindError(f"{who}: {argument} is {words.show(value)}; expected {self.name}{self._hint(value)}")

    def _hint(self, value: Any) -> str:
        if isinstance(value, str):
            if found := words.near(value, self.choices):
                return f"; did you mean {' or '.join(map(repr, found.split(' or ')))}?"
            if value.strip().lower() in ("true", "false", "none", "null") or re.fullmatch(
                r"[-+.\de]+", value
            ):
                return " (it is a text: leave the quotation marks out)"
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            return " (a JAX key is not a value)"
        return " that is known when the program is traced" if isinstance(value, Tracer) else ""


def _instance(*of: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, of) else NO


def _bool(value: Any) -> Any:
    return value if isinstance(value, bool) else bool(value) if isinstance(value, np.bool_) else NO


def _int(value: Any) -> Any:
    if isinstance(value, int):
        return NO if isinstance(value, bool) else value
    if isinstance(value, float | np.number) and not isinstance(value, np.complexfloating):
        return int(value) if np.isfinite(value) and value == int(value) else NO
    return NO


def _float(value: Any) -> Any:
    if isinstance(value, np.floating | np.integer):
        value = value.item()
    if not isinstance(value, int | float) or isinstance(value, bool):
        return NO
    if isinstance(value, float) or abs(value) < 2**31:
        return value
    try:
        return float(value)  # an int32 cannot hold it
    except OverflowError:
        return NO


def _dtype(value: Any) -> Any:
    if isinstance(value, int | float | Mapping | list | tuple):
        return NO  # NumPy takes them for structured dtypes
    try:
        found = jnp.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        return NO
    return value if found.names is None and found.subdtype is None and not found.hasobject else NO


def _patterns(value: Any) -> Any:
    """Any tree may be a selection, but no number or text within a list of something else."""
    if isinstance(value, bool | np.bool_ | str | re.Pattern) or value is None or callable(value):
        return value
    if isinstance(value, list | tuple) and any(isinstance(x, str | re.Pattern) for x in value):
        return value if all(isinstance(x, str | re.Pattern) for x in value) else NO
    return NO if isinstance(value, int | float | complex | bytes | set | frozenset) else value


NONE = Kind("None", lambda value: None if value is None else NO)
PLAIN: dict[Any, Kind] = {
    bool: Kind("True or False", _bool),
    int: Kind("a whole number", _int),
    float: Kind("a number", _float),
    str: Kind("a text", _instance(str)),
    type(None): NONE,
}
ORIGINS: dict[Any, Kind] = {
    tuple: Kind("a tuple", _instance(tuple, list)),
    list: Kind("a list", _instance(tuple, list)),
    collections.abc.Sequence: Kind("a list", lambda v: NO if isinstance(v, str) else _instance(Sequence)(v)),
    collections.abc.Iterable: Kind(
        "a list", lambda v: NO if isinstance(v, str) else _instance(collections.abc.Iterable)(v)
    ),
    collections.abc.Mapping: Kind("a mapping", _instance(Mapping)),
    dict: Kind("a mapping", _instance(Mapping)),
    collections.abc.Callable: Kind("a function", lambda value: value if callable(value) else NO),
}
DTYPE = Kind("a dtype", _dtype)
SELECTION = Kind(
    'a glob on the path ("**/kernel"), a regular expression, a list of these, (path, leaf) -> bool, '
    "or a tree of booleans",
    _patterns,
)


def _key(value: Any) -> Any:
    """A number or a JAX key as a whole number: key(5) is 5, of other keys the bits of their words."""
    if not isinstance(value, jax.Array) or isinstance(value, Tracer):
        return _int(value)
    typed = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    words = np.asarray(jax.random.key_data(value) if typed else value)
    if words.ndim != 1 or words.dtype != np.uint32:
        return NO
    return int.from_bytes(words.astype(">u4").tobytes(), "big")


KEY = Kind("a whole number or a JAX key", _key)


def _precision(value: Any) -> Any:
    """What jnp.matmul takes, as a text."""
    try:
        found = isinstance(value, str) and (
            value in jax.lax.DotAlgorithmPreset.__members__ or jax.lax.Precision(value)
        )
    except ValueError:
        return NO
    return value if found else NO


PRECISION = Kind(
    "'default', 'high', 'highest' or another name of jax.lax.Precision or jax.lax.DotAlgorithmPreset",
    _precision,
    ("default", "high", "highest"),
)


def whole(low: int, high: int = 2**31 - 1) -> Kind:
    """The kind of a whole number with bounds, ends included: steps: Annotated[int, whole(1, 100)]."""
    end = f" and at most {high}"
    return Kind(
        f"a whole number, at least {low}{end}",
        lambda value: n if (n := _int(value)) is not NO and low <= n <= high else NO,
    )


if TYPE_CHECKING:
    DType = Any
    Key = Any
    Precision = Any
else:
    DType = Annotated[Any, DTYPE]
    Key = Annotated[Any, KEY]
    Precision = Annotated[Any, PRECISION]


def takes(f: Callable[..., Any], n: int) -> bool:
    """Whether a function may be called with n arguments by position; yes, where it does not say."""
    try:
        inspect.signature(f).bind(*range(n))
    except TypeError:
        return False
    except ValueError:  # has no signature
        return True
    return True


def find(hint: Any) -> Kind | None:
    """The kind that an annotation means; None for one that says nothing, as Any does."""
    for m in getattr(hint, "__metadata__", ()):
        if isinstance(m, Kind):
            return m
    if hint in PLAIN:
        return PLAIN[hint]
    origin = typing.get_origin(hint) or hint
    if origin is Literal:
        return _choice(typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        found = [find(part) for part in typing.get_args(hint)]
        return None if None in found else _any([k for k in found if k is not None])
    return _filled(ORIGINS.get(origin), origin, typing.get_args(hint))


def _filled(kind: Kind | None, origin: Any, args: tuple[Any, ...]) -> Kind | None:
    """The kind of tuple[int, ...], Sequence[float], Mapping[str, A] or Callable[[A, B], C], whole."""
    if kind is None or not args:
        return kind
    if origin is collections.abc.Callable:
        return kind if args[0] is ... else _function(len(args[0]))
    if issubclass(origin, Mapping):
        return _by_name(kind) if args[0] is str else kind
    each = PLAIN.get(args[0]) if args[1:] in ((), (...,)) else None
    return kind if each is None else _entries(kind, each)


def _function(n: int) -> Kind:
    count = "one argument" if n == 1 else f"{n} arguments"
    return Kind(f"a function of {count}", lambda value: value if callable(value) and takes(value, n) else NO)


def _entries(kind: Kind, each: Kind) -> Kind:
    def read(value: Any) -> Any:
        if kind.read(value) is NO:
            return NO
        found = [each.read(x) for x in value]
        if NO in found:
            return NO
        same = all(x is y for x, y in zip(found, value, strict=True))
        return value if same else tuple(found) if isinstance(value, tuple) else found

    return Kind(f"{kind.name}, each entry {each.name}", read)


def _by_name(kind: Kind) -> Kind:
    def read(value: Any) -> Any:
        fits = kind.read(value) is not NO and all(isinstance(k, str | re.Pattern) for k in value)
        return value if fits else NO

    return Kind(f"{kind.name} with texts for keys", read)


def _choice(choices: Sequence[Any]) -> Kind:
    shown = [repr(c) for c in choices]
    text = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else shown[0]
    texts = tuple(c for c in choices if isinstance(c, str))
    return Kind(
        text, lambda v: v if any(v is c or (type(v) is type(c) and v == c) for c in choices) else NO, texts
    )


def _any(kinds: Sequence[Kind]) -> Kind:
    def read(value: Any) -> Any:
        return next((found for kind in kinds if (found := kind.read(value)) is not NO), NO)

    names = list(dict.fromkeys(kind.name for kind in kinds))
    choices = tuple(c for kind in kinds for c in kind.choices)
    return Kind(
        " or ".join([*(n for n in names if n != "None"), *(n for n in names if n == "None")]), read, choices
    )


@functools.cache
def of_fields(cls: type) -> Mapping[str, Kind]:
    """The kinds of a dataclass's fields."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError:  # written for type checkers alone
        return {}
    fields: Any = dataclasses.fields(cls)
    return {f.name: kind for f in fields if (kind := find(hints.get(f.name)))}
