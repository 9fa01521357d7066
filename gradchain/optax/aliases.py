"""Optax's form of the state of optimizers whose links are not one for one those of Optax."""

from __future__ import annotations

from gradchain import types
from gradchain.core import hyper
from gradchain.optax.describe import EMPTY, At, form_of_factory, masked, node
from gradchain.optax.form import Node, Row, Table
from gradchain.optax.forms import averaged, decay
from gradchain.rules.parts.basic import ScaleByScheduleState

ROWS = {
    "sgd": ("trace", "scale_by_learning_rate"),
    "adadelta": ("add_decayed_weights", "scale_by_adadelta", "scale_by_learning_rate"),
    "lamb": ("scale_by_adam", "add_decayed_weights", "scale_by_trust_ratio", "scale_by_learning_rate"),
    "adan": ("scale_by_adan", "add_decayed_weights", "scale_by_learning_rate"),
    "madgrad": ("add_decayed_weights", "scale_by_madgrad"),
    "dog": ("add_decayed_weights", "scale_by_dog", "scale_by_learning_rate"),
    "dowg": ("add_decayed_weights", "scale_by_dowg", "scale_by_learning_rate"),
    "cocob": ("add_decayed_weights", "scale_by_learning_rate", "scale_by_cocob"),
    "dpsgd": ("differentially_private_aggregate", "trace", "scale_by_learning_rate"),
    "signum": ("ema", "scale_by_sign", "scale_by_learning_rate"),
    "acprop": ("scale_by_acprop", "add_decayed_weights", "scale_by_learning_rate"),
    "ademamix": ("scale_by_ademamix", "add_decayed_weights", "scale_by_learning_rate"),
    "simplified_ademamix": (
        "scale_by_simplified_ademamix",
        "add_decayed_weights",
        "scale_by_learning_rate",
    ),
}


def _row(names: tuple[str, ...]):
    return lambda at: at.row(*names)


for _name, _names in ROWS.items():
    form_of_factory(_name)(_row(_names))


@form_of_factory("rmsprop")
def _(at: At) -> Node:
    scaled = "scale_by_stddev" if at.tx.args["centered"] else "scale_by_rms"
    return at.row(scaled, "scale_by_learning_rate", "trace")


@form_of_factory("lars")
def _(at: At) -> Node:
    return Row([masked(EMPTY), masked(EMPTY), at.find("scale_by_learning_rate"), at.find("trace")])


@form_of_factory("fromage")
def _(at: At) -> Node:
    last = at.link("step_and_shrink")
    if not hyper.is_schedule(at.tx.args["learning_rate"]):
        return Row([EMPTY, EMPTY, EMPTY])
    return Row([EMPTY, Row([last.count], ScaleByScheduleState), Row([last.count], types.WeightDecaySchedule)])


@form_of_factory("polyak_sgd")
def _(at: At) -> Node:
    return Row([Row([EMPTY, EMPTY]), EMPTY])


@form_of_factory("prodigy")
def _(at: At) -> Node:
    return at.find("scale_by_prodigy")


@form_of_factory("dadapt_adamw")
def _(at: At) -> Node:
    return at.find("scale_by_dadapt_adam")


@form_of_factory("momo")
def _(at: At) -> Node:
    return at.find("scale_by_momo")


@form_of_factory("momo_adam")
def _(at: At) -> Node:
    return at.find("scale_by_momo_adam")


@form_of_factory("schedule_free_sgd")
def _(at: At) -> Node:
    whole = at.link("schedule_free")
    decay = [whole.find("add_decayed_weights")] if whole.has("add_decayed_weights") else []
    return averaged(whole, Row([*decay, EMPTY, whole.find("scale_by_learning_rate")]))


@form_of_factory("schedule_free_adamw")
def _(at: At) -> Node:
    whole = at.link("schedule_free")
    return averaged(whole, whole.row("scale_by_rms", "add_decayed_weights", "scale_by_learning_rate"))


@form_of_factory("galore")
def _(at: At) -> Node:
    first, *between, rate = at.parts
    return Row([node(first), decay((between or [rate])[0], at.tx.args["mask"]), node(rate)])


@form_of_factory("muon")
def _(at: At) -> Node:
    """In Optax each group has a learning rate, also where both have the same."""
    of = {label: part for part in at.walk() for label, part in part.groups.items()}
    rates = [part for part in at.walk() if part.body.recipe.factory.name == "scale_by_learning_rate"]
    nodes = [node(rate) for rate in rates]
    muon, adam = of["muon"], of["adam"]
    of_muon = [muon.find("scale_by_muon"), muon.find("scale_by_shape"), decay(muon, at.tx.args["mask"])]
    groups = {
        "muon": Row([*of_muon, nodes[0]]),
        "adam": Row([adam.find("scale_by_adam"), decay(adam, None), nodes[-1]]),
    }
    return Row([Table({label: masked(group) for label, group in groups.items()})], types.PartitionState)
