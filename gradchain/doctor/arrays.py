"""Checks of arrays: parameters, gradients, updates and the state, as they are now."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import tree
from gradchain.doctor.facts import MOMENTS, Facts, count_of, fields, percent, rms
from gradchain.doctor.findings import Finding, Test, paths
from gradchain.report import held

LARGE = 0.1  # of a parameter, in one update
LOST = 0.5  # of the elements of a parameter, whose update rounding leaves out
DECAY = 1.0  # of the rest of the update
TINY = 0.5  # of the elements, whose second moment lies below eps
BEYOND = 0.01  # of the codes, at the end of their range
BELOW = 0.5  # of the codes of squares, the least that there is
NONE = np.zeros(())  # of a leaf that is not known
EARLY = 20  # steps in which parameters that started at zero move by their own size
KEPT = (
    "kahan",
    "master_weights",
    "round_stochastically",
    "split_weights",
)  # what adds small updates all the same


def not_finite(facts: Facts) -> Iterator[Finding]:
    """NaN anywhere, infinity in parameters and gradients."""
    state = {} if facts.state is None else _numbers(facts)
    for what, found, bad in (
        ("the parameters", facts.weights, lambda x: ~np.isfinite(x)),
        ("the gradients", facts.slopes, lambda x: ~np.isfinite(x)),
        ("the state", state, np.isnan),
    ):
        if where := [path for path, x in found.items() if bad(x).any()]:
            yield Finding(
                "not finite", "error", paths(where),
                f"NaN or infinity in {len(where)} of {len(found)} arrays of {what}", "none",
                "go back to a checkpoint; a smaller learning rate, gc.clip_by_global_norm before the "
                "optimizer, gc.skip(tx) or gc.roll_back(tx) around it; jax.config.update('jax_debug_nans', "
                "True) finds the operation",
            )  # fmt: skip


def _numbers(facts: Facts) -> dict[str, np.ndarray]:
    """The floating-point arrays of the state by path."""
    bare = held.arrays(facts.state)
    found = zip(tree.paths(bare), _leaves(bare), strict=True)
    floats = ((p, x) for p, x in found if jnp.issubdtype(x.dtype, jnp.inexact))
    return {p: np.asarray(x.astype(jnp.promote_types(x.dtype, jnp.float32))) for p, x in floats}


def _leaves(given) -> list:
    return [jnp.asarray(x) for x in jax.tree.leaves(given)]


def update_size(facts: Facts) -> Iterator[Finding]:
    """Updates that are large beside the parameters."""
    ratios: dict[str, float] = {}
    if facts.updates:
        for path, u in facts.updates.items():
            p = facts.weights[path]
            if p.ndim > 1 and (size := rms(p)) > 0:
                ratios[path] = rms(u) / size
    elif found := facts.series_of("update_ratio"):
        ratios = {path: float(np.median(x[len(x) // 2 :])) for path, x in found.items() if len(x) >= EARLY}
        # What large updates made is large beside the later ones: of matrices the first count, too.
        first = {path: x[: EARLY // 2] for path, x in found.items() if facts.weights.get(path, NONE).ndim > 1}
        ratios |= {
            path: max(float(np.median(x)), ratios.get(path, 0.0)) for path, x in first.items() if x.size
        }
    elif facts.step > EARLY:
        flat = {path for path, x in facts.weights.items() if x.ndim < 2}
        ratios = {path: x for path, x in facts.last_of("update_ratio").items() if path not in flat}
        if not ratios and "update_norm" in facts.metrics and facts.weights:
            whole = np.sqrt(sum(rms(p) ** 2 * p.size for p in facts.weights.values()))
            ratios = {"": facts.metrics["update_norm"] / whole} if whole > 0 else {}
    if large := sorted((path for path, x in ratios.items() if x > LARGE), key=lambda path: -ratios[path]):
        yield Finding(
            "update size", "warning", paths([path for path in large if path]),
            f"an update is {percent(ratios[large[0]])} of the size of the parameters; usual are 0.01 to 1 %",
            f"{percent(LARGE)}",
            f"a learning rate {10 ** np.ceil(np.log10(ratios[large[0]] / 0.01)):.0f} times smaller, or a "
            "warmup: gc.warmup_cosine_decay_schedule; gc.find_lr looks for a rate",
        )  # fmt: skip


def lost_updates(facts: Facts) -> Iterator[Finding]:
    """Updates below the precision of the parameters, with nothing that adds them up."""
    names = {place.recipe.factory.name for place, _ in facts.links}
    if names & set(KEPT):
        return
    shares = {}
    given = dict(zip(tree.paths(held.arrays(facts.params)), _leaves(held.arrays(facts.params)), strict=True))
    for path, u in facts.updates.items():
        moved = u != 0
        if moved.any() and jnp.issubdtype(given[path].dtype, jnp.floating):
            p = given[path]
            new = (facts.weights[path] + u).astype(p.dtype)
            shares[path] = float(np.mean((np.asarray(new) == np.asarray(p))[moved]))
    if where := [path for path, share in shares.items() if share > LOST]:
        dtype = given[where[0]].dtype
        yield Finding(
            "lost updates", "warning", paths(where),
            f"{percent(max(shares.values()))} of the updates vanish when they are rounded to {dtype.name}",
            percent(LOST),
            "gc.chain(tx, gc.kahan()), gc.round_stochastically() or gc.master_weights(tx), which add small "
            "updates up",
        )  # fmt: skip


def dead(facts: Facts) -> Iterator[Finding]:
    """Leaves whose gradients are zero: now, or in every step so far."""
    now = [path for path, g in facts.slopes.items() if g.size and not g.any()]
    always: dict[str, bool] = {}
    for _, entry in facts.entries:
        if count_of(entry, facts.step) > 1:  # some begin in the second step, as SOAP
            for name, arrays in fields(entry).items():
                for path, x in arrays.items() if name in MOMENTS else ():
                    always[path] = always.get(path, True) and not np.asarray(x).any()
    rows = {**facts.series_of("layer_grad_norm"), **facts.series_of("grad_norm")}
    history = [path for path, x in rows.items() if path and len(x) > 1 and not x.any()]
    ever = [path for path, zero in always.items() if zero]
    for where, found in (
        (sorted({*ever, *history}), "the gradient was zero in every step so far"),
        (sorted({*now} - {*ever, *history}), "the gradient is zero now"),
    ):
        if where:
            yield Finding(
                "dead layers", "warning", paths(where), found, "zero everywhere",
                "see whether the loss depends on it (stop_gradient, an unused output, a unit that is "
                "always off, a product with weights that are zero); gc.freeze(tx, mask) where that is meant",
            )  # fmt: skip


def decay_size(facts: Facts) -> Iterator[Finding]:
    """Weight decay that moves parameters more than the gradients do."""
    ratios = {}
    for path, u in facts.updates.items() if facts.decays else ():
        plain = facts.without_decay[path]
        if (rest := rms(plain)) > 0 and u.ndim > 1:
            ratios[path] = rms(u - plain) / rest
    if where := sorted((p for p, x in ratios.items() if x > DECAY), key=lambda p: -ratios[p]):
        yield Finding(
            "decay size", "warning", paths(where),
            f"weight decay moves the parameters {ratios[where[0]]:.3g} times as far as the other updates do",
            f"{DECAY:g}", "a weight decay ten times smaller; a mask, where some parameters should not decay",
        )  # fmt: skip


def epsilon(facts: Facts) -> Iterator[Finding]:
    """An eps above the root of the second moment, so that steps shrink with the gradients."""
    for place, entry in facts.links:
        nu, given = fields(entry).get("nu", {}), place.hyperparams
        eps = given.get("eps")
        if not isinstance(eps, int | float) or not nu or facts.step < 1:
            continue
        b2 = given.get("b2")
        unbiased = 1 - b2 ** count_of(entry, facts.step) if isinstance(b2, int | float) else 1.0
        shares = {}
        for path, x in nu.items():
            if jnp.issubdtype(x.dtype, jnp.floating) and (seen := np.asarray(x.astype(jnp.float32))).any():
                shares[path] = float(np.mean(np.sqrt(seen[seen > 0] / unbiased) < eps))
        if where := [path for path, share in shares.items() if share > TINY]:
            yield Finding(
                "epsilon", "warning", paths(where),
                f"the root of the second moment is below eps = {eps:g} in {percent(max(shares.values()))} "
                "of the elements: steps are smaller than the learning rate and shrink with the gradients",
                percent(TINY), f"{place.recipe.factory.name}: a smaller eps, or a loss that is a mean and "
                "not divided once more",
            )  # fmt: skip


def codes(facts: Facts) -> Iterator[Finding]:
    """Codes of 8 bits at the ends of their range."""
    beyond, below = {}, {}
    for _, entry in facts.entries:
        kept = fields(entry)
        for name, arrays in kept.items():
            for path, x in arrays.items():
                if x.dtype not in (jnp.uint8, jnp.int8):
                    continue
                code = np.abs(np.asarray(x).astype(np.int32))
                top = 253 if x.dtype == jnp.uint8 else 125
                if f"{name}_scale" not in kept:
                    beyond[f"{name}/{path}"] = float(np.mean(code >= top))
                if x.dtype == jnp.uint8 and x.size > 16:
                    below[f"{name}/{path}"] = float(np.mean(code == 1))
    for shares, limit, found, advice in (
        (beyond, BEYOND, "have the largest code: values beyond it are cut",
         "gradients are too large for log8: clip them, divide the loss, or gc.codecs.int8() with scales"),
        (below, BELOW, "have the least code: second moments below it are rounded up, and steps are too short",
         "gc.codecs.log8(low=-30) where gradients are small; a smaller block, gc.codecs.int8(block=64), "
         "where a few are far larger than the others"),
    ):  # fmt: skip
        if where := [path for path, share in shares.items() if share > limit]:
            worst = percent(max(shares.values()))
            yield Finding(
                "saturated codes",
                "warning",
                paths(where),
                f"{worst} of the elements {found}",
                percent(limit),
                advice,
            )


def _stored(facts: Facts) -> bool:
    return any(type(entry).__name__ == "StoredState" for _, entry in facts.entries)


UPDATES = "give tx, the state, params and grads"
TESTS = (
    Test(
        "not finite",
        lambda f: bool(f.weights or f.slopes or f.entries),
        "give the state, params, grads",
        not_finite,
    ),
    Test(
        "update size",
        lambda f: (
            bool(f.updates or f.series_of("update_ratio") or f.last_of("update_ratio"))
            or ("update_norm" in f.metrics and bool(f.weights))
        ),
        f"{UPDATES}, or the state of gc.monitored(tx) and params",
        update_size,
    ),
    Test("lost updates", lambda f: bool(f.updates), UPDATES, lost_updates),
    Test("dead layers", lambda f: bool(f.entries or f.slopes), "give the state, or grads", dead),
    Test("decay size", lambda f: bool(f.updates), UPDATES, decay_size),
    Test("epsilon", lambda f: bool(f.links), "give tx and the state", epsilon),
    Test("saturated codes", _stored, "", codes),
)
