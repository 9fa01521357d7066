"""split_real_and_imaginary: complex parameters as pairs of real ones, for any optimizer."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from gradchain.core import leaves
from gradchain.core.foreign import as_transform
from gradchain.core.transform import example, wrapper
from gradchain.wrappers.parted import Parted

PyTree = Any


class RealAndImaginary(NamedTuple):
    """The two parts of a complex leaf."""

    real: Any
    imaginary: Any


def _is_complex(x: Any) -> bool:
    return leaves.is_array(x) and jnp.issubdtype(x.dtype, jnp.complexfloating)


def _pair(x: Any) -> RealAndImaginary:
    if isinstance(x, jax.ShapeDtypeStruct):
        part = jax.ShapeDtypeStruct(x.shape, jnp.finfo(x.dtype).dtype, sharding=x.sharding)
        return RealAndImaginary(part, part)
    return RealAndImaginary(jnp.real(x), jnp.imag(x))


class Split(Parted):
    """A transform that sees real arrays only."""

    def split(self, values: PyTree, like: PyTree) -> PyTree:
        """The tree with a pair of real arrays for each leaf that is complex in `like`."""
        return jax.tree.map(lambda x, p: _pair(x) if _is_complex(p) else x, values, like)

    def joined(self, values: PyTree, like: PyTree) -> PyTree:
        """The other way round."""
        treedef = jax.tree.structure(like)
        rows = zip(treedef.flatten_up_to(values), jax.tree.leaves(like), strict=True)
        return treedef.unflatten([lax.complex(*x) if _is_complex(p) else x for x, p in rows])


@wrapper(example=lambda: {"inner": example("adam")})
def split_real_and_imaginary(inner: Any):
    """Let an optimizer treat each complex leaf as a pair of real ones.

    Most rules here take complex numbers as they are, with |g|^2 for squares; in torch and in this wrapper
    real and imaginary part have statistics of their own. Inside, "kernel" is "kernel/real" and
    "kernel/imaginary", also in the state and for masks ("**/kernel/*"); real leaves stay as they are.
    """
    return Split(as_transform(inner, "split_real_and_imaginary"))
