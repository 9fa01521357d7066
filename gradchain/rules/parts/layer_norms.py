"""The norms of each layer in the middle of a chain: of gradients, of updates, of parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradchain.core.leafwise import leafwise
from gradchain.core.transform import transform
from gradchain.math.numerics import norm, safe_divide
from gradchain.rules.parts.history import one_each

PyTree = Any


class SnapshotLayerGradsState(NamedTuple):
    norm: PyTree  # [*batch] of the last gradients of a layer

    metrics = (("layer_grad_norm", "norm"),)


class SnapshotLayerUpdatesState(NamedTuple):
    norm: PyTree  # [*batch] of the last update of a layer
    param_norm: PyTree  # [*batch] of the parameters before it
    ratio: PyTree  # [*batch] norm / param_norm, 0 where that is 0

    metrics = (("layer_update_norm", "norm"), ("layer_param_norm", "param_norm"), ("update_ratio", "ratio"))


@transform(traits=frozenset({"matrices"}), near=("snapshot", "monitor"))
def snapshot_layer_grads():
    """Pass gradients through and keep the norm of each layer in the state: u = g.

    A layer is a leaf, or a matrix of a stack. `metrics` reports them as layer_grad_norm, a tree like the
    parameters; `scalars` as one number for each layer. First in a chain; `monitored` puts it there.
    """

    def step(g, s, *, leaf):
        return g, SnapshotLayerGradsState(norm(g, leaf.axes.matrix))

    return leafwise(SnapshotLayerGradsState, step, norm=one_each)


@transform(traits=frozenset({"matrices"}), near=("snapshot", "monitor"))
def snapshot_layer_updates():
    """Pass updates through and keep, for each layer, their norm, that of the parameters and the ratio: u = g.

    ratio = |u| / |p|, 0 where |p| is 0
    A layer is a leaf, or a matrix of a stack. `metrics` reports layer_update_norm, layer_param_norm and
    update_ratio, trees like the parameters. Last in a chain, where `monitored` has it.
    """

    def step(g, s, p, *, leaf):
        size, of_param = norm(g, leaf.axes.matrix), norm(p, leaf.axes.matrix)  # [*batch]
        return g, SnapshotLayerUpdatesState(size, of_param, safe_divide(size, of_param))

    return leafwise(SnapshotLayerUpdatesState, step, norm=one_each, param_norm=one_each, ratio=one_each)
