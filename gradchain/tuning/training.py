"""trainer: a plain training loop as a function of the optimizer."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gradchain.core import words
from gradchain.core.transform import Transform

PyTree = Any
SHARE = 0.1  # of the steps, the last ones, whose mean loss counts
ASKED: dict[str, Callable[..., Any]] = {  # what an update may ask for, of (loss, gradients, loss function)
    "value": lambda loss, grads, f: loss,
    "grad": lambda loss, grads, f: grads,
    "value_fn": lambda loss, grads, f: f,
    "grad_fn": lambda loss, grads, f: jax.grad(f),
    "obj_fn": lambda loss, grads, f: f,
}


def trainer(
    loss: Callable[..., Any], params: PyTree, batches: Any = None, *, steps: int | None = None
) -> Callable[..., Any]:
    """A function train(tx) for `sweep`: train from params, return the mean loss of the last tenth of steps.

        train = gc.trainer(loss, params, batches)  # loss(params, batch) -> []

    batches: a list or an iterator of batches, all of the same shapes, or one tree of arrays whose first axis
    is the step; they are used in order, again from the first where steps is more. None: loss(params).
    `params` may be a function of a key, with which train(tx, key) starts each seed from others.
    """
    who = "trainer"
    stacked = stack(who, batches, steps)
    n = count(who, stacked, steps)
    need_loss(who, loss, stacked)

    def train(tx: Transform, key: Any = None) -> Any:
        start = params(jax.random.key(0) if key is None else key) if callable(params) else params
        return jnp.mean(run(tx, loss, start, stacked, n)[-last(n) :])

    return train


def last(steps: int) -> int:
    """How many of the last steps count."""
    return max(1, round(SHARE * steps))


def run(tx: Transform, loss: Callable[..., Any], params: PyTree, stacked: Any, steps: int) -> Any:
    """The loss of each step before its update, [steps]."""
    unknown = sorted(tx.body.needs - set(ASKED))
    if unknown:
        raise TypeError(
            f"{tx.name} needs {words.listed(unknown)} in each update, which a plain loop does not have: "
            "write train(tx) with a loop of your own"
        )

    def step(carry, i):
        params, state = carry
        batch = () if stacked is None else (jax.tree.map(lambda x: x[i % len(x)], stacked),)
        f = lambda p: loss(p, *batch)  # noqa: E731
        value, grads = jax.value_and_grad(f)(params)
        extra = {name: ASKED[name](value, grads, f) for name in sorted(tx.body.needs)}
        return tx.step(grads, state, params, **extra), value

    params = jax.tree.map(jnp.asarray, params)
    return jax.lax.scan(step, (params, tx.init(params)), jnp.arange(steps))[1]


def fixed(loss: Callable[..., Any], params: PyTree, stacked: Any, steps: int) -> Any:
    """The loss of each step without any training, [steps]."""
    if stacked is None:
        return jnp.broadcast_to(loss(params), (steps,))
    return jax.lax.map(
        lambda i: loss(params, jax.tree.map(lambda x: x[i % len(x)], stacked)), jnp.arange(steps)
    )


def stack(who: str, batches: Any, steps: int | None) -> Any:
    """Batches as one tree whose arrays have the step as their first axis."""
    if batches is None or isinstance(batches, tuple | Mapping) or hasattr(batches, "shape"):
        found = None if batches is None else jax.tree.map(jnp.asarray, batches)
        lengths = {x.shape[0] if x.ndim else None for x in jax.tree.leaves(found)}
        if len(lengths) > 1 or None in lengths:
            shapes = [list(x.shape) for x in jax.tree.leaves(found)]
            raise ValueError(
                f"{who}: batches has arrays of shapes {words.show(shapes)}; expected the step as the first "
                "axis of all, or a list of batches"
            )
        return found
    if not isinstance(batches, Iterable):
        raise TypeError(
            f"{who}: batches is {words.show(batches)}; expected a list of batches, an iterator of them, or "
            "arrays whose first axis is the step"
        )
    if steps is None and not hasattr(batches, "__len__"):
        raise ValueError(f"{who}: batches is an iterator, which may have no end: give steps=...")
    found = list(itertools.islice(batches, steps))
    if not found:
        raise ValueError(f"{who}: batches has none")
    shapes = [jax.tree.map(np.shape, b) for b in found]
    if odd := next((i for i, s in enumerate(shapes) if s != shapes[0]), None):
        raise ValueError(
            f"{who}: batch {odd} has shapes {words.show(shapes[odd])}, the first {words.show(shapes[0])}; "
            "expected all alike: leave out the last, smaller one"
        )
    return jax.tree.map(lambda *x: jnp.stack([jnp.asarray(y) for y in x]), *found)


def count(who: str, stacked: Any, steps: int | None) -> int:
    """The number of steps of a run."""
    if steps is None:
        if stacked is None:
            raise ValueError(f"{who}: without batches give the number of steps: steps=100")
        return len(jax.tree.leaves(stacked)[0])
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{who}: steps is {words.show(steps)}; expected a whole number, at least 1")
    return steps


def need_loss(who: str, loss: Any, stacked: Any) -> None:
    """Raise where the loss cannot be called with parameters and a batch."""
    what = "params" if stacked is None else "params, batch"
    if not callable(loss):
        raise TypeError(f"{who}: loss is {words.show(loss)}; expected a function loss({what}) of one number")
    try:
        inspect.signature(loss).bind(*what.split(", "))
    except TypeError as error:
        raise TypeError(
            f"{who}: {words.show(loss)} cannot be called as loss({what}): {error}"
            f"{'; give batches' if stacked is None else ''}"
        ) from None
    except ValueError:  # has no signature
        pass
