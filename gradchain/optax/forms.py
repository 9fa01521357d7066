"""Where Optax's form of a state differs from the fields that a link declares."""

from __future__ import annotations

from gradchain.core import hyper
from gradchain.optax.describe import EMPTY, At, form_of_factory, link
from gradchain.optax.form import Fixed, Node, Row
from gradchain.optax.states import ApplyIfFiniteState, MaskedState, MultiStepsState
from gradchain.rules.parts.basic import ScaleByScheduleState


@form_of_factory("scale_by_learning_rate")
def _(at: At) -> Node:
    rate = at.args["learning_rate"]
    if hyper.is_schedule(rate):
        return Row([at.count], ScaleByScheduleState)
    return link(at) if isinstance(rate, hyper.Tunable) else EMPTY


@form_of_factory("scale_by_schedule")
def _(at: At) -> Node:
    return Row([at.count], ScaleByScheduleState)


@form_of_factory("add_decayed_weights")
def _(at: At) -> Node:
    inner = link(at)
    return inner if at.args["mask"] is None else Row([inner], MaskedState)


@form_of_factory("accumulate")
def _(at: At) -> Node:
    parts = [at.mini_step, at.gradient_step, at.inner, at.acc_grads, Fixed(())]
    return Row(parts, MultiStepsState)


@form_of_factory("skip")
def _(at: At) -> Node:
    return Row([at.consecutive, at.last_skipped, at.skipped, at.inner], ApplyIfFiniteState)
