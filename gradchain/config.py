"""Optimizers as JSON: {"adamw": {"learning_rate": 0.001}}, read without evaluating or importing anything."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, cast

import jax.numpy as jnp

from gradchain.core import hyper, values
from gradchain.core.hyper import Tunable, tunable
from gradchain.core.transform import REGISTRY, Factory, Transform, make
from gradchain.schedules import SCHEDULES
from gradchain.storage.codecs import CODECS

Json = Any
NAMED: dict[str, Any] = SCHEDULES | CODECS  # values that have a name and arguments


class ConfigError(ValueError):
    """A configuration that cannot be built; the message begins with the place, chain[1].adamw.eps."""


def _fail(place: str, message: str) -> NoReturn:
    raise ConfigError(f"{place}: {message}" if place else message)


def _at(place: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{place}[{key}]"
    return f"{place}.{key}" if place else key


def _near(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(known)}"


# Writing -------------------------------------------------------------------------------------------------


def to_config(tx: Transform) -> Json:
    """The optimizer as JSON values, from which `from_config` makes an equal one.

    Every part is {"name": {arguments}}, with the arguments that differ from their defaults; chain takes a
    list. Schedules and codecs are written the same way, tunable numbers {"tunable": 0.001}, regular
    expressions {"regex": "..."}, dtypes {"dtype": "bfloat16"}. Functions, arrays and transformations of other
    libraries have no such form: an error names the argument.
    """
    if not isinstance(tx, Transform):
        raise ConfigError(f"to_config({tx!r}): expected a gradchain transformation")
    return _write(tx, "")


def _write(value: Any, place: str) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Transform):
        return _write_transform(value, place)
    if isinstance(value, Tunable):
        return {"tunable": value.value}
    if NAMED.get(type(value).__name__) is type(value):
        return _write_named(value, place)
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        plain = value.flags == re.compile("").flags
        return {"regex": value.pattern if plain else {"pattern": value.pattern, "flags": value.flags}}
    if (dtype := values.as_dtype(value)) is not None:
        return {"dtype": dtype.name}
    if hasattr(value, "init") and hasattr(value, "update"):
        _fail(
            place,
            f"a transformation of another library cannot be written as JSON: {values.text(value)[:200]}",
        )
    if isinstance(value, list | tuple):
        return [_write(v, _at(place, i)) for i, v in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        found = {k: _write(v, _at(place, k)) for k, v in value.items()}
        return {"mapping": found} if _is_form(found) else found
    if hyper.is_array(value):
        what, hint = "an array", "use a number or tunable(number)"
    else:
        what = "a function" if callable(value) else f"a {type(value).__name__}"
        hint = "use a named schedule, a glob or a regular expression"
    _fail(place, f"{what} cannot be written as JSON: {values.text(value)[:200]}; {hint}")


def _write_transform(tx: Transform, place: str) -> Json:
    name, factory, args = tx.name, tx.recipe.factory, tx.args
    if REGISTRY.get(name) is not factory:
        _fail(_at(place, name), "another transformation has been registered under this name since")
    if factory.variadic:
        return {name: [_write(v, _at(_at(place, name), i)) for i, v in enumerate(args[factory.variadic])]}
    default, found, sample = (
        {k: p.default for k, p in factory.signature.parameters.items()},
        {},
        factory.example(),
    )
    for key, value in args.items():
        if values.key(value) != values.key(default[key]):
            here = _at(_at(place, name), key)
            if _holds_transforms(sample.get(key)):
                found[key] = {str(k): _write(v, _at(here, str(k))) for k, v in value.items()}
            else:
                found[key] = _write(value, here)
    return {name: found}


def _write_named(value: Any, place: str) -> Json:
    name = type(value).__name__
    default = {f.name: f.default for f in dataclasses.fields(value)}
    changed = {k: v for k in default if values.key(v := getattr(value, k)) != values.key(default[k])}
    return {name: {k: _write(v, _at(_at(place, name), k)) for k, v in changed.items()}}


def _holds_transforms(sample: Any) -> bool:
    """Whether an argument, going by its factory's example, is a mapping of transformations."""
    return isinstance(sample, Mapping) and any(isinstance(v, Transform) for v in sample.values())


# Reading -------------------------------------------------------------------------------------------------


def from_config(config: Json) -> Transform:
    """The optimizer that JSON values, or JSON text, describe: see `to_config` for the form.

    A name alone stands for a transformation without arguments: {"chain": ["scale_by_adam", ...]}. Optax's
    spelling of arguments is understood. Errors are ConfigError, a ValueError, and say where and what is near.
    """
    if isinstance(config, str) and not config.strip().isidentifier():
        config = _parse(config)
    return _transform(config.strip() if isinstance(config, str) else config, "")


def _parse(text: str) -> Json:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for i, (key, _) in enumerate(pairs):
            if any(key == other for other, _ in pairs[:i]):
                raise ConfigError(
                    f"the key {key!r} stands twice in one mapping; to apply two of a kind use a chain"
                )
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error}") from None


FORMS = ("tunable", "regex", "dtype", "mapping")


