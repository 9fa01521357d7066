"""The parameters of a model as JSON: {"encoder/kernel": {"shape": [768, 3072], "dtype": "bfloat16"}}."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding

from gradchain.config.files import SUFFIXES, read_file
from gradchain.config.place import ConfigError, bounded, parse
from gradchain.core import kinds, place, tree, words

PyTree = Any
Json = Any


LARGEST = 2**48  # numbers in an array
SHORT = re.compile(r"([^=,]+)=(\d+(?:x\d+)*)(?::(\w+))?")


class ShapesError(ValueError):
    """Parameters that cannot be read; the message names the leaf."""


def shapes(params: PyTree) -> dict[str, Any]:
    """Parameters, which may be abstract, as the JSON that `python -m gradchain.aot --params` reads.

        json.dump(aot.shapes(params), open("shapes.json", "w"))

    One entry for each leaf, by its path: shape, dtype and, where it is split over a mesh, its spec.
    """
    found = {}
    for path, leaf in zip(tree.paths(params), jax.tree.leaves(params), strict=True):
        found[path] = {"shape": list(leaf.shape), "dtype": jnp.dtype(leaf.dtype).name}
        where = place.of(leaf)
        split = place.split_of(where.spec, len(leaf.shape)) if where else ()
        if any(split):
            found[path]["spec"] = [list(names) if len(names) > 1 else (*names, None)[0] for names in split]
    return found


def read(text: str) -> PyTree:
    """The JSON text as a tree of ShapeDtypeStruct, with the spec of each leaf for a sharding's.

    A leaf is a list of sizes, or {"shape": [...], "dtype": "float32", "spec": [null, "model"]}; everything
    else is a mapping of leaves and mappings.
    """
    try:
        return _whole(parse(text))
    except ConfigError as error:
        raise ShapesError(str(error)) from None


def given(text: str) -> PyTree:
    """The parameters of a file .json or .yaml, of JSON, or of kernel=1024x4096,bias=4096:bfloat16."""
    try:
        return _whole(_given(text))
    except (ConfigError, ShapesError) as error:
        shown = words.plain(text)
        said = str(error).removeprefix(f"{shown}: ")
        raise ShapesError(f"{shown}: {said}") from error


def _given(text: str) -> Json:
    if text.lstrip().startswith("{"):
        return parse(text)
    if Path(text).suffix.lower() in SUFFIXES:
        return read_file(text)
    if "=" not in text:
        return parse(Path(text).read_text(encoding="utf-8"))
    found = [SHORT.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found):
        raise ShapesError("expected a file SHAPES.json, JSON, or kernel=1024x4096,bias=4096:bfloat16")
    return {
        m[1]: {"shape": [int(n) for n in m[2].split("x")], "dtype": m[3] or "float32"} for m in found if m
    }


def _whole(found: Json) -> PyTree:
    bounded(found)
    leaves = _read(found, "")
    if not isinstance(leaves, dict) or not jax.tree.leaves(leaves, is_leaf=lambda x: isinstance(x, Leaf)):
        raise ShapesError('expected {"path": {"shape": [...], "dtype": "float32"}, ...}, found no leaf')
    return leaves


class Leaf:
    """A parameter and the mesh axes that its dimensions are split over."""

    def __init__(self, path: str, shape: tuple[int, ...], dtype: Any, split: place.Split):
        self.path, self.shape, self.dtype, self.split = path, shape, dtype, split

    def on(self, mesh: Mesh) -> jax.ShapeDtypeStruct:
        """The parameter on a mesh."""
        for size, names in zip(self.shape, self.split, strict=True):
            for name in names:
                if name not in mesh.shape:
                    raise ShapesError(
                        f"{self.path}: its spec names the mesh axis {name!r}; the mesh has "
                        f"{', '.join(mesh.axis_names)}: give --mesh {name}=..."
                    )
                if size % mesh.shape[name]:
                    raise ShapesError(
                        f"{self.path}: a dimension of {size} cannot be split over {name!r} of "
                        f"{mesh.shape[name]} devices"
                    )
                size //= mesh.shape[name]
        sharding = NamedSharding(mesh, place.spec_of(self.split))
        return jax.ShapeDtypeStruct(self.shape, self.dtype, sharding=sharding)


def leaves(params: PyTree) -> PyTree:
    """A tree of Leaf, from what `read` returns or from parameters, which may be abstract."""
    found = jax.tree.leaves(params, is_leaf=lambda x: isinstance(x, Leaf))
    return params if all(isinstance(x, Leaf) for x in found) else _read(shapes(params), "")


def on(mesh: Mesh, leaves: PyTree) -> PyTree:
    """The parameters that `read` has found, on a mesh."""
    return jax.tree.map(lambda leaf: leaf.on(mesh), leaves, is_leaf=lambda x: isinstance(x, Leaf))


def _read(value: Json, path: str) -> PyTree:
    if isinstance(value, list):
        return _leaf({"shape": value}, path)
    if not isinstance(value, Mapping):
        raise ShapesError(f"{path or 'the file'}: expected a shape or a mapping, found {words.show(value)}")
    if isinstance(value.get("shape"), list) and set(value) <= {"shape", "dtype", "spec"}:
        return _leaf(value, path)
    return {k: _read(v, words.plain(f"{path}/{k}" if path else k, 300)) for k, v in value.items()}


def _leaf(value: Mapping[str, Json], path: str) -> Leaf:
    shape = value["shape"]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape):
        raise ShapesError(f"{path}: expected whole numbers above 0 as the shape, found {words.show(shape)}")
    if math.prod(shape) >= LARGEST:
        raise ShapesError(f"{path}: an array of shape {words.show(shape)} has 2^48 numbers or more")
    name = value.get("dtype", "float32")
    if not isinstance(name, str) or kinds.DTYPE.read(name) is kinds.NO:
        raise ShapesError(f"{path}: {words.show(name)} is no dtype")
    dtype = jnp.dtype(name)
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise ShapesError(f"{path}: {dtype.name} is no dtype of a parameter: leave the leaf out")
    return Leaf(path, tuple(shape), dtype, _split(value.get("spec"), len(shape), path))


def _split(spec: Json, rank: int, path: str) -> place.Split:
    given = [] if spec is None else spec if isinstance(spec, list) else None
    names = [[] if entry is None else [entry] if isinstance(entry, str) else entry for entry in given or []]
    if (
        given is None
        or len(names) > rank
        or not all(isinstance(entry, list) and all(isinstance(n, str) for n in entry) for entry in names)
    ):
        raise ShapesError(
            f"{path}: expected as spec a list of mesh axes or null for {rank} dimensions, "
            f"found {words.show(spec)}"
        )
    return tuple(tuple(entry) for entry in names) + ((),) * (rank - len(names))
