"""How an optimizer here differs from one of torch in its numbers: learning rates, decays, epsilons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gradchain.checkpoint.errors import CheckpointError
from gradchain.checkpoint.torch_dicts import WHO, Parameter
from gradchain.checkpoint.torch_rules import RULES, decay, momentum_rate, named, rate
from gradchain.core import hyper, tree
from gradchain.core.transform import Body
from gradchain.report.links import Place


@dataclasses.dataclass(frozen=True)
class Seen:
    """A link, and the parameters of torch that it acts on."""

    place: Place
    parameters: tuple[Parameter, ...]
    momentum: Mapping[str, float]  # by leaf: what a momentum before or after it makes of the learning rate

    @property
    def path(self) -> str:
        """Its path in the state."""
        return self.place.path

    @property
    def name(self) -> str:
        """Its factory's."""
        return self.place.recipe.factory.name

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments."""
        return self.place.recipe.args

    @property
    def body(self) -> Body:
        """Its body."""
        return self.place.body

    @property
    def scheduled(self) -> bool:
        """Whether one of its hyperparameters is a schedule."""
        return any(map(hyper.is_schedule, self.place.hyperparams.values()))

    @property
    def follows(self) -> bool:
        """Whether it only follows what others do: a wrapper, an average, what keeps parameters."""
        factory = self.place.recipe.factory
        return factory.kind == "wrapper" or bool(factory.traits & {"any_leaf", "last"})

    def entry(self, state: Any) -> Any:
        """Its entry in a state, or in the slots; None if it has none."""
        return None if self.place.way is None else self.place.entry(state)

    def theirs(self, argument: str, t: int) -> list[float]:
        """What torch says of one of its hyperparameters at step t, of each parameter."""
        if self.name == "scale_by_learning_rate" and argument == "learning_rate":
            return [rate(p, t) * self.momentum.get(p.path or "", 1) for p in self.parameters]
        rule = RULES.get(self.name)
        if rule is None:
            return []
        said = [rule.numbers(p.kind, p.group) for p in self.parameters if p.kind in rule.kinds]
        return [float(numbers[argument]) for numbers in said if argument in numbers]


def seen(places: Sequence[Place], at: Mapping[str, Parameter]) -> list[Seen]:
    """The links with the parameters that each acts on."""
    found, momentum = [], {}
    for place in places:
        pick = getattr(place.body, "pick", None)
        paths = tree.paths(place.params)
        picked = (pick(place.params) if pick else None) or (True,) * len(paths)
        mine = tuple(at[path] for path, on in zip(paths, picked, strict=True) if on and path in at)
        found.append(Seen(place, mine, momentum))
        if place.recipe.factory.name in ("trace", "ema"):
            args = place.recipe.args
            of = [p for p in mine if p.kind == "SGD" and not hyper.is_schedule(args["decay"])]
            momentum |= {p.path: momentum_rate(place.recipe.factory.name, args, p) for p in of}
    return found


def agreed(values: Sequence[float]) -> float | None:
    """The value that torch has for all parameters of a link."""
    alike = values and math.isclose(min(values), max(values), rel_tol=1e-6)
    return values[0] if alike else None


def scaled(places: Sequence[Seen], p: Parameter, path: str) -> float:
    """What links multiply the updates of a leaf by before a momentum sums them up."""
    factor = 1.0
    for place in places:
        value = place.args.get("step_size", place.args.get("step_size_fn", place.args.get("learning_rate")))
        if p not in place.parameters or place.name not in SCALES:
            continue
        if isinstance(value, hyper.Tunable):
            theirs = agreed(place.theirs("learning_rate", 0)) if place.name == RATE else None
            value = value.value if theirs is None else theirs
        if hyper.is_schedule(value) or isinstance(value, Tracer):
            raise CheckpointError(
                f"{WHO}: {path!r} sums up updates that {place.path!r} has multiplied by a schedule, torch's "
                f"{named(p)} of {p.path!r} multiplies the sum; expected the momentum before the learning "
                "rate. Write chain(..., trace(momentum), scale_by_learning_rate(schedule))"
            )
        factor *= float(value) * (-1 if place.args.get("flip_sign", False) else 1)
    return factor


RATE = "scale_by_learning_rate"
SCALES = ("scale", "scale_by_schedule", RATE)


def remarks(places: Sequence[Seen], now: int | None) -> tuple[str, ...]:
    """What differs in numbers, and what is not the same in both libraries."""
    return tuple(dict.fromkeys([*_numbers(places, now), *_decays(places), *_meanings(places)]))


def _numbers(places: Sequence[Seen], now: int | None) -> Iterator[str]:
    for place in places:
        for name, value in place.place.hyperparams.items():
            if isinstance(value, Tracer | hyper.Tunable) or (place.name != RATE and hyper.is_schedule(value)):
                continue
            # Later as well: torch's Adafactor and Adagrad change the learning rate themselves.
            for t in (now or 0, 10 * (now or 0) + 1000):
                ours, theirs = _value(value, t), place.theirs(name, t)
                odd = [x for x in theirs if ours is None or not math.isclose(ours, x, rel_tol=1e-6)]
                later = "" if t == (now or 0) else f" in step {t + 1}"
                if odd and (not later or not hyper.is_schedule(value)):
                    shown = ", ".join(f"{x:.6g}" for x in dict.fromkeys(odd))
                    ours_shown = "None" if ours is None else f"{ours:.6g}"
                    yield f"{place.path!r}: {name} is {ours_shown} here, {shown} in torch{later}"
                    break


def _value(value: Any, t: int) -> float | None:
    if value is None:
        return None
    return float(value(jnp.asarray(t, jnp.int32)) if hyper.is_schedule(value) else value)


def _decays(places: Sequence[Seen]) -> Iterator[str]:
    """Weight decay, leaf by leaf: L2 joins the gradient, the other kind the step."""
    parameters = {p.path: p for place in places for p in place.parameters if place.name in RULES}
    odd: dict[str, list[str]] = {}
    for path, p in parameters.items():
        apart, value = decay(p)
        order = [place for place in places if p in place.parameters]
        main = next(i for i, place in enumerate(order) if place.name in RULES)
        last = next((i for i, place in enumerate(order) if place.name == RATE), len(order))
        ours = {False: 0.0, True: 0.0}  # whether it stays out of the statistics -> how much
        for i, place in enumerate(order):
            x = place.args.get("weight_decay") if place.name == "add_decayed_weights" else None
            if x is None or isinstance(x, Tracer) or hyper.is_schedule(x):
                continue
            x = x.value if isinstance(x, hyper.Tunable) else float(x)
            lr = (
                float(p.group["lr"]) if last < i else 1.0
            )  # after the learning rate, which torch's decay has in it
            ours[i > main] += x / lr if lr else x
        if value and apart is not None and ours[not apart] and not ours[apart]:
            where = "out of the statistics" if apart else "to the gradient"
            raise CheckpointError(
                f"{WHO}: torch's {named(p)} adds weight_decay={value:g} of {path!r} {where}; expected it "
                f"there as well. Write {WRITTEN[apart].format(value)}"
            )
        found = ours[True] + ours[False]
        if not math.isclose(found, value, rel_tol=1e-6):
            odd.setdefault(f"weight_decay is {found:.6g} here, {value:.6g} in torch", []).append(path or "")
    for text, paths in odd.items():
        yield f"{text}, of {paths[0]!r}{f' and {len(paths) - 1} more' if paths[1:] else ''}"


WRITTEN = {
    True: "adamw(..., weight_decay={0:g}), or add_decayed_weights({0:g}) before scale_by_learning_rate",
    False: "chain(add_decayed_weights({0:g}), ...), before the rest",
}


def _meanings(places: Sequence[Seen]) -> Iterator[str]:
    """Arguments of torch that mean something else here, or nothing."""
    for place in places:
        rule = RULES.get(place.name)
        for p in () if rule is None else (p for p in place.parameters if p.kind in rule.kinds):
            eps = p.group.get("eps")
            if p.group.get("maximize"):
                yield "maximize=True in torch: pass the negative gradients, or put scale(-1.0) first"
            if place.name == "scale_by_radam" and eps and not hyper.is_schedule(place.args["eps"]):
                yield (
                    f"{place.path!r}: torch's RAdam adds eps before it corrects the bias of the second "
                    f"moment; the same numbers need eps=lambda t: {eps:g} / sqrt(1 - b2 ** (t + 1))"
                )
            if p.kind == "Muon" and eps and not place.args.get("eps_floor"):
                yield f"{place.path!r}: torch divides by max(|m|, eps), eps_floor=True, this by |m| + eps"
            if p.kind == "Adafactor" and place.args["eps"] != 0:
                yield (
                    f"{place.path!r}: torch's Adafactor bounds roots and means by its eps, here eps is added "
                    "to the squares; eps=0 is the same where the gradients are far above torch's"
                )
        if place.name == "scale_by_shape":
            yield from _shapes(place)


def _shapes(place: Seen) -> Iterator[str]:
    for p in place.parameters:
        wanted = 0.2 if p.group.get("adjust_lr_fn") == "match_rms_adamw" else None
        found = place.args["consistent_rms"]
        if p.kind == "Muon" and not (isinstance(found, jax.Array) or found == wanted):
            yield f"{place.path!r}: consistent_rms is {found!r} here, {wanted!r} by torch's adjust_lr_fn"
