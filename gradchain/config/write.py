"""An optimizer written as JSON values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Literal

from gradchain.config.forms import NAMED, holds_transforms, is_form
from gradchain.config.hydra import to_hydra
from gradchain.config.place import ConfigError, Json, at, fail
from gradchain.core import hyper, values, words
from gradchain.core.hyper import Tunable
from gradchain.core.inside import opens
from gradchain.core.transform import REGISTRY, Transform


@opens
def to_config(tx: Transform, *, form: Literal["plain", "hydra"] = "plain") -> Json:
    """The optimizer as JSON values, from which `from_config` makes an equal one.

    Every part is {"name": {arguments}}, with the arguments that differ from their defaults; chain takes a
    list. Schedules and codecs are written the same way, tunable numbers {"tunable": 0.001}, regular
    expressions {"regex": "..."}, dtypes {"dtype": "bfloat16"}. Functions, arrays and transformations of other
    libraries have no such form: an error names the argument.
    form="hydra": {"_target_": "gradchain.name", **arguments}, which `hydra.utils.instantiate` takes as well.
    """
    if not isinstance(tx, Transform):
        raise ConfigError(f"to_config({words.show(tx)}): expected a gradchain transformation")
    if form not in ("plain", "hydra"):
        raise ConfigError(f"to_config: form is {words.show(form)}; expected 'plain' or 'hydra'")
    try:
        written = _write(tx, "")
        return to_hydra(written) if form == "hydra" else written
    except RecursionError as error:
        raise ConfigError(f"{tx.name}: an argument is nested too deep, or contains itself") from error


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
        fail(
            place,
            f"a transformation of another library cannot be written as JSON: {words.show(value)}",
        )
    if isinstance(value, list | tuple):
        return [_write(v, at(place, i)) for i, v in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        found = {k: _write(v, at(place, k)) for k, v in value.items()}
        return {"mapping": found} if is_form(found) else found
    if hyper.is_array(value):
        what, hint = "an array", "use a number or tunable(number)"
    else:
        what = "a function" if callable(value) else f"a {type(value).__name__}"
        hint = "use a named schedule, a glob or a regular expression"
    fail(place, f"{what} cannot be written as JSON: {words.show(value)}; {hint}")


def _write_transform(tx: Transform, place: str) -> Json:
    name, factory, args = tx.name, tx.recipe.factory, tx.args
    if REGISTRY.get(name) is not factory:
        fail(at(place, name), "another transformation has been registered under this name since")
    if factory.variadic:
        return {name: [_write(v, at(at(place, name), i)) for i, v in enumerate(args[factory.variadic])]}
    default, found, sample = (
        {k: p.default for k, p in factory.signature.parameters.items()},
        {},
        factory.example(),
    )
    for key, value in args.items():
        if values.key(value) != values.key(default[key]):
            here = at(at(place, name), key)
            if holds_transforms(sample.get(key)):
                found[key] = {str(k): _write(v, at(here, str(k))) for k, v in value.items()}
            else:
                found[key] = _write(value, here)
    return {name: found}


def _write_named(value: Any, place: str) -> Json:
    name = type(value).__name__
    default = {f.name: f.default for f in dataclasses.fields(value)}
    changed = {k: v for k in default if values.key(v := getattr(value, k)) != values.key(default[k])}
    return {name: {k: _write(v, at(at(place, name), k)) for k, v in changed.items()}}
