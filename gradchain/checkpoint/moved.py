"""Arrays on their way between a checkpoint and the devices."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.sharding import NamedSharding

from gradchain.core import place
from gradchain.core.slots import Slot


def put(x: Any, home: NamedSharding | None, slot: Slot | None = None) -> Array:
    """An array in its place: on a mesh, or where JAX puts a new one. Arrays that are there already stay.

    With a slot also in its dtype, and in its kind of memory where no mesh says which.
    """
    if slot is not None and x.dtype != slot.dtype:
        x = on_device(x).astype(slot.dtype)
    x = _put(x, home)
    if home is None and slot is not None and slot.memory is not None and not isinstance(x, Tracer):
        return jax.device_put(x, place.memory_space(slot.memory))
    return x


def _put(x: Any, home: NamedSharding | None) -> Array:
    if isinstance(x, Tracer):
        return x
    if home is None:
        if isinstance(x, jax.Array) and len(x.sharding.device_set) > 1 and x.is_fully_addressable:
            x = _on_host(x)
        return x if isinstance(x, jax.Array) else jnp.array(x)
    if isinstance(x, jax.Array):
        return x if x.sharding == home else jax.device_put(x, home)
    if jax.process_count() > 1:  # device_put would compare the values of all processes
        return jax.make_array_from_callback(x.shape, home, lambda index: x[index])
    return jax.device_put(x, home, may_alias=False)


def on_device(x: Any) -> Any:
    """An array that is kept in the host's memory, where it can be computed with."""
    if not isinstance(x, jax.Array) or isinstance(x, Tracer):
        return x
    kind = next(iter(x.sharding.device_set)).default_memory().kind
    return (
        x if x.sharding.memory_kind in (None, kind) else jax.device_put(x, x.sharding.with_memory_kind(kind))
    )


def _on_host(x: Array) -> Any:
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        numbers = jnp.asarray(np.asarray(jax.random.key_data(x)))
        return jax.random.wrap_key_data(numbers, impl=jax.random.key_impl(x))
    return np.asarray(x)
