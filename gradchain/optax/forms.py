"""Where Optax's form of a state differs from the fields that a link declares."""

from __future__ import annotations

from typing import Any

from gradchain.core import hyper
from gradchain.optax.describe import EMPTY, At, form_of_factory, link, masked
from gradchain.optax.form import Fixed, Node, Padded, Row
from gradchain.optax.states import ApplyIfFiniteState, MultiStepsState
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
    return inner if at.args["mask"] is None else masked(inner)


@form_of_factory("clip_by_global_norm")
def _(at: At) -> Node:
    return link(at, hidden=("norm", "clipped_norm"))


@form_of_factory("scale_by_factored_rms", "scale_by_adafactor")
def _(at: At) -> Node:
    body: Any = at.body
    factors = [Padded(at.own, f, True, at.masked, slot=body.fields[f]) for f in ("v_row", "v_col", "v")]
    return Row([at.count, *factors], body.State)


@form_of_factory("adafactor")
def _(at: At) -> Node:
    """Optax has a link for each factor, gradchain one kernel for three of them."""
    given = at.tx.args
    links = {
        "scale_by_adafactor": True,
        "clip_by_block_rms": given["clipping_threshold"] is not None,
        "scale_by_learning_rate": given["learning_rate"] is not None,
        "scale_by_param_block_rms": given["multiply_by_parameter_scale"],
        "ema": given["momentum"] is not None,
        "add_decayed_weights": at.has("add_decayed_weights"),
        "scale": True,
    }
    return Row([at.find(name) for name, there in links.items() if there])


@form_of_factory("rmsprop")
def _(at: At) -> Node:
    scaled = "scale_by_stddev" if at.tx.args["centered"] else "scale_by_rms"
    return Row([at.find(name) for name in (scaled, "scale_by_learning_rate", "trace")])


@form_of_factory("sgd")
def _(at: At) -> Node:
    return Row([at.find(name) for name in ("trace", "scale_by_learning_rate")])


@form_of_factory("adadelta")
def _(at: At) -> Node:
    names = ("add_decayed_weights", "scale_by_adadelta", "scale_by_learning_rate")
    return Row([at.decay() if name == names[0] else at.find(name) for name in names])


@form_of_factory("lamb")
def _(at: At) -> Node:
    names = ("scale_by_trust_ratio", "scale_by_learning_rate")
    return Row([at.find("scale_by_adam"), at.decay(), *map(at.find, names)])


@form_of_factory("lars")
def _(at: At) -> Node:
    return Row([masked(EMPTY), masked(EMPTY), at.find("scale_by_learning_rate"), at.find("trace")])


@form_of_factory("accumulate")
def _(at: At) -> Node:
    parts = [at.mini_step, at.gradient_step, at.inner, at.acc_grads, Fixed(())]
    return Row(parts, MultiStepsState)


@form_of_factory("skip")
def _(at: At) -> Node:
    return Row([at.consecutive, at.last_skipped, at.skipped, at.inner], ApplyIfFiniteState)
