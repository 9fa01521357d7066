"""What the codec tests share: slots, noise, and every codec in both of its variants."""

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from gradchain.core.slots import Leaf, default_axes, squares, zeros
from gradchain.math import rounding

codecs = gc.codecs
NAMES = sorted(codecs.CODECS)


def leaf(*shape, path="dense/kernel"):
    return Leaf(path, shape, jnp.dtype(jnp.float32), default_axes(path, shape))


def slot(positive: bool, *shape):
    return (squares if positive else zeros)(leaf(*(shape or (16, 16))))


def variants(shape=(256, 256)):
    """(name, fitted codec, positive) for every codec and kind of slot that it holds."""
    for name in [*NAMES, *codecs.SHORT]:
        for positive in (False, True):
            try:
                fitted = codecs.codec_of(name).fit(slot(positive, *shape))
            except gc.codecs.CodecError:
                continue
            if fitted is not None:
                yield name, fitted, positive


def noise(shape, step=0, seed=0):
    """Bits as an encoder asks for them."""
    return lambda: rounding.random_bits(rounding.fold(seed, step), shape)


def there_and_back(codec, x, step=0):
    """What a codec makes of x."""
    x = jnp.asarray(x, jnp.float32)
    return jax.jit(lambda x: codec.decode(*codec.encode(x, noise(x.shape, step))))(x)


def wide_values(shape, positive, octaves=(-20, 4), seed=0):
    """Values of many sizes; the seed's, with both signs unless positive."""
    rng = np.random.default_rng(seed)
    x = 2.0 ** rng.uniform(*octaves, shape)
    return jnp.asarray(x if positive else x * rng.choice([-1, 1], shape), jnp.float32)


def grads_like(params, step, scale=1.0):
    """Gradients of a step: the same for the same step."""
    rng = np.random.default_rng(step)
    return jax.tree.map(lambda p: jnp.asarray(scale * rng.standard_normal(p.shape), p.dtype), params)
