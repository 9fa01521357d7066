"""MuonClip: Muon, and weights of queries and keys scaled down where attention logits were too large."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from gradchain.core import select, tree
from gradchain.core.compose import chain
from gradchain.core.hyper import Decay, Fraction, Hyper
from gradchain.core.kinds import DType, Precision
from gradchain.core.link import treewise
from gradchain.core.select import Selection
from gradchain.core.slots import Leaf
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import real_dtype
from gradchain.matrices.linalg import QUINTIC, Kernel
from gradchain.rules.matrix.balance import Sides
from gradchain.rules.matrix.coefficients import Coefficients
from gradchain.rules.matrix.muon import muon

PyTree = Any
PAPER = "arXiv:2507.20534"


class _Part(NamedTuple):
    """A leaf of queries or of keys, and which of the maxima are its."""

    query: bool
    key: bool
    entry: str
    axis: int  # of the heads


def _entry(path: str, entries: dict[str, Array]) -> str:
    """The longest path among the maxima that the leaf's path begins with; that of a bare array is empty."""
    found = [e for e in entries if e in ("", path) or path.startswith(e + "/")]
    if not found:
        raise ValueError(
            f"qk_clip: no maximum for {path!r}: max_logits has {', '.join(map(repr, sorted(entries)))}; "
            "expected one array, or a tree with the path of each attention, such as {'layer_0': {'attn': x}}"
        )
    return max(found, key=len)


def _factors(limit: Array, leaf: Leaf, part: _Part, share, shared: bool) -> Array | None:
    """threshold / max for each head, raised to its power, to be multiplied with the leaf; None for 1."""
    if shared and not part.query:
        return None
    power = 1.0 if shared else share if part.query else 1 - share
    factor = limit**power
    if part.query and part.key and not shared:
        factor = limit
    if not limit.ndim:
        return factor
    *stack, heads = limit.shape
    n, own = len(stack), leaf.shape
    if n > part.axis or list(own[:n]) != stack or own[part.axis] != heads:
        raise ValueError(
            f"qk_clip: max_logits has shape {list(limit.shape)} for {leaf.path!r} of shape {list(own)}, "
            f"whose heads are axis {part.axis}; expected [*stack, heads]: say where with heads="
        )
    return factor.reshape(*stack, *(heads if i == part.axis else 1 for i in range(n, len(own))))


@transform(
    paper=PAPER,
    example=lambda: {"threshold": 1.0, "queries": "**", "keys": "**"},
    near=("muonclip", "clip_by_global_norm"),
)
def qk_clip(
    threshold: Hyper = 100.0,
    queries: Selection = "**/query/*",
    keys: Selection = "**/key/*",
    *,
    query_share: Fraction = 0.5,
    heads: int = -2,
):
    """Scale the queries' and keys' weights of heads whose attention logits were too large: the last link.

    c = min(1, threshold / max_logits);  p + u becomes c^s (p + u) for queries, c^(1-s) for keys
    s is query_share, `heads` the axis of the heads in kernels [in, heads, dim] and biases [heads, dim].
    `max_logits` is an argument of update: the largest logit of each head in this step, before softmax, over
    the whole batch, [heads], or for stacked layers [layers, heads]; a scalar is that of all heads. One array
    is for all attentions, else a tree of them with the path of each; None clips nothing. Fewer heads of keys
    than of queries share them: these keys stay and their queries get all of c, as shared parts of MLA do.
    """

    def update(updates, params, *, leaves: list[Leaf], max_logits):
        if max_logits is None:
            return updates
        maxima = dict(zip(tree.paths(max_logits), jax.tree.leaves(max_logits), strict=True))
        of_queries, of_keys = (select.chosen(which, params, "qk_clip") for which in (queries, keys))
        parts = [
            _Part(q, k, _entry(p.path, maxima), _axis(heads, p)) if q or k else None
            for q, k, p in zip(of_queries, of_keys, leaves, strict=True)
        ]
        keys_of = [(part, p) for part, p in zip(parts, leaves, strict=True) if part and not part.query]
        shared = {part.entry for part, p in keys_of if _fewer(p, part.axis, maxima[part.entry])}

        def clipped(u: Array, p: Array, leaf: Leaf, part: _Part | None) -> Array:
            if part is None:
                return u
            u, p = tree.wide(u), tree.wide(p)
            most = jnp.asarray(maxima[part.entry], real_dtype(u))
            limit = jnp.asarray(threshold, most.dtype)
            factor = _factors(limit / jnp.maximum(most, limit), leaf, part, query_share, part.entry in shared)
            return u if factor is None else u * factor + p * (factor - 1)

        flat, treedef = jax.tree.flatten(updates)
        rows = zip(flat, jax.tree.leaves(params), leaves, parts, strict=True)
        return treedef.unflatten([clipped(*row) for row in rows])

    return treewise(None, update, params=True)


def _axis(heads: int, leaf: Leaf) -> int:
    """The axis of the heads; of a vector its only one."""
    rank = len(leaf.shape)
    if rank > 1 and not -rank <= heads < rank:
        raise ValueError(f"qk_clip: heads is {heads}, no axis of {leaf.path!r} of shape {list(leaf.shape)}")
    return heads % max(rank, 1)


def _fewer(leaf: Leaf, axis: int, maxima: Array) -> bool:
    """Whether keys have fewer heads than queries, so that several share one."""
    (heads, *_), own = jnp.shape(maxima)[-1:] or (1,), leaf.shape[axis] if leaf.shape else 1
    return own < heads and heads % own == 0


@optimizer(
    paper=PAPER,
    traits=frozenset({"matrices"}),
    example=lambda: {"learning_rate": 0.02, "threshold": 1.0, "queries": "**", "keys": "**"},
    near=("muon", "normuon", "qk_clip"),
)
def muonclip(
    learning_rate: Hyper,
    beta: Decay = 0.95,
    eps: Hyper = 1e-8,
    weight_decay: Hyper = 0.0,
    mask: Selection = None,
    mu_dtype: DType | None = None,
    *,
    threshold: Hyper = 100.0,
    queries: Selection = "**/query/*",
    keys: Selection = "**/key/*",
    query_share: Fraction = 0.5,
    heads: int = -2,
    ns_coeffs: Coefficients = QUINTIC,
    ns_steps: int = 5,
    nesterov: bool = False,
    equilibrate: Sides | None = None,
    consistent_rms: Hyper | None = 0.2,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_weight_decay: Hyper = 0.0,
    adam_learning_rate: Hyper | None = None,
    muon_mask: Selection = None,
    precision: Precision | None = None,
    ns_dtype: DType | None = None,
    ns_kernel: Kernel = "xla",
):
    """MuonClip: `muon` with plain momentum and updates of root mean square 0.2, then `qk_clip`.

    tx.update(grads, state, params, max_logits=...): the largest attention logit of each head in this step.
    """
    return chain(
        muon(
            learning_rate,
            ns_coeffs,
            ns_steps,
            beta,
            eps,
            weight_decay,
            mask,
            mu_dtype,
            nesterov=nesterov,
            adam_b1=adam_b1,
            adam_b2=adam_b2,
            adam_weight_decay=adam_weight_decay,
            adam_learning_rate=adam_learning_rate,
            consistent_rms=consistent_rms,
            muon_mask=muon_mask,
            precision=precision,
            ns_dtype=ns_dtype,
            ns_kernel=ns_kernel,
            equilibrate=equilibrate,
        ),
        qk_clip(threshold, queries, keys, query_share=query_share, heads=heads),
    )
