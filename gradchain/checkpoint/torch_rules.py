"""What the links here take of torch's optimizers, and what they must say to be the same rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.torch_dicts import WHO, Parameter
from gradchain.core.hyper import Tunable, is_schedule

Group = Mapping[str, Any]
Said = Callable[[str, Group], dict[str, Any]]  # (class, its hyperparameters) -> arguments here


@dataclasses.dataclass(frozen=True)
class Rule:
    """A link: of which classes of torch it is, the field of each of their arrays, its arguments from "
    "theirs."""

    kinds: tuple[str, ...]
    fields: Mapping[str, str]  # ours -> torch's
    form: Said  # arguments without which it is another rule
    numbers: Said  # those that are numbers, which may be meant to change


def _adam(kind: str, group: Group) -> dict[str, Any]:
    b1, b2 = group["betas"]
    return {"b1": b1, "b2": b2, "eps": group["eps"]}


def _outside(kind: str, group: Group) -> dict[str, Any]:
    """torch adds eps to the root, which is the same as within it where eps is 0."""
    return {"eps_in_sqrt": False} if group["eps"] else {}


def _rprop(kind: str, group: Group) -> dict[str, Any]:
    names = ("eta_minus", "eta_plus", "min_step_size", "max_step_size")
    return dict(zip(names, (*group["etas"], *group["step_sizes"]), strict=True))


def _momentum(name: str) -> Said:
    return lambda kind, group: {name: group["momentum"]}


def _muon(kind: str, group: Group) -> dict[str, Any]:
    nesterov = {"nesterov": bool(group["nesterov"])}
    return nesterov | {"adaptive": False, "preconditioning": "frobenius", "bias_correction": False}


def _adafactor(kind: str, group: Group) -> dict[str, Any]:
    return {"decay_rate": -group["beta2_decay"], "clipping_threshold": group["d"]}


MEANS = {"mu": "exp_avg", "nu": "exp_avg_sq"}
ADAM = {"eps_root": 0, "bias_correction": True}
AMSGRAD = {"eps_root": 0, "bias_correction_mu": True, "bias_correction_nu": True, "debias_first": False}
RADAM = {"eps_root": 0, "nesterov": False, "threshold": 5}
FACTORED = {"factored": True, "multiply_by_parameter_scale": True, "decay_offset": 0, "step_offset": 0}
FACTORED |= {"longest_axes": False}
FACTORS = {"v_row": "row_var", "v_col": "col_var", "v": "variance"}  # which of both is of rows: by the axes
RULES = {
    "scale_by_adam": Rule(("Adam", "NAdam"), MEANS, lambda k, g: {**ADAM, "nesterov": k == "NAdam"}, _adam),
    "scale_by_amsgrad": Rule(("Adam",), MEANS | {"nu_max": "max_exp_avg_sq"}, lambda k, g: AMSGRAD, _adam),
    "scale_by_radam": Rule(("RAdam",), MEANS, lambda k, g: RADAM, _adam),
    "scale_by_adamax": Rule(("Adamax",), {"mu": "exp_avg", "nu": "exp_inf"}, lambda k, g: {}, _adam),
    "scale_by_rms": Rule(
        ("RMSprop",),
        {"nu": "square_avg"},
        lambda k, g: _outside(k, g) | {"bias_correction": False},
        lambda k, g: {"decay": g["alpha"], "eps": g["eps"]},
    ),
    "scale_by_stddev": Rule(
        ("RMSprop",),
        {"mu": "grad_avg", "nu": "square_avg"},
        lambda k, g: _outside(k, g) | {"bias_correction": False},
        lambda k, g: {"decay": g["alpha"], "eps": g["eps"]},
    ),
    "scale_by_rss": Rule(("Adagrad",), {"sum_of_squares": "sum"}, _outside, lambda k, g: {"eps": g["eps"]}),
    "scale_by_rprop": Rule(
        ("Rprop",),
        {"step_sizes": "step_size", "prev_updates": "prev"},  # of these only signs matter
        lambda k, g: {},
        _rprop,
    ),
    "scale_by_adadelta": Rule(
        ("Adadelta",),
        {"e_g": "square_avg", "e_x": "acc_delta"},
        lambda k, g: {},
        lambda k, g: {"rho": g["rho"], "eps": g["eps"]},
    ),
    "scale_by_muon": Rule(
        ("Muon",),
        {"mu": "momentum_buffer"},
        _muon,
        lambda k, g: {"beta": g["momentum"], "eps": g["eps"], "ns_steps": g["ns_steps"]},
    ),
    "scale_by_adafactor": Rule(("Adafactor",), FACTORS, lambda k, g: FACTORED, _adafactor),
    "scale_by_factored_rms": Rule(("Adafactor",), FACTORS, lambda k, g: FACTORED, _adafactor),
    "trace": Rule(
        ("SGD", "RMSprop"),
        {"trace": "momentum_buffer"},
        lambda k, g: {"nesterov": bool(g.get("nesterov", False))},
        _momentum("decay"),
    ),
    "ema": Rule(("SGD",), {"ema": "momentum_buffer"}, lambda k, g: {"debias": False}, _momentum("decay")),
}
# Where torch's class is two rules here: the factory that an argument of torch asks for.
CHOICES = {
    "Adam": ("amsgrad", {True: "scale_by_amsgrad", False: "scale_by_adam"}),
    "RMSprop": ("centered", {True: "scale_by_stddev", False: "scale_by_rms"}),
}
WRITTEN = {
    "scale_by_amsgrad": "amsgrad(...)",
    "scale_by_adam": "adam(...)",
    "scale_by_stddev": "rmsprop(..., centered=True)",
    "scale_by_rms": "rmsprop(..., centered=False)",
}


