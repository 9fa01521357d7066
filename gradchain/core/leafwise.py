"""leafwise: a kernel for one array, lifted to trees."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from gradchain.core import values
from gradchain.core.engine import Part, run
from gradchain.core.link import Link, asked_for
from gradchain.core.returned import check_arguments
from gradchain.core.slots import Shared, SlotMaker
from gradchain.core.transform import Context


class Leafwise(Link):
    """A link whose update is a kernel on one array; see `leafwise` for what the kernel may ask for."""

    def __init__(self, State, step: Callable, before: Callable | None, where, ages: bool, fields: Mapping):
        super().__init__(State, fields, where=where, ages=ages)
        self.step, self.before = step, before
        self.asks = asked_for(step)
        self.uses_params = check_arguments(step, State) > (1 if State is None else 2)
        self.needs = self.asks - {"leaf", "salt"}

    @functools.cached_property
    def program_key(self) -> Any:
        """What its kernel depends on: all its constants but the selection, which says what it runs on."""
        recipe = self.recipe
        chosen = {k for k, v in recipe.args.items() if v is self.where and v is not None}
        rest = {k: v for k, v in recipe.static.args.items() if k not in chosen}
        return (recipe.factory.fn, values.key(rest), recipe.operands, tuple(sorted(chosen)))

    def run(self, updates, state, params, ctx: Context):
        """Run as a chain of one link."""
        return run([Part(self, self.keys[0] if self.keys else None)], updates, state, params, ctx)


def leafwise(
    State,
    step: Callable,
    *,
    before: Callable | None = None,
    where=None,
    ages: bool = True,
    **fields: SlotMaker | Shared,
):
    """Lift step(g, s) -> (u, s), or step(g, s, p), from one array to trees.

    s is the State NamedTuple with one leaf of each field; `fields` give each field's slot, and a field
    `count` is the number of this step, from 1; for a leaf that joined later (unfrozen, `initialise`) of its
    own steps, or with ages=False of the link's. With State None the kernel is step(g) -> u or step(g, p).
    Keyword-only arguments of step: `leaf`, its static shape, dtype and axes; `salt`, a number that differs
    from path to path, for noise; any other is an extra argument of `tx.update`.
    before(updates, s) -> s runs once on the whole trees, for scalars that the kernels share (a norm); a
    field of those is declared as shared(slot). `where` selects leaves: the others pass through, stateless.
    """
    return Leafwise(State, step, before, where, ages, fields)
