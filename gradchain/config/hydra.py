"""Hydra's form of a configuration, {"_target_": "gradchain.adamw", "learning_rate": 0.001}, and back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, cast

from gradchain.config.forms import NAMED, holds_transforms, is_form
from gradchain.config.place import ConfigError, Json, at, fail, near, show
from gradchain.core import words
from gradchain.core.transform import REGISTRY
from gradchain.storage.codecs import CODECS

TARGET, ARGS = "_target_", "_args_"
CONTROL = ("_convert_", "_recursive_", "_partial_")
OTHERS = {"re.compile": "regex", "jax.numpy.dtype": "dtype", "numpy.dtype": "dtype", "jnp.dtype": "dtype"}
SPELT = re.compile(r"^gradchain\.(?:[a-z_]+\.)*(\w+)$")


def has_targets(config: Json) -> bool:
    """Whether a configuration, whose depth is bounded, is in Hydra's form: a `_target_` is in it."""
    if isinstance(config, Mapping):
        return TARGET in config or any(map(has_targets, config.values()))
    return isinstance(config, list | tuple) and any(map(has_targets, config))


def to_hydra(config: Json) -> Json:
    """What `to_config` writes, as `hydra.utils.instantiate` takes it.

    Where a list or a mapping is an argument, `_convert_` keeps Hydra from making containers of its own of it.
    """
    if isinstance(config, list):
        return [to_hydra(x) for x in config]
    if isinstance(config, str) and "${" in config:
        raise ConfigError(f"{show(config)}: Hydra takes ${{ for an interpolation; write it in another way")
    if not isinstance(config, Mapping):
        return config
    if not is_form(config):
        return {k: to_hydra(v) for k, v in config.items()}
    ((name, inside),) = config.items()
    if name == "mapping":
        return {k: to_hydra(v) for k, v in inside.items()}
    if name == "tunable":
        return {TARGET: "gradchain.tunable", "value": inside}
    if name == "dtype":
        return {TARGET: "jax.numpy.dtype", ARGS: [inside]}
    if name == "regex":
        given = inside if isinstance(inside, Mapping) else {"pattern": inside}
        return {TARGET: "re.compile", **{k: to_hydra(v) for k, v in given.items()}}
    target = f"gradchain.codecs.{name}" if name in CODECS else f"gradchain.{name}"
    if isinstance(inside, list):
        return {TARGET: target, "_convert_": "all", ARGS: [to_hydra(x) for x in inside]}
    sample = REGISTRY[name].example() if name in REGISTRY else {}
    found = {
        k: {label: to_hydra(one) for label, one in v.items()}
        if holds_transforms(sample.get(k))
        else to_hydra(v)
        for k, v in inside.items()
    }
    contained = any(
        isinstance(v, list) or (isinstance(v, Mapping) and TARGET not in v) for v in found.values()
    )
    return {TARGET: target, **({"_convert_": "all"} if contained else {}), **found}


def from_hydra(config: Json, place: str = "") -> Json:
    """A configuration in Hydra's form as `to_config` writes it."""
    if isinstance(config, list | tuple):
        return [from_hydra(x, at(place, i)) for i, x in enumerate(config)]
    if not isinstance(config, Mapping):
        return config
    if TARGET not in config:
        found = {k: from_hydra(v, at(place, str(k))) for k, v in config.items()}
        return {"mapping": found} if is_form(found) else found
    name = _name(config[TARGET], at(place, TARGET))
    here = at(place, name)
    if config.get("_partial_"):
        fail(here, "_partial_ makes a function, where a value is expected: leave it out")
    given = {k: v for k, v in config.items() if k not in (TARGET, ARGS, *CONTROL)}
    args = config.get(ARGS, [])
    if not isinstance(args, list | tuple):
        fail(at(here, ARGS), f"expected a list, found {show(args)}")
    if name in REGISTRY and REGISTRY[name].variadic:
        if given:
            fail(here, f"takes transformations in {ARGS}, not {words.listed(sorted(given))}")
        return {name: [from_hydra(x, at(here, i)) for i, x in enumerate(args)]}
    given = {**dict(zip(_positions(name, len(args), here), args, strict=True)), **given}
    sample = REGISTRY[name].example() if name in REGISTRY else {}
    found = {}
    for k, v in given.items():
        there = at(here, str(k))
        if holds_transforms(sample.get(k)) and isinstance(v, Mapping) and TARGET not in v:
            found[k] = {label: from_hydra(one, at(there, str(label))) for label, one in v.items()}
        else:
            found[k] = from_hydra(v, there)
    if name in ("tunable", "dtype"):
        (only,) = found.values() if len(found) == 1 else (found,)
        return {name: only}
    return {name: found}


def _name(target: Json, place: str) -> str:
    """The name here of what a target names."""
    if not isinstance(target, str):
        fail(place, f"expected a text such as gradchain.adamw, found {show(target)}")
    if target in OTHERS:
        return OTHERS[target]
    match = SPELT.match(target)
    known = [*REGISTRY, *NAMED, "tunable"]
    if match and match[1] in known:
        return match[1]
    last = target.rpartition(".")[2]
    if not match and last in known:
        fail(place, f"{words.show(target)} is not gradchain's; did you mean gradchain.{last}?")
    fail(place, f"{words.show(target)} is nothing that can be made here; {near(last, known)}")


def _positions(name: str, n: int, place: str) -> list[str]:
    """The names of the first n arguments."""
    if name in REGISTRY:
        names = list(REGISTRY[name].signature.parameters)
    elif name in NAMED:
        names = [f.name for f in dataclasses.fields(cast(Any, NAMED[name]))]
    else:
        names = {"regex": ["pattern", "flags"]}.get(name, ["value"])
    if n > len(names):
        fail(place, f"{n} arguments in {ARGS}; it takes {len(names)}: {', '.join(names)}")
    return names[:n]
