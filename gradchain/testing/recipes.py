"""A transform is a value: it prints, compares, hashes, copies, pickles and is edited as its recipe says."""

from __future__ import annotations

import copy
import functools
import importlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp

import gradchain as gc
from gradchain.core.recipe import REGISTRY
from gradchain.core.transform import Transform, make
from gradchain.testing.compare import require, same_kinds
from gradchain.testing.law import law, laws_in
from gradchain.testing.subjects import Subject, links

VALUE = (
    "Arguments are values: frozen dataclasses, numbers, text, transforms. A function or class stands in a "
    "module, where repr and pickle find it by name."
)


def names(subject: Subject) -> dict[str, Any]:
    """What may stand in a repr: gradchain's names, those of the transform's modules, and every factory."""
    found: dict[str, Any] = {}
    for link in links(subject.tx):
        if module := sys.modules.get(link.recipe.factory.fn.__module__):
            found |= vars(module)
    found |= {**vars(gc), "re": re, "jnp": jnp}
    missing = [f for f in REGISTRY.values() if getattr(found.get(f.name), "factory", None) is not f]
    return {**found, **{f.name: functools.partial(_call, f) for f in missing}}


def _call(factory, *args, **kwargs) -> Transform:
    return make(factory, args, kwargs)


def variants(subject: Subject) -> Iterator[Transform]:
    """The transform, and its hyperparameters said in the ways that can be printed."""
    yield subject.tx
    if constants := subject.hypers:
        yield subject.make(**{k: gc.tunable(v) for k, v in constants.items()})
        yield subject.make(**{k: jnp.asarray(v, jnp.float32) for k, v in constants.items()})
        yield subject.make(**subject.nudged)
        yield subject.make(**{k: gc.constant_schedule(v) for k, v in constants.items()})


def same_again(subject: Subject, again: Callable[[Transform], Transform]) -> None:
    """Require that what comes back is equal, prints the same and makes the same state."""
    params, _ = subject.problem(steps=1)
    for tx in variants(subject):
        twin = again(tx)
        require(
            twin == tx and hash(twin) == hash(tx), f"{tx!r} comes back as {twin!r}, which is another value"
        )
        require(repr(twin) == repr(tx), f"{tx!r} comes back as {twin!r}")
        same_kinds(twin.init(params), tx.init(params), "its state")


@law(advice=VALUE)
def repr_evaluates_back(subject: Subject) -> None:
    """Its repr is the call that makes it."""
    same_again(subject, lambda tx: eval(repr(tx), names(subject)))


@law(advice=VALUE)
def pickles(subject: Subject) -> None:
    """It is the same after pickle."""
    same_again(subject, lambda tx: pickle.loads(pickle.dumps(tx)))


@law(advice=VALUE)
def copies(subject: Subject) -> None:
    """It is the same after copy.copy and copy.deepcopy."""
    same_again(subject, copy.copy)
    same_again(subject, copy.deepcopy)


@law(advice=VALUE)
def values_tell_transforms_apart(subject: Subject) -> None:
    """Equal arguments make equal transforms, others make others."""
    several = list(variants(subject))
    require(len(set(several)) == len(several), f"two of these are equal: {several}")
    for i, a in enumerate(several):
        require(all(a != b for b in several[:i]), f"{a!r} equals another of {several[:i]}")
    require(subject.make() == subject.tx, f"made again it is another: {subject.make()!r}")
    require(subject.tx != "something else", "it equals a text")


@law(advice="tx.replace calls the factory again: its signature names every argument.")
def replaced(subject: Subject) -> None:
    """tx.replace gives the transform with other arguments, and refuses those that it does not have."""
    tx, changes = subject.tx, subject.nudged
    if subject.factory.variadic:
        _refuses(lambda: tx.replace(anything=1), "tx.args")
        return
    edited = tx.replace(**changes)
    require(edited == subject.make(**changes), f"replace({changes}) gives {edited!r}")
    require(
        edited.replace(**subject.hypers) == tx, f"replaced back it is {edited.replace(**subject.hypers)!r}"
    )
    kept = {k: edited.args[k] for k in changes}
    require(kept == changes, f"replace({changes}) gives the arguments {kept}")
    _refuses(lambda: tx.replace(nonsense=1), "no argument 'nonsense'")


def _refuses(call: Callable[[], Any], text: str) -> None:
    try:
        call()
    except TypeError as error:
        require(text in str(error), f"the error {str(error)!r}; expected {text!r} in it")
    else:
        raise AssertionError(f"no error; expected one with {text!r}")


@law(advice="A transform is what @transform, @optimizer and @wrapper make.")
def is_a_pair(subject: Subject) -> None:
    """It unpacks into two functions (init, update)."""
    init, update = subject.tx
    require(callable(init) and callable(update), f"it unpacks into {init!r} and {update!r}")


@law(advice="Define the factory in a module, under its own name, with a docstring that gives its rule.")
def factory_is_public(subject: Subject) -> None:
    """Its factory is found by name in its module, and says what it does."""
    fn = subject.factory.fn
    found: Any = importlib.import_module(fn.__module__)
    for part in fn.__qualname__.split("."):
        found = getattr(found, part, None)
    require(
        getattr(found, "factory", None) is subject.factory,
        f"{fn.__module__}.{fn.__qualname__} is {found!r}, not the factory",
    )
    require((getattr(found, "__doc__", None) or "").strip(), f"{fn.__qualname__} has no docstring")


LAWS = laws_in(globals())
