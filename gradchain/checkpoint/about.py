"""What is written beside the arrays: their names, shapes and checksums, and the optimizer they belong to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gradchain import config
from gradchain.checkpoint.cells import codecs_of
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.parsed import described, parse
from gradchain.checkpoint.state import state_dict
from gradchain.core import tree
from gradchain.core.codec import Codec
from gradchain.core.leaves import is_array
from gradchain.core.transform import Transform
from gradchain.report import held
from gradchain.report.links import links
from gradchain.storage.stored import Stored

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Array:
    """One array of a checkpoint: as it was, and the checksum of what is written of it."""

    dtype: str  # key<fry> for random keys, of which the numbers are written
    shape: tuple[int, ...]
    sum: str
    key: str = ""  # how random keys are made

    @property
    def abstract(self) -> jax.ShapeDtypeStruct:
        """The shape and dtype that it is restored with."""
        dtype = jax.random.key(0, impl=self.key).dtype if self.key else jnp.dtype(self.dtype)
        return jax.ShapeDtypeStruct(self.shape, dtype)


@dataclasses.dataclass(frozen=True)
class About:
    """The description of a checkpoint."""

    arrays: Mapping[str, Array]  # params/encoder/kernel, state/scale_by_adam/mu/encoder/kernel
    optimizer: str = ""  # its repr
    config: Any = None  # to_config; None where it has none
    codecs: Mapping[str, str] | None = (
        None  # by path, of the leaves that are not kept exactly; None: not known
    )
    step: int | None = None
    metadata: Any = None  # the user's, JSON

    def part(self, name: str) -> dict[str, Array]:
        """The arrays of the parameters or of the state, by path."""
        return {k.partition("/")[2]: v for k, v in self.arrays.items() if k.partition("/")[0] == name}

    def write(self) -> str:
        """The description as text, with a checksum of itself."""
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(self)})
        return json.dumps({"sum": digest(text.encode()), "about": text})

    @classmethod
    def read(cls, text: str, where: str) -> About:
        """The description from text; an error where it is not what was written."""
        try:
            outer = parse(text)
            inner = outer["about"]
            if outer["sum"] != digest(inner.encode()):
                raise DamagedError(f"{where}: the description does not have its checksum; it was altered")
            found = parse(inner)
            if isinstance(found, dict) and found.get("format") != FORMAT:
                raise CheckpointError(
                    f"{where}: written by another version of gradchain; expected format {FORMAT}"
                )
            found = described(found)
            arrays = {k: Array(**_known(Array, v)) for k, v in found["arrays"].items()}
            for x in arrays.values():
                x.abstract  # noqa: B018  a dtype or a kind of random keys that is not known here
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise DamagedError(f"{where}: its description cannot be read: {error}") from None
        fields: dict[str, Any] = _known(cls, found) | {"arrays": arrays}
        return cls(**fields)


def _known(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this version has; a later one may have written more."""
    kept = {f.name: found[f.name] for f in dataclasses.fields(kind) if f.name in found}
    return {name: tuple(x) if name == "shape" else x for name, x in kept.items()}


class Written(NamedTuple):
    """A checkpoint before it is written: its arrays by name, with random keys as numbers."""

    arrays: dict[str, Any]
    keys: dict[str, str]  # how random keys are made, by name
    dtypes: dict[str, str]
    shapes: dict[str, tuple[int, ...]]

    def about(self, sums: Mapping[str, str], **more: Any) -> About:
        """The description, once the checksums are known."""
        arrays = {
            k: Array(self.dtypes[k], self.shapes[k], sums[k], self.keys.get(k, "")) for k in self.arrays
        }
        return About(arrays, **more)


def digest(data: Any) -> str:
    """The checksum of bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def gather(state: Any, params: Any) -> Written:
    """What a checkpoint of a state, and of parameters if they are given, holds."""
    parts = {"state": state_dict(state)}
    if params is not None:
        parts["params"] = params_dict(params)
    named = {f"{part}/{path}": x for part, found in parts.items() for path, x in found.items()}
    arrays, keys = {}, {}
    for name, x in named.items():
        if isinstance(x, jax.ShapeDtypeStruct):
            raise CheckpointError(f"{name!r} is abstract; expected an array. Save the arrays of a run")
        if hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            arrays[name], keys[name] = jax.random.key_data(x), str(jax.random.key_impl(x))
        else:
            arrays[name] = x if hasattr(x, "dtype") else jnp.asarray(x)
    real = {name: x if name in keys else arrays[name] for name, x in named.items()}
    return Written(
        arrays,
        keys,
        {name: str(x.dtype) for name, x in real.items()},
        {name: tuple(x.shape) for name, x in real.items()},
    )


def params_dict(params: Any) -> dict[str, Any]:
    """The parameters by path; what is no array, such as a function, belongs to the program."""
    found = held.arrays(params)
    rows = zip(tree.paths(found), jax.tree.leaves(found), strict=True)
    return {path: x for path, x in rows if is_array(x)}


def optimizer(tx: Transform, params: Any) -> dict[str, Any]:
    """What is said of the optimizer: its config if it has one, its text, how it keeps its state."""
    try:
        written = config.to_config(tx)
    except config.ConfigError:
        written = None
    codecs = {} if not stores(tx) else None
    if codecs is None and params is not None:
        codecs = {path: repr(codec) for path, codec in codecs_of(tx, params).items()}
    return {"optimizer": repr(tx), "config": written, "codecs": codecs}


def stores(tx: Transform) -> bool:
    """Whether any of the state may be kept by a codec."""
    return any(isinstance(link.body, Stored) for link in links(tx))


def codecs(about: About, tx: Transform, params: Any, saved_by: Transform | None) -> dict[str, Codec] | None:
    """How the leaves of a checkpoint are kept; None where that cannot be told."""
    if about.codecs == {} and saved_by is None:
        return {}
    writer = saved_by
    if writer is None and about.config is not None:
        try:
            writer = config.from_config(about.config)
        except Exception:  # transformations that are not registered here, or no config at all
            writer = None
    if writer is None and about.optimizer == repr(tx):
        writer = tx
    if writer is None:
        return None
    try:
        found = codecs_of(writer, params)
    except Exception as error:  # masks that match nothing here: other parameters
        if writer is saved_by and not isinstance(error, ValueError | TypeError):
            raise
        return None
    if saved_by is None and about.codecs is not None:
        changed = any(about.codecs.get(path) != repr(codec) for path, codec in found.items())
        return None if changed else found
    return found
