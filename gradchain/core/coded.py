"""Whether a state is one that the codecs of this step have written."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp

from gradchain.core.codec import Codec, field_of, kept
from gradchain.core.link import BORN, parts_of
from gradchain.core.slots import Slot

OTHER_CODEC = "; it is stored by another codec: gc.convert takes it to this one"


def same_fields(link, s, found: Mapping[str, list[Codec | None]], name: str) -> None:
    """Raise where the state has not the parts that the codecs keep."""
    wanted = {field_of(f, end) for f, of in found.items() for end in parts_of(of) if end}
    here = set(getattr(s, "_fields", ())) - {*getattr(link.State, "_fields", ()), *link.extra, BORN}
    for field in sorted(wanted ^ here):
        raise ValueError(f"{name}: the state {'lacks' if field in wanted else 'has'} {field!r}{OTHER_CODEC}")


def same_codec(codec: Codec | None, slot: Slot, x, field: str, name: str) -> None:
    """Raise where a codec would read what another, or none, has written: numbers, but not the state's."""
    wanted = jnp.dtype(next(iter(kept(codec, slot).values())).dtype)
    if codec is None:  # a moment may be wider or narrower than its slot; codes are integers
        same = jnp.issubdtype(x.dtype, jnp.inexact) == jnp.issubdtype(wanted, jnp.inexact)
    else:
        same = x.dtype == wanted
    if not same:
        path = slot.leaf.path if slot.leaf else ""
        raise ValueError(
            f"{name}: {field} of {path!r} is {x.dtype} in the state, {wanted.name} is needed{OTHER_CODEC}"
        )
