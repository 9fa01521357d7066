"""Paths of algorithms on a small function of two variables: python -m docs.pages.paths [--all] [NAME ...]

Writes docs/pages/paths.json: for each registered transform, optimizer and wrapper its path as the `d` of an
SVG path, the learning rate that was tuned for it and the value that it ended at, or why it has no picture.
Without names only what is missing there is run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from docs.pages import problems
from docs.pages.problems import HIGH, LOW, Problem

KEPT = Path(__file__).with_name("paths.json")
STEPS = 100
RATES = 2.0 ** np.arange(-14, 7)
TAIL = 20  # steps over whose mean value rates are compared
UNIT = 200  # SVG units in 1
# Arguments of examples that a matrix of 2 x 1 asks for.
CHANGED = {"rank": 1, "ess": 1e4, "min_size": 0, "max_backtracking_steps": 20}
DESCEND = ("scale_by_cocob",)  # links that go down by themselves
ALONE = {  # why there is no path
    "foreign": "it is a transformation of another library",
    "with_axes": "it changes how other rules read the axes of a leaf",
    "zero": "it splits state over devices, with the same numbers",
    "offload": "it moves state to the host, with the same numbers",
    "qk_clip": "it bounds the logits of an attention layer",
    "muonclip": "it is for models with attention; see `muon`",
    "set_to_zero": "nothing moves",
    "freeze": "nothing moves",
    "hutchinson_estimator_diag_hessian": "it estimates the curvature, which others divide by",
    "conditionally_transform": "in the steps that it leaves out gradients pass through as they are",
    "stateless": "it does what its function does",
    "stateless_with_tree_map": "it does what its function does",
}


def terms(problem: Problem, p: Any) -> tuple[Any, Any]:
    """The two terms of the function at parameters."""
    return problem.terms(*jnp.ravel(p["kernel"]))


def heights(problem: Problem, points: np.ndarray) -> np.ndarray:
    """The function at points [..., 2], in NumPy."""
    one, other = problem.terms(points[..., 0], points[..., 1])
    return one + other


def with_rate(tx: gc.Transform, rate: Any) -> gc.Transform:
    """A transform with this learning rate, also in what it wraps; the same where it has none."""
    args, old = dict(tx.recipe.args), tx.recipe.args.get("learning_rate")
    own = old is not None
    for name, given in args.items():
        if own and name in ("learning_rate", "max_learning_rate"):
            args[name] = rate
        elif name != "adv_optimizer" and (not own or tx.name == "schedule_free"):
            args[name] = _inner(given, rate)
    if all(args[name] is given for name, given in tx.recipe.args.items()):
        return tx
    return _made(tx.recipe.factory, args)


def _inner(given: Any, rate: Any) -> Any:
    if isinstance(given, gc.Transform):
        return with_rate(given, rate)
    if isinstance(given, Mapping):
        found = {k: rate if k == "learning_rate" else _inner(v, rate) for k, v in given.items()}
        return found if any(found[k] is not v for k, v in given.items()) else given
    return given


def _made(factory: Any, args: Mapping[str, Any]) -> gc.Transform:
    make = getattr(gc, factory.name)
    return make(*args[factory.variadic]) if factory.variadic else make(**args)


def example(name: str) -> gc.Transform:
    """The example of a factory, fit for a matrix of 2 x 1."""
    factory = gc.REGISTRY[name]
    given = {**factory.example()}
    given |= {argument: new for argument, new in CHANGED.items() if argument in given}
    given |= problems.GIVEN.get(name, {})
    if "adv_optimizer" in given:
        given["adv_optimizer"] = gc.chain(gc.normalize(), gc.sgd(0.05))
    return _made(factory, given)


def optimizer(name: str, rate: Any = 0.1) -> tuple[gc.Transform, str]:
    """The example as an optimizer, and where the rate stands: "own", "after", "before" or "none"."""
    tx, factory = example(name), gc.REGISTRY[name]
    made = with_rate(tx, rate)
    if name in ("proximal_decay", "step_and_shrink") or {"sets", "last"} & factory.traits:
        alone = name in ("step_and_shrink", "scale_by_ftrl", "ftrl")  # with a rate of their own
        return (made, "own") if alone else (gc.chain(gc.sgd(rate), made), "before")
    if "linesearch" in name:
        return gc.chain(gc.sgd(1.0), tx), "none"
    if name == "scale_by_rprop":  # its rate is the first step's, its updates go up
        return gc.chain(made, gc.scale(-1.0)), "own"
    if made is not tx and name != "add_corrected_weights":
        return made, "own"
    if name in DESCEND or (factory.kind == "optimizer" and name not in ("normalize", "apply_every")):
        return tx, "none"
    return gc.chain(made, gc.scale_by_learning_rate(rate)), "after"


def run(tx: gc.Transform, per_example: bool, problem: Problem) -> jax.Array:
    """The points [STEPS + 1, 2] of a run."""

    def value(p):
        return sum(terms(problem, p))

    extras = {
        "value": lambda p, v, g: v,
        "grad": lambda p, v, g: g,
        "value_fn": lambda p, v, g: value,
        "obj_fn": lambda p, v, g: value,
        "grad_fn": lambda p, v, g: jax.grad(value),
    }

    def step(carry, _):
        p, state = carry
        v, g = jax.value_and_grad(value)(p)
        given = {k: extras[k](p, v, g) for k in tx.body.needs}
        if per_example:
            parts = jax.jacobian(lambda p: jnp.stack(terms(problem, p)))(p)
            g = jax.tree.map(lambda x: 2 * x, parts)
        u, state = tx.update(g, state, p, **given)
        p = gc.apply_updates(p, u)
        return (p, state), jnp.ravel(p["kernel"])

    first = {"kernel": jnp.asarray(problem.start, "float32").reshape(2, 1)}
    _, points = jax.lax.scan(step, (first, tx.init(first)), None, STEPS)
    return jnp.concatenate([first["kernel"].reshape(1, 2), points])


def tuned(name: str) -> tuple[np.ndarray, float | None]:
    """The path with the best rate, and that rate; None where there is none to tune."""
    per_example, problem = "per_example" in gc.REGISTRY[name].traits, problems.of(name)
    if optimizer(name)[1] == "none":
        return np.asarray(jax.jit(lambda: run(optimizer(name)[0], per_example, problem))()), None
    one = lambda rate: run(optimizer(name, rate)[0], per_example, problem)  # noqa: E731
    try:
        paths = np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(RATES, "float32")))
    except Exception:  # a rate that must be a number
        paths = np.stack([np.asarray(jax.jit(lambda r=float(r): one(r))()) for r in RATES[::2]])
    rates = RATES if len(paths) == len(RATES) else RATES[::2]
    with np.errstate(all="ignore"):
        values = heights(problem, paths)[:, -TAIL:].mean(1)
    best = int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))
    return paths[best], float(rates[best])


def as_svg(points: np.ndarray) -> str:
    """Points as the `d` of an SVG path in whole units, relative; what leaves the frame far is cut."""
    shown = np.clip(points, np.array(LOW) - 3, np.array(HIGH) + 3)
    at = np.rint((shown - np.array(LOW)) * UNIT).astype(int)
    at[:, 1] = round((HIGH[1] - LOW[1]) * UNIT) - at[:, 1]
    moves = " ".join(f"{x},{y}" for x, y in np.diff(at, axis=0) if (x, y) != (0, 0))
    return f"m{at[0, 0]},{at[0, 1]} {moves}".strip()


def picture(name: str) -> dict[str, Any]:
    """What is kept of an algorithm."""
    if name in ALONE:
        return {"why": ALONE[name]}
    try:
        points, rate = tuned(name)
    except Exception as error:
        return {"why": "its example does not run on a matrix of 2 x 1", "error": f"{error}"[:200]}
    if not np.isfinite(points).all():
        points = points[: int(np.argmin(np.isfinite(points).all(1)))]
    return {
        "rate": rate,
        "where": optimizer(name)[1],
        "value": float(f"{heights(problems.of(name), points)[-1]:.2g}"),
        "d": as_svg(points),
    }


def read() -> dict[str, Any]:
    """What is kept, by name."""
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}


def write(found: Mapping[str, Any]) -> None:
    """Keep it, an algorithm a line."""
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found)]
    KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def main(args: list[str]) -> None:
    found = {name: kept for name, kept in read().items() if name in gc.REGISTRY}
    names = [a for a in args if not a.startswith("-")] or [
        name for name in gc.REGISTRY if "--all" in args or name not in found
    ]
    for i, name in enumerate(names):
        found[name] = picture(name)
        kept = {k: v for k, v in found[name].items() if k != "d"}
        print(f"{i + 1}/{len(names)} {name}: {kept}", flush=True)
        if i % 10 == 9:
            write(found)
    write(found)


if __name__ == "__main__":
    main(sys.argv[1:])
