"""A decoder-only transformer over bytes, in Flax NNX."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lm import UserError

VOCABULARY = 256  # every byte is a token
GRAM = 4  # bytes that a position sees at once, before any attention: few bytes make a word


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The sizes of the model: what a checkpoint must agree on."""

    layers: int
    width: int
    heads: int

    def __post_init__(self):
        if self.width % (2 * self.heads):
            raise UserError(f"--width {self.width} is not a multiple of 2 x --heads, {2 * self.heads}")


def rotate(x: jax.Array) -> jax.Array:
    """Turn pairs of features by an angle growing with position (arXiv:2104.09864); x: [..., length, 2n]."""
    length, half = x.shape[-2], x.shape[-1] // 2
    angle = np.arange(length)[:, None] * 1e4 ** (-np.arange(half) / half)  # [length, n], radians
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)  # constants of the program
    a, b = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


class Attention(nnx.Module):
    """Causal self-attention with normalised queries and keys (arXiv:2010.04245)."""

    def __init__(self, config: ModelConfig, residual: nnx.Initializer, rngs: nnx.Rngs):
        self.heads = config.heads
        self.qkv = nnx.Linear(config.width, 3 * config.width, use_bias=False, rngs=rngs)
        self.out = nnx.Linear(config.width, config.width, use_bias=False, kernel_init=residual, rngs=rngs)
        self.query_norm = nnx.RMSNorm(config.width // config.heads, rngs=rngs)
        self.key_norm = nnx.RMSNorm(config.width // config.heads, rngs=rngs)

    def __call__(self, x: jax.Array, length: int) -> jax.Array:
        rows, width = x.shape
        # Head after head, so that a mesh axis over the columns of qkv takes whole heads.
        qkv = self.qkv(x).reshape(rows // length, length, self.heads, 3, -1).transpose(3, 0, 2, 1, 4)
        q, k, v = rotate(self.query_norm(qkv[0])), rotate(self.key_norm(qkv[1])), qkv[2]
        score = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5  # [batch, heads, length, length]
        causal = jnp.tril(jnp.ones((length, length), bool))
        mixed = jax.nn.softmax(jnp.where(causal, score, -1e30)) @ v
        return self.out(mixed.transpose(0, 2, 1, 3).reshape(rows, width))


class Block(nnx.Module):
    """Attention, then a perceptron with squared ReLU (arXiv:2109.08668), each on a normalised residual."""

    def __init__(self, config: ModelConfig, residual: nnx.Initializer, rngs: nnx.Rngs):
        width = config.width
        self.attention_norm = nnx.RMSNorm(width, rngs=rngs)
        self.attention = Attention(config, residual, rngs)
        self.mlp_norm = nnx.RMSNorm(width, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, use_bias=False, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, use_bias=False, kernel_init=residual, rngs=rngs)

    def __call__(self, x: jax.Array, length: int) -> jax.Array:
        x = x + self.attention(self.attention_norm(x), length)
        return x + self.down(jnp.square(jax.nn.relu(self.up(self.mlp_norm(x)))))


class Transformer(nnx.Module):
    """Bytes in, logits of the next byte out: [batch, length] -> [batch, length, 256]."""

    def __init__(self, config: ModelConfig, rngs: nnx.Rngs):
        residual = nnx.initializers.variance_scaling(0.5 / config.layers, "fan_in", "normal")
        unit = nnx.initializers.normal(GRAM**-0.5)  # the sum over GRAM bytes has unit variance
        self.embed = nnx.Embed(GRAM * VOCABULARY, config.width, embedding_init=unit, rngs=rngs)
        self.blocks = nnx.List([Block(config, residual, rngs) for _ in range(config.layers)])
        self.norm = nnx.RMSNorm(config.width, rngs=rngs)
        zeros = nnx.initializers.zeros
        self.head = nnx.Linear(config.width, VOCABULARY, use_bias=False, kernel_init=zeros, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        length = tokens.shape[1]
        back = [jnp.pad(tokens, ((0, 0), (n, 0)))[:, :length] + n * VOCABULARY for n in range(GRAM)]
        # One row per position: the weights' gradients are then plain matrix products, much faster on a CPU.
        x = sum(self.embed(ids.reshape(-1)) for ids in back)  # [batch * length, width]
        for block in self.blocks:
            x = block(x, length)
        return self.head(self.norm(x)).reshape(*tokens.shape, VOCABULARY)
