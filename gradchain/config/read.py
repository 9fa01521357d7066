"""JSON values read as an optimizer, without evaluating or importing anything."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import jax.numpy as jnp

from gradchain.config.forms import NAMED, holds_transforms, is_form
from gradchain.config.hydra import from_hydra, has_targets
from gradchain.config.place import ConfigError, Json, at, bounded, fail, near, parse, reason, show
from gradchain.core import kinds, words
from gradchain.core.hyper import tunable
from gradchain.core.transform import REGISTRY, Factory, Transform, make
from gradchain.schedules import SCHEDULES

TWICE = "; to apply two of a kind use a chain"


def from_config(config: Json) -> Transform:
    """The optimizer that JSON values, or JSON text, describe: see `to_config` for the form.

    A name alone stands for a transformation without arguments: {"chain": ["scale_by_adam", ...]}. Optax's
    spelling of arguments is understood, and Hydra's form {"_target_": "gradchain.adamw", ...}. Errors are
    ConfigError, a ValueError, and say where and what is near.
    """
    return _transform(_checked(config), "")


def made_from(config: Json) -> Any:
    """The schedule, or the optimizer, that JSON values describe."""
    config = _checked(config)
    named = isinstance(config, Mapping) and len(config) == 1 and next(iter(config)) in SCHEDULES
    return _read(config, "") if named else _transform(config, "")


def _checked(config: Json) -> Json:
    """JSON values that are bounded and in gradchain's form."""
    if isinstance(config, str):
        config = config.strip() if config.strip().isidentifier() else parse(config, TWICE)
    bounded(config)
    return from_hydra(config) if has_targets(config) else config


def _transform(config: Json, place: str) -> Transform:
    """A transformation, where nothing else may stand."""
    if isinstance(config, str):
        config = {config: {}}
    if not isinstance(config, Mapping):
        fail(place, f'expected {{"name": {{arguments}}}}, found {show(config)}')
    if len(config) != 1:
        fail(
            place,
            f"expected one name, found {len(config)}: {', '.join(map(str, config)) or 'none'}; "
            'several links are {"chain": [...]}',
        )
    ((name, given),) = config.items()
    here = at(place, str(name))
    if name not in REGISTRY:
        kind = "a schedule, not" if name in SCHEDULES else "not the name of"
        fail(here, f"{kind} a transformation; {near(str(name), REGISTRY)}")
    factory = REGISTRY[name]
    if factory.variadic:
        if not isinstance(given, Sequence) or isinstance(given, str):
            fail(here, f"expected a list of transformations, found {show(given)}")
        args = {factory.variadic: tuple(_link(item, at(here, i)) for i, item in enumerate(given))}
    else:
        args = _arguments(factory, given, here)
    try:
        return make(factory, (), args)
    except Exception as error:
        fail(here, reason(error, name), error)


def _link(config: Json, place: str) -> Any:
    """An item of a chain: a transformation, or with its name [name, transformation]."""
    if isinstance(config, Sequence) and not isinstance(config, str):
        if len(config) != 2 or not isinstance(config[0], str):
            fail(place, f'expected {{"name": {{arguments}}}} or ["name", {{...}}], found {show(config)}')
        return (config[0], _transform(config[1], at(place, 1)))
    return _transform(config, place)


def _arguments(factory: Factory, given: Json, place: str) -> dict[str, Any]:
    parameters = factory.signature.parameters
    if not isinstance(given, Mapping):
        first = next(iter(parameters), None)
        hint = f'{{"{first}": {show(given)}}}' if first else "{}"
        fail(place, f"expected a mapping of arguments such as {hint}, found {show(given)}")
    try:
        named = factory.named(given)
    except TypeError as error:
        fail(place, str(error))
    _check_names(factory.name, named, {k: p.default is p.empty for k, p in parameters.items()}, place)
    sample = factory.example()
    return {k: _argument(factory, k, v, sample.get(k), at(place, k)) for k, v in named.items()}


