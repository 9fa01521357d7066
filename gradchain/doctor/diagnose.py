"""diagnose: what looks wrong in a run, and what to try."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from gradchain.doctor import arrays, settings
from gradchain.doctor.facts import gathered
from gradchain.doctor.findings import SEVERITIES, Diagnosis


def diagnose(
    state: Any = None,
    params: Any = None,
    *,
    tx: Any = None,
    grads: Any = None,
    history: Sequence[Mapping[str, Any]] | str | os.PathLike | None = None,
    steps: int | None = None,
) -> Diagnosis:
    """Say in words what looks wrong in a run and what to try; printed as text, in a notebook as a table.

    Give what there is: the state (or an nnx.Optimizer or TrainState), the parameters, the optimizer `tx`, the
    gradients of a batch, a history: a list of dicts of numbers by name ("loss", what `metrics` gives, with or
    without "opt/" before it), one for each step that was logged, or the path of a CSV or JSON Lines file of
    them, also as the first argument; and the number of steps of the whole run. With tx, state, params and
    grads the next update is computed and looked at. Each finding has a name, severity ("error", "warning",
    "note"), where, what was found, the limit and what to try. What could not be looked at is listed with what
    would let it be. Not in jit.
    """
    facts = gathered(state, params, tx, grads, history, steps)
    found, unseen, looked = [], [], []
    for test in (*arrays.TESTS, *settings.TESTS):
        if test.possible(facts):
            looked.append(test.name)
            found += test.check(facts)
        elif test.needs:
            unseen.append((test.name, test.needs))
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Diagnosis(tuple(found), tuple(unseen), tuple(dict.fromkeys(looked)))