def _is_form(value: Any) -> bool:
    """Whether a mapping means a thing by its name, rather than being a mapping of the user's."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((name, inside),) = value.items()
    known = name in NAMED or (
        name in REGISTRY and (isinstance(inside, Mapping) or bool(REGISTRY[name].variadic))
    )
    return name in FORMS or known


def _transform(config: Json, place: str) -> Transform:
    """A transformation, where nothing else may stand."""
    if isinstance(config, str):
        config = {config: {}}
    if not isinstance(config, Mapping):
        _fail(place, f'expected {{"name": {{arguments}}}}, found {_show(config)}')
    if len(config) != 1:
        _fail(
            place,
            f"expected one name, found {len(config)}: {', '.join(map(str, config)) or 'none'}; "
            'several links are {"chain": [...]}',
        )
    ((name, given),) = config.items()
    here = _at(place, str(name))
    if name not in REGISTRY:
        kind = "a schedule, not" if name in SCHEDULES else "not the name of"
        _fail(here, f"{kind} a transformation; {_near(str(name), REGISTRY)}")
    factory = REGISTRY[name]
    if factory.variadic:
        if not isinstance(given, Sequence) or isinstance(given, str):
            _fail(here, f"expected a list of transformations, found {_show(given)}")
        args = {factory.variadic: tuple(_link(item, _at(here, i)) for i, item in enumerate(given))}
    else:
        args = _arguments(factory, given, here)
    try:
        return make(factory, (), args)
    except (TypeError, ValueError) as error:
        _fail(here, str(error).removeprefix(f"{name}: "))


def _link(config: Json, place: str) -> Any:
    """An item of a chain: a transformation, or with its name [name, transformation]."""
    if isinstance(config, Sequence) and not isinstance(config, str):
        if len(config) != 2 or not isinstance(config[0], str):
            _fail(place, f'expected {{"name": {{arguments}}}} or ["name", {{...}}], found {_show(config)}')
        return (config[0], _transform(config[1], _at(place, 1)))
    return _transform(config, place)


def _arguments(factory: Factory, given: Json, place: str) -> dict[str, Any]:
    parameters = factory.signature.parameters
    if not isinstance(given, Mapping):
        first = next(iter(parameters), None)
        hint = f'{{"{first}": {_show(given)}}}' if first else "{}"
        _fail(place, f"expected a mapping of arguments such as {hint}, found {_show(given)}")
    named = {factory.renamed.get(key, key): value for key, value in given.items()}
    _check_names(factory.name, named, {k: p.default is p.empty for k, p in parameters.items()}, place)
    sample = factory.example()
    return {k: _argument(factory, k, v, sample.get(k), _at(place, k)) for k, v in named.items()}


def _check_names(who: str, given: Iterable[str], known: Mapping[str, bool], place: str) -> None:
    """Raise for names that are unknown, and for those known as required that are missing."""
    for name in given:
        if name not in known:
            _fail(_at(place, str(name)), f"{who} has no such argument; {_near(str(name), known)}")
    if missing := [name for name, required in known.items() if required and name not in given]:
        _fail(place, f"{who} needs {', '.join(missing)}")


def _argument(factory: Factory, name: str, value: Json, sample: Any, place: str) -> Any:
    if name in factory.ranges:
        read = _hyperparameter(value, place)
        try:
            return hyper.check(factory.name, name, read, factory.ranges[name])
        except (TypeError, ValueError) as error:
            _fail(place, str(error).removeprefix(f"{factory.name}: "))
    if isinstance(sample, Transform) and value is not None:
        return _transform(value, place)
    if _holds_transforms(sample) and isinstance(value, Mapping):
        return {k: _transform(v, _at(place, str(k))) for k, v in value.items()}
    return _read(value, place)


def _hyperparameter(value: Json, place: str) -> Any:
    if isinstance(value, Mapping):
        name = next(iter(value), "")
        if len(value) != 1 or name not in {*SCHEDULES, "tunable"}:
            _fail(_at(place, str(name)), f"not a schedule; {_near(str(name), [*SCHEDULES, 'tunable'])}")
    elif isinstance(value, str | list):
        _fail(place, f'expected a number, a schedule or {{"tunable": number}}, found {_show(value)}')
    return _read(value, place)


def _read(value: Json, place: str) -> Any:
    """Any value: what has a name known here is made, everything else is itself."""
    if isinstance(value, list | tuple):
        return [_read(v, _at(place, i)) for i, v in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not _is_form(value):
        return {k: _read(v, _at(place, str(k))) for k, v in value.items()}
    ((name, inside),) = value.items()
    here = _at(place, name)
    if name in REGISTRY:
        return _transform(value, place)
    if name == "mapping":
        return {k: _read(v, _at(here, str(k))) for k, v in inside.items()}
    try:
        return _named(name, inside, here) if name in NAMED else _form(name, inside)
    except ConfigError:
        raise
    except (TypeError, ValueError, KeyError, re.error) as error:
        _fail(here, str(error).removeprefix(f"{name}: "))


def _form(name: str, inside: Json) -> Any:
    if name == "tunable":
        return tunable(inside)
    if name == "dtype":
        return jnp.dtype(inside)
    if isinstance(inside, Mapping):
        return re.compile(inside["pattern"], inside.get("flags", 0))
    return re.compile(inside)


def _named(name: str, inside: Json, place: str) -> Any:
    if not isinstance(inside, Mapping):
        _fail(place, f"expected a mapping of arguments, found {_show(inside)}")
    fields: Any = dataclasses.fields(cast(Any, NAMED[name]))
    _check_names(name, inside, {f.name: f.default is dataclasses.MISSING for f in fields}, place)
    return NAMED[name](**{k: _read(v, _at(place, k)) for k, v in inside.items()})


def _show(value: Json) -> str:
    shown = json.dumps(value, default=repr)
    return shown if len(shown) <= 60 else shown[:57] + "..."