def check_form(path: str, name: str, args: Mapping[str, Any], p: Parameter) -> None:
    """Raise where a link is another rule than the torch optimizer of a parameter."""
    key, choices = CHOICES.get(p.kind, ("", {}))
    wanted = choices.get(bool(p.group.get(key, False)))
    if wanted is not None and name in choices.values() and name != wanted:
        raise CheckpointError(
            f"{WHO}: {path!r} would go on with torch's {p.kind}({key}={p.group[key]}) for {p.path!r}; "
            f"expected the link {wanted}, which keeps the same. Write {WRITTEN[wanted]}"
        )
    for argument, value in RULES[name].form(p.kind, p.group).items():
        found = args.get(argument, value)
        if (
            isinstance(value, bool | str | int)
            and isinstance(found, bool | str | int | float)
            and found != value
        ):
            raise CheckpointError(
                f"{WHO}: {path!r} has {argument}={found!r}, and torch's {named(p)} of {p.path!r} is the rule "
                f"with {argument}={value!r}; expected the same rule. Pass {argument}={value!r} to the "
                "optimizer"
            )
    if name == "ema" and is_schedule(args["decay"]):
        raise CheckpointError(
            f"{WHO}: {path!r} has a schedule for decay, and torch's {named(p)} of {p.path!r} one momentum; "
            "expected a number. Pass a number, or use trace, which sums up as torch does"
        )
    _check_rest(path, name, p)


def _check_rest(path: str, name: str, p: Parameter) -> None:
    group = p.group
    if p.kind == "NAdam" and (left := _varying(p)) > 1e-9:
        raise CheckpointError(
            f"{WHO}: torch's NAdam of {p.path!r} has momentum_decay={group['momentum_decay']!r}: its "
            f"momentum is off its last value by {left:.2g} of it at step {p.step}; expected a constant b1, "
            f"which is all that {path!r} has. To go on with that, set momentum_decay of the param_groups to "
            "1e9"
        )
    if name in ("trace", "ema") and p.kind == "SGD" and group["dampening"] == 1:
        raise CheckpointError(
            f"{WHO}: torch's SGD of {p.path!r} has dampening=1: its buffer takes in no gradient after the "
            f"first; expected less than 1 for {path!r}. Go on without momentum"
        )
    if name == "scale_by_adafactor" and group["eps"][1] != 1e-3:
        raise CheckpointError(
            f"{WHO}: torch's Adafactor of {p.path!r} has eps[1]={group['eps'][1]!r}; expected 1e-3, which "
            f"{path!r} has for the least size of a leaf. Write the chain of its parts: "
            "scale_by_factored_rms(...), clip_by_block_rms(...), "
            f"scale_by_param_block_rms({group['eps'][1]!r})"
        )


def _varying(p: Parameter) -> float:
    """How far the momentum of torch's NAdam still is from its last value, relative to it."""
    return 0.5 * 0.96 ** (((p.step or 0) + 1) * p.group["momentum_decay"])


def named(p: Parameter) -> str:
    """The class as users write it: AdamW is torch's Adam with another decay."""
    return "AdamW" if p.kind == "Adam" and p.group.get("decoupled_weight_decay") else p.kind


def rate(p: Parameter, t: int) -> float:
    """The learning rate of torch's step t, counted from 0, without the schedulers of torch."""
    lr = float(p.group["lr"])
    if p.kind == "Adafactor":
        return min(lr, (t + 1) ** -0.5)
    if p.kind == "Adagrad":
        return lr / (1 + t * p.group["lr_decay"])
    return lr


def decay(p: Parameter) -> tuple[bool | None, float]:
    """Whether the weight decay stays out of the statistics (None: the file does not say), and how much."""
    value = float(p.group.get("weight_decay", 0))
    if p.kind in ("Muon", "Adafactor"):
        return True, value
    if p.kind in ("SGD", "Adagrad", "RMSprop", "Adadelta", "Adamax"):
        return False, value
    return p.group.get("decoupled_weight_decay"), value


def momentum_rate(name: str, args: Mapping[str, Any], p: Parameter) -> float:
    """What torch's learning rate is multiplied by for the same steps after a sum, or an average, here.

    torch: v = m v + (1 - dampening) g.  trace: v = m v + g;  ema: v = m v + (1 - m) g
    """
    rate, m = 1 - p.group.get("dampening", 0), args["decay"]
    return rate / (1 - (m.value if isinstance(m, Tunable) else m)) if name == "ema" else rate