def _check_names(who: str, given: Iterable[str], known: Mapping[str, bool], place: str) -> None:
    """Raise for names that are unknown, and for those known as required that are missing."""
    for name in given:
        if name not in known:
            fail(at(place, str(name)), f"{who} has no such argument; {words.meant(name, known)}")
    if missing := [name for name, required in known.items() if required and name not in given]:
        fail(place, f"{who} needs {', '.join(missing)}")


def _argument(factory: Factory, name: str, value: Json, sample: Any, place: str) -> Any:
    if name in factory.ranges:
        read = _hyperparameter(value, place)
    elif isinstance(sample, Transform) and value is not None:
        read = _transform(value, place)
    elif holds_transforms(sample) and isinstance(value, Mapping):
        read = {k: _transform(v, at(place, str(k))) for k, v in value.items()}
    else:
        read = _read(value, place)
    try:
        return factory.check(name, read)
    except Exception as error:
        fail(place, reason(error, factory.name), error)


def _hyperparameter(value: Json, place: str) -> Any:
    if isinstance(value, Mapping):
        name = next(iter(value), "")
        if len(value) != 1 or name not in {*SCHEDULES, "tunable"}:
            fail(at(place, str(name)), f"not a schedule; {near(str(name), [*SCHEDULES, 'tunable'])}")
    elif isinstance(value, str | list):
        hint = "; YAML takes 1e-3 for a text: write 1.0e-3" if _is_number(value) else ""
        fail(place, f'expected a number, a schedule or {{"tunable": number}}, found {show(value)}{hint}')
    return _read(value, place)


def _is_number(value: Any) -> bool:
    try:
        return bool(float(value)) or True
    except (TypeError, ValueError):
        return False


def _read(value: Json, place: str) -> Any:
    """Any value: what has a name known here is made, everything else is itself."""
    if isinstance(value, list | tuple):
        return [_read(v, at(place, i)) for i, v in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if not is_form(value):
        return {k: _read(v, at(place, str(k))) for k, v in value.items()}
    ((name, inside),) = value.items()
    here = at(place, name)
    if name in REGISTRY:
        return _transform(value, place)
    if name == "mapping":
        if not isinstance(inside, Mapping):
            fail(here, f"expected a mapping, found {show(inside)}")
        return {k: _read(v, at(here, str(k))) for k, v in inside.items()}
    try:
        return _named(name, inside, here) if name in NAMED else _form(name, inside, here)
    except ConfigError:
        raise
    except Exception as error:
        fail(here, reason(error, name), error)


def _form(name: str, inside: Json, place: str) -> Any:
    if name == "tunable":
        return tunable(inside)
    if name == "dtype":
        if not isinstance(inside, str) or kinds.DTYPE.read(inside) is kinds.NO:
            fail(place, f"expected the name of a dtype, found {show(inside)}")
        return jnp.dtype(inside)
    given = inside if isinstance(inside, Mapping) else {"pattern": inside}
    _check_names("regex", given, {"pattern": True, "flags": False}, place)
    pattern, flags = given["pattern"], given.get("flags", 0)
    if not isinstance(pattern, str) or len(pattern) > LONGEST:
        fail(place, f"expected a regular expression of at most {LONGEST} characters, found {show(pattern)}")
    if not isinstance(flags, int) or flags & ~int(FLAGS):
        fail(place, f"flags are {show(flags)}; expected the sum of flags of the module re, without DEBUG")
    return re.compile(pattern, flags)


LONGEST = 1000  # characters of a regular expression
FLAGS = re.ASCII | re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE


def _named(name: str, inside: Json, place: str) -> Any:
    if not isinstance(inside, Mapping):
        fail(place, f"expected a mapping of arguments, found {show(inside)}")
    fields: Any = dataclasses.fields(cast(Any, NAMED[name]))
    _check_names(name, inside, {f.name: f.default is dataclasses.MISSING for f in fields}, place)
    return NAMED[name](**{k: _read(v, at(place, k)) for k, v in inside.items()})
