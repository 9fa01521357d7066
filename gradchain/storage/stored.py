"""stored: a transform whose state is kept in fewer bits."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from jax import Array

from gradchain.core import select, words
from gradchain.core.codec import Codec, CodecError, Plan
from gradchain.core.foreign import as_transform
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import Slot, counter, shared
from gradchain.core.transform import Transform, example, wrapper
from gradchain.math import rounding
from gradchain.math.numerics import increment
from gradchain.storage.codecs import codec_of
from gradchain.wrappers.base import Inner, Wrapper


class StoredState(NamedTuple):
    count: Array  # [] int32, updates so far: what the noise of a step is made from


class Rule:
    """Which codec a slot is kept by: a plan's `codec`; it remembers what it was asked, for messages."""

    def __init__(self, codec: Any, min_size: int):
        self.named = isinstance(codec, Mapping)
        self.codecs = {k: codec_of(v) for k, v in (codec if self.named else {"**": codec}).items()}
        self.min_size = min_size
        self.asked: dict[str, None] = {}
        self.hit: set[str] = set()  # patterns that match a slot
        self.used: set[str] = set()  # patterns whose codec keeps one
        self.left: dict[str, tuple[str, str]] = {}  # pattern -> a slot that its codec does not keep, and why

    def __call__(self, link: str, field: str, slot: Slot) -> Codec | None:
        path = slot.leaf.path if slot.leaf is not None else ""
        names = [field, f"{link}/{field}", f"{field}/{path}", f"{link}/{field}/{path}"]
        self.asked |= dict.fromkeys(names[:2])
        for pattern, codec in self.codecs.items():
            if any(select.matches(pattern, name) for name in names):
                self.hit.add(pattern)
                return self._fit(pattern, codec, slot, names[-1])
        return None

    def _fit(self, pattern: str, codec: Codec, slot: Slot, where: str) -> Codec | None:
        small = math.prod(slot.shape) < max(self.min_size, 2)
        if not slot.shape or (not self.named and (small or slot.exact)):
            return None
        try:
            fitted, why = codec.fit(slot), "leaves it as it is"
        except CodecError as error:
            if self.named:
                raise CodecError(f"stored: {codec.name} for {where!r}: it {error}") from None
            fitted, why = None, str(error)
        if small:
            return None
        if fitted is None:
            self.left.setdefault(pattern, (where, why))
        else:
            self.used.add(pattern)
        return fitted

    def check(self) -> None:
        """Raise for patterns that name no slot, and for a codec that keeps none."""
        for pattern in self.left.keys() - self.used:
            codec, (where, why) = self.codecs[pattern], self.left[pattern]
            raise CodecError(f"stored: {codec!r} keeps no slot; for {where!r}: it {why}")
        for pattern in self.codecs:
            if self.named and pattern not in self.hit:
                near = difflib.get_close_matches(pattern[:200], self.asked, 3, 0.4) or list(self.asked)[:6]
                raise ValueError(
                    f"stored: no slot matches {words.show(pattern)}; slots are {', '.join(map(repr, near))}, "
                    "with the path of a leaf behind: 'nu/**/kernel'"
                )


class Stored(Wrapper):
    """A wrapper that gives the plan of its transform a rule of codecs and the key of each step's noise."""

    def __init__(self, tx: Transform, codec: Any, min_size: int, seed: int):
        super().__init__(StoredState, tx, self._step, "count", frozenset(), {"count": shared(counter)})
        self.codec, self.min_size, self.seed = codec, min_size, seed
        self.rule()  # an unknown codec is an error here

    def rule(self) -> Rule:
        """A rule without a memory."""
        return Rule(self.codec, self.min_size)

    def slots(self, params, plan: Plan) -> dict[str, Any]:
        """The slots as they are kept."""
        rule = self.rule()
        found = super().slots(params, dataclasses.replace(plan, codec=rule))
        large = [s for s in jax.tree.leaves(found) if math.prod(s.shape) >= max(self.min_size, 2)]
        if large and not rule.asked:
            raise CodecError(
                f"stored: no link of {self.tx.name} declares slots; the state of another library's "
                "transformation cannot be kept in fewer bits"
            )
        rule.check()
        return found

    def init(self, params, plan: Plan) -> dict[str, Any]:
        """The state as it is kept."""
        self.slots(params, plan)  # for its checks
        return super().init(params, dataclasses.replace(plan, codec=self.rule()))

    def _step(self, inner: Inner, updates, s: StoredState, state, params):
        count = increment(s.count)
        key = rounding.step_key(self.seed, count)
        plan = dataclasses.replace(inner.ctx.plan, codec=self.rule(), key=key, count=count)
        inner = dataclasses.replace(inner, ctx=dataclasses.replace(inner.ctx, plan=plan))
        out, state = inner.run(updates, state, params)
        return out, StoredState(count), state


@wrapper(
    traits=frozenset({"random", "codes"}),
    example=lambda: {"tx": example("scale_by_adam"), "codec": "log8", "min_size": 0},
    errors=lambda: [
        ErrorInput({"codec": "log9"}, ValueError, ("no codec 'log9'", "did you mean log8")),
        ErrorInput({"codec": {"nu": 3}}, TypeError, ("3 is not a codec",)),
        ErrorInput({"min_size": -1}, ValueError, ("min_size is -1", "0 or more")),
        ErrorInput({"seed": 0.5}, TypeError, ("seed is 0.5", "a whole number")),
    ],
)
def stored(tx: Any, codec: Any, *, min_size: int = 4096, seed: int = 0):
    """Keep the state of a transform, or of a whole chain, in 4 to 16 bits: stored(adamw(1e-3), "log8").

    `codec` is a name ("log8", "log4", "int8", "fp8", "bfloat16", "bfloat16_stochastic", "float16",
    "rank_one"), a value of `codecs`, or for some slots only {pattern: codec}, with patterns such as "nu",
    "mu/**/kernel", "scale_by_adam/nu"; the first that matches counts. Values are decoded before and
    encoded after each kernel, in the same compiled kernel, and updates are computed from the exact
    values. Counters, leaves with less than `min_size` numbers, copies of parameters and sums of gradients
    stay as they are, the last two unless a pattern names them. Noise comes from (seed, step, path, slot,
    element) alone.
    """
    rounding.check_seed("stored", seed)
    if not isinstance(min_size, int) or min_size < 0:
        raise ValueError(f"stored: min_size is {words.show(min_size)}; expected a whole number, 0 or more")
    return Stored(as_transform(tx, "stored"), codec, min_size, seed)
