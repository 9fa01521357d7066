"""The codecs by name: gradchain.codecs.log8(low=-30); another is any subclass of Codec."""

from __future__ import annotations

from collections.abc import Callable

from gradchain.core import words
from gradchain.core.codec import Codec, CodecError
from gradchain.storage.block import fp8, int8, int8_linear
from gradchain.storage.cast import bfloat16, float16, float32
from gradchain.storage.log import log8
from gradchain.storage.log4 import log4
from gradchain.storage.rank_one import rank_one

KINDS = (float32, bfloat16, float16, log8, log4, int8, int8_linear, fp8, rank_one)
CODECS: dict[str, Callable[..., Codec]] = {c.name: c for c in KINDS}
SHORT: dict[str, Codec] = {"bfloat16_stochastic": bfloat16(stochastic=True)}

__all__ = [
    "CODECS",
    "Codec",
    "CodecError",
    "bfloat16",
    "codec_of",
    "float16",
    "float32",
    "fp8",
    "int8",
    "int8_linear",
    "log4",
    "log8",
    "rank_one",
]


def codec_of(codec: str | Codec) -> Codec:
    """The codec that a name or a value means."""
    if isinstance(codec, Codec):
        return codec
    if isinstance(codec, str):
        if codec in SHORT:
            return SHORT[codec]
        if codec in CODECS:
            return CODECS[codec]()
        known = [*CODECS, *SHORT]
        near = words.near(codec, known)
        hint = f"did you mean {near}?" if near else f"expected one of {', '.join(known)}"
        raise ValueError(f"stored: there is no codec {words.show(codec)}; {hint}")
    raise TypeError(
        f"stored: {words.show(codec)} is not a codec; expected a name, a value of codecs, or "
        f"{{pattern: codec}}"
    )
