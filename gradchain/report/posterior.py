"""ivon_sample: parameters drawn from the Gaussian that IVON keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import tree
from gradchain.core.codec import Part, decode_alone, field_of
from gradchain.core.inside import opens
from gradchain.core.link import counts_of
from gradchain.core.transform import Transform, need_transform
from gradchain.math import rounding
from gradchain.report import held
from gradchain.report.links import Place, links
from gradchain.rules.curvature.ivon import inverse_deviation, standard_normal

PyTree = Any
LINK = "scale_by_ivon"


@opens
def ivon_sample(tx: Transform, state: Any, params: PyTree, index: int | Array = 0) -> PyTree:
    """A sample p + sigma e of the posterior of `ivon`, where a gradient or a prediction is to be taken.

        grads = jax.grad(loss)(gc.ivon_sample(tx, state, params))
        params, state = tx.step(grads, state, params)

    index 0 is the sample that the next update takes its gradient for; others are for predictions, and may be
    traced: the mean of jax.vmap(lambda i: f(ivon_sample(tx, state, params, i)))(jnp.arange(1, 9)). Leaves
    that `scale_by_ivon` does not act on stay. `state` may be an nnx.Optimizer or a TrainState. Keep the
    parameters in float32: rounding a sample adds noise that the update does not know of.
    """
    need_transform(tx, "ivon_sample(tx, state, params)", state, params)
    kept, slots = held.checked(state, tx, "ivon_sample"), tx.slots(params)
    found = {}
    for place in links(tx, params, kept):
        if place.recipe.factory.name == LINK:
            found |= dict(_drawn(place, place.entry(kept), place.entry(slots), index))
    leaves, treedef = jax.tree.flatten(params)
    if leaves and not found:
        raise ValueError(f"ivon_sample: {tx.name} has no link {LINK} that acts on a leaf of the parameters")
    rows = zip(tree.paths(params), leaves, strict=True)
    return treedef.unflatten([_moved(p, *found[path]) if path in found else p for path, p in rows])


def _drawn(place: Place, entry: Any, slots: Any, index: int | Array) -> Iterator[tuple[str, tuple]]:
    """(path, what moves that leaf) of the leaves that a link acts on."""
    args = {**place.recipe.args, **place.body.live(entry)[0]}  # pyright: ignore[reportAttributeAccessIssue]
    paths = tree.paths(entry.precision)
    counts = counts_of(entry._replace(count=entry.count + 1), paths)
    for i, (path, slot) in enumerate(zip(paths, jax.tree.leaves(slots.precision), strict=True)):
        codec = slot.codec if isinstance(slot, Part) else None
        parts = [""] if codec is None else codec.parts
        arrays = [jax.tree.leaves(getattr(entry, field_of("precision", part)))[i] for part in parts]
        precision = arrays[0] if codec is None else decode_alone(codec, arrays)
        word = rounding.word(path)
        other = jnp.where(jnp.equal(index, 0), word, rounding.fold(word, index))
        yield path, (precision, counts[i], other, args["ess"], args["seed"])


def _moved(p: Array, precision: Array, t: Array, salt: Array, ess: Any, seed: int) -> Array:
    wide = tree.wide(p)
    sigma = (1 / inverse_deviation(precision, ess)).astype(wide.dtype)
    return (wide + sigma * standard_normal(seed, t, salt, wide)).astype(p.dtype)
