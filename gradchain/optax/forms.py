"""Where Optax's form of a state differs from the fields that a link declares."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from gradchain import types
from gradchain.core import hyper
from gradchain.optax.describe import EMPTY, At, form_of_factory, link, masked, node
from gradchain.optax.fields import AtStart, Columns, Item, Not, Padded
from gradchain.optax.form import Fixed, Node, Row, Table
from gradchain.optax.types import AddNoiseState
from gradchain.rules.parts.basic import ScaleByScheduleState
from gradchain.rules.parts.noise import seed_of
from gradchain.schedules.stateful import WrappedScheduleState


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
    return decay(at, at.args["mask"])


def decay(at: At, mask: Any) -> Node:
    """The form of the first weight decay in it, as of a constant where there is none; in a mask if any."""
    inner = EMPTY
    if at.has("add_decayed_weights"):
        found = at.link("add_decayed_weights")
        scheduled = hyper.is_schedule(found.args["weight_decay"])
        inner = Row([found.count], types.WeightDecaySchedule) if scheduled else link(found)
    return inner if mask is None else masked(inner)


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


# Single links.


@form_of_factory("scale_by_adan")
def _(at: At) -> Node:
    return Row([at.m, at.v, at.n, at.g, at.count], types.ScaleByAdanState)


@form_of_factory("scale_by_ademamix")
def _(at: At) -> Node:
    return Row([at.count, at.count, at.m1, at.m2, at.nu], types.ScaleByAdemamixState)


@form_of_factory("scale_by_simplified_ademamix")
def _(at: At) -> Node:
    return Row([at.count, at.m, at.n], types.ScaleBySimplifiedAdEMAMixState)


@form_of_factory("scale_by_optimistic_gradient")
def _(at: At) -> Node:
    started = at.of("count", AtStart)
    return Row([started, at.previous_gradient], types.ScaleByOptimisticGradientState)


@form_of_factory("scale_by_sm3")
def _(at: At) -> Node:
    body: Any = at.body
    axes = [getattr(at, field) for field in body.fields if field.startswith("mu")]
    return Row([Columns(axes), at.nu], types.ScaleBySM3State)


@form_of_factory("add_noise")
def _(at: At) -> Node:
    seed = seed_of("add_noise", at.args["key"], at.args["seed"])
    return Row([at.count, Fixed(seed, jax.random.key)], AddNoiseState)


@form_of_factory("scale_by_muon")
def _(at: At) -> Node:
    given = at.args["ns_coeffs"]
    coefficients = Fixed(()) if isinstance(given, str) else Fixed(given, jnp.asarray)
    return Row([at.count, at.mu, coefficients], types.MuonState)


@form_of_factory("normalize_by_update_norm")
def _(at: At) -> Node:
    return link(at, hidden=("norm",))


@form_of_factory("scale_by_polyak")
def _(at: At) -> Node:
    return link(at, hidden=("step_size",))


@form_of_factory("monitor")
def _(at: At) -> Node:
    states = [
        Row([EMPTY, at.of("measure_states", Item, key=name)]) if hasattr(measure, "init") else EMPTY
        for name, measure in at.args["measures"].items()
    ]
    return Row([at.measurement, Row(states)], types.MonitorState)


# Wrappers.


@form_of_factory("accumulate")
def _(at: At) -> Node:
    body: Any = at.body
    skip = at.skip_state if "skip_state" in body.globals else Fixed(())
    return Row([at.mini_step, at.gradient_step, at.inner, at.acc_grads, skip], types.MultiStepsState)


@form_of_factory("apply_every")
def _(at: At) -> Node:
    return Row([at.mini_step, at.acc_grads], types.ApplyEvery)


@form_of_factory("skip")
def _(at: At) -> Node:
    finite = at.of("last_skipped", Not)
    return Row([at.consecutive, finite, at.skipped, at.inner], types.ApplyIfFiniteState)


@form_of_factory("lookahead_pairs")
def _(at: At) -> Node:
    return Row([at.inner_free, at.steps_since_sync], types.LookaheadState)


@form_of_factory("conditionally_mask")
def _(at: At) -> Node:
    return Row([at.step, at.inner], types.ConditionallyMaskState)


@form_of_factory("conditionally_transform")
def _(at: At) -> Node:
    return Row([at.inner, at.step], types.ConditionallyTransformState)


@form_of_factory("flatten")
def _(at: At) -> Node:
    return at.inner_free


@form_of_factory("split_real_and_imaginary")
def _(at: At) -> Node:
    return Row([at.inner_free], types.SplitRealAndImaginaryState)


@form_of_factory("injected")
def _(at: At) -> Node:
    body: Any = at.body
    states: dict[str, Node] = {
        name: Row([at.count], WrappedScheduleState) for name in body.arguments.of("schedule")
    }
    states |= {name: at.of("hyperparams_states", Item, key=name) for name in body.arguments.of("stateful")}
    parts = [at.count, at.hyperparams, Table(states), at.inner]
    return Row(parts, types.InjectStatefulHyperparamsState)


@form_of_factory("mechanize")
def _(at: At) -> Node:
    return Row([at.inner, at.count, at.r, at.m, at.v, at.s, at.x0], types.MechanicState)


def averaged(at: At, base: Node) -> Node:
    """The state of `schedule_free` around a base."""
    return Row([at.b1, at.weight_sum, at.step_count, at.max_lr, base, at.z], types.ScheduleFreeState)


@form_of_factory("schedule_free")
def _(at: At) -> Node:
    return averaged(at, at.inner)


@form_of_factory("scale_by_sophia")
def _(at: At) -> Node:
    return Row([at.count, at.mu, at.nu, at.inner], types.SophiaState)


@form_of_factory("scale_by_galore")
def _(at: At) -> Node:
    return Row([at.count, at.inner, at.projector], types.GaLoreState)


@form_of_factory("sam")
def _(at: At) -> Node:
    body: Any = at.body
    own, adversary = map(node, at.parts[0].parts)  # links of their chain
    cache = at.cache if "cache" in body.fields else Fixed(None)
    return Row([at.steps_since_sync, own, adversary, cache], types.SAMState)


@form_of_factory("selective_transform")
def _(at: At) -> Node:
    groups = Table({"train": masked(node(at.parts[0])), "freeze": masked(EMPTY)})
    return Row([groups], types.PartitionState)
