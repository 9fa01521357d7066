"""What is written beside the arrays: their names, shapes and checksums, and the optimizer they belong to."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gradchain import config
from gradchain.checkpoint import auxiliary
from gradchain.checkpoint.cells import codecs_of
from gradchain.checkpoint.ensemble import Layout, laid_out
from gradchain.checkpoint.errors import CheckpointError, DamagedError
from gradchain.checkpoint.parsed import described, parse
from gradchain.checkpoint.state import state_dict
from gradchain.core import tree
from gradchain.core.codec import Codec
from gradchain.core.leaves import is_array
from gradchain.core.transform import Transform
from gradchain.report import held
from gradchain.report.links import links
from gradchain.storage.codecs import CODECS
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

    def nothing(self) -> np.ndarray:
        """The array itself, where it has no elements."""
        x = jax.eval_shape(jax.random.key_data, self.abstract) if self.key else self.abstract
        return np.zeros(x.shape, x.dtype)


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
    aux: Mapping[str, Any] | None = None  # the numbers and texts of `aux` that are no arrays, by path

    def part(self, name: str) -> dict[str, Array]:
        """The arrays of the parameters or of the state, by path."""
        return {k.partition("/")[2]: v for k, v in self.arrays.items() if k.partition("/")[0] == name}

    @property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The arrays of the state as shapes and dtypes, by path."""
        return {path: x.abstract for path, x in self.part("state").items()}

    def write(self) -> str:
        """The description as text, with a checksum of itself."""
        said = dataclasses.asdict(self)
        if self.aux is None:  # which earlier versions do not know
            del said["aux"]
        text = json.dumps({"format": FORMAT, **said})
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
    aux: dict[str, Any] | None = None  # what is no array in `aux`

    def about(self, sums: Mapping[str, str], **more: Any) -> About:
        """The description, once the checksums are known."""
        arrays = {
            k: Array(self.dtypes[k], self.shapes[k], sums[k], self.keys.get(k, "")) for k in self.arrays
        }
        return About(arrays, **more, aux=self.aux)


def digest(data: Any) -> str:
    """The checksum of bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def gather(state: Any, params: Any, aux: Any = None) -> Written:
    """What a checkpoint of a state, and of parameters and other things if they are given, holds."""
    parts, plain = {"state": state_dict(state)}, None
    if params is not None:
        parts["params"] = params_dict(params)
    if aux is not None:
        parts["aux"], plain = auxiliary.apart(aux)
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
        plain,
    )


def params_dict(params: Any) -> dict[str, Any]:
    """The parameters by path; what is no array, such as a function, belongs to the program."""
    found = held.arrays(params)
    rows = zip(tree.paths(found), jax.tree.leaves(found), strict=True)
    return {path: x for path, x in rows if is_array(x)}


def optimizer(tx: Transform, layout: Layout | None) -> dict[str, Any]:
    """What is said of the optimizer: its config if it has one, its text, how it keeps its state."""
    try:
        written = config.to_config(tx)
    except config.ConfigError:
        written = None
    codecs = {} if not stores(tx) else None
    if codecs is None and layout is not None:
        codecs = {path: repr(codec) for path, codec in codecs_of(layout.cells).items()}
    return {"optimizer": repr(tx.recipe), "config": written, "codecs": codecs}


def stores(tx: Transform) -> bool:
    """Whether any of the state may be kept by a codec."""
    return any(isinstance(link.body, Stored) for link in links(tx))


def codecs(about: About, layout: Layout, saved_by: Transform | None, who: str) -> Mapping[str, Any] | None:
    """How the leaves of a checkpoint are kept, as text where that is not known here; None: nobody says."""
    said = about.codecs
    if saved_by is not None:
        found = codecs_of(laid_out(saved_by, layout.given, about.shapes, who).cells)
        for path in () if said is None else layout.cells:
            mine, its = repr(found.get(path)), str((said or {}).get(path))
            if mine != its:
                raise CheckpointError(
                    f"{who}: saved_by keeps {path!r} by {mine}; the checkpoint says by {its}. Leave out "
                    "saved_by: the checkpoint knows"
                )
        return found
    if said is not None:
        return {path: codec_named(text) or text for path, text in said.items()}
    writer = layout.tx if about.optimizer == repr(layout.tx.recipe) else None
    if about.config is not None:
        with contextlib.suppress(config.ConfigError):  # made of what is not registered here
            writer = config.from_config(about.config)
    try:
        return None if writer is None else codecs_of(laid_out(writer, layout.given, about.shapes, who).cells)
    except (ValueError, TypeError):  # masks that match nothing here: other parameters
        return None


def codec_named(text: str) -> Codec | None:
    """The codec with this repr, codecs.log8(low=-30); None for one that is not of this library."""
    try:
        call: Any = ast.parse(text, mode="eval").body
        given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        made = CODECS[call.func.attr](**given)
    except (SyntaxError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return made if repr(made) == text else None
