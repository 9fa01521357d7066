"""Names of Optax that are more than a factory in another form."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from jax import Array

from gradchain import losses, wrappers
from gradchain.core import foreign
from gradchain.core.masks import masked
from gradchain.optax.surface import PLAIN, Transformation, arguments, surface
from gradchain.rules import adaptive, set_to_zero


def freeze(mask: Any) -> Transformation:
    """Zero updates where the mask is True; what stands before it in a chain keeps its state."""
    return Transformation.of(masked(set_to_zero(), mask))


def _made(make: Callable[..., Any]) -> Callable[..., Transformation]:
    @functools.wraps(make)
    def call(*args: Any, **kwargs: Any) -> Transformation:
        return Transformation.of(make(*args, **kwargs))

    return call


def inject_hyperparams(
    inner_factory: Callable[..., Any], static_args: str | Iterable[str] = (), hyperparam_dtype: Any = None
) -> Callable[..., Transformation]:
    """`gradchain.inject_hyperparams`, whose state is InjectStatefulHyperparamsState."""
    part = inner_factory if isinstance(inner_factory, functools.partial) else functools.partial(inner_factory)
    plain: Any = PLAIN.get(part.func)
    if plain is None or plain.factory.variadic:
        return _made(wrappers.inject_hyperparams(inner_factory, static_args, hyperparam_dtype))
    make = _made(wrappers.inject_hyperparams(plain, static_args, hyperparam_dtype))

    @functools.wraps(inner_factory, updated=())
    def call(*args: Any, **kwargs: Any) -> Transformation:
        return make(**arguments(plain.factory, (*part.args, *args), {**part.keywords, **kwargs}))

    return call


inject_stateful_hyperparams = inject_hyperparams


@functools.wraps(adaptive.optimistic_adam)
def optimistic_adam(*args: Any, **kwargs: Any) -> Transformation:
    """`gradchain.optimistic_adam`, of which Optax warns."""
    warnings.warn("use `optimistic_adam_v2` instead", DeprecationWarning, stacklevel=2)
    return surface(adaptive.optimistic_adam)(*args, **kwargs)


def with_extra_args_support(tx: Any) -> Transformation:
    """The transformation as one whose update takes extra arguments."""
    return tx if isinstance(tx, Transformation) else Transformation.of(foreign.with_extra_args_support(tx))


@functools.wraps(losses.convex_kl_divergence)
def convex_kl_divergence(*args: Any, **kwargs: Any) -> Array:
    """`gradchain.losses.convex_kl_divergence`, of which Optax warns."""
    warnings.warn("use generalized_kl_divergence instead", DeprecationWarning, stacklevel=2)
    return losses.convex_kl_divergence(*args, **kwargs)


OURS = {
    f.__name__: f
    for f in (freeze, inject_hyperparams, optimistic_adam, with_extra_args_support, convex_kl_divergence)
}
OURS["inject_stateful_hyperparams"] = inject_hyperparams


def names(namespace: Any) -> dict[str, Any]:
    """Those of these names that a namespace has."""
    return {name: f for name, f in OURS.items() if name in namespace.__all__}


__all__ = [
    "convex_kl_divergence",
    "freeze",
    "inject_hyperparams",
    "inject_stateful_hyperparams",
    "names",
    "optimistic_adam",
    "with_extra_args_support",
]
