"""The loop over microbatches, and the batch axis as two: one of microbatches, one within each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.core import Tracer

from gradchain.core import tree as core
from gradchain.core import words
from gradchain.microbatching.accumulators import AccumulationType, Accumulators, made, split

PyTree = Any
WHOLE = object()  # the axis of an argument without a batch


def reshape_batch_axis(tree: PyTree, microbatch_size: int, axis: int = 0) -> PyTree:
    """The batch axis of every leaf as two: [..., n * m, ...] to [..., n, m, ...], m = microbatch_size.

    Example i + n j is at [i, j]: of a batch that is split over devices, each has a part of every microbatch.
    """

    def one(x: Any) -> Array:
        x = jnp.asarray(x)
        if not -x.ndim <= axis < x.ndim or microbatch_size < 1 or x.shape[axis] % microbatch_size:
            raise ValueError(
                f"reshape_batch_axis: an array has shape {x.shape}; expected a size along axis {axis} that "
                f"microbatch_size={microbatch_size} divides"
            )
        at = axis % x.ndim
        n = x.shape[at] // microbatch_size
        return jnp.swapaxes(x.reshape(*x.shape[:at], microbatch_size, n, *x.shape[at + 1 :]), at, at + 1)

    return jax.tree.map(one, tree)


def axes_of(prefix: Any, given: PyTree, who: str, what: str) -> list[Any]:
    """The batch axis of every leaf: an int, or WHOLE."""

    def below(axis: Any, part: PyTree) -> PyTree:
        return jax.tree.map(lambda _: WHOLE if axis is None else axis, part)

    try:
        return jax.tree.leaves(jax.tree.map(below, prefix, given, is_leaf=lambda x: x is None))
    except ValueError as error:
        raise ValueError(f"{who}: {what}, which does not fit the arguments ({error})") from None


def _batch_size(leaves: Sequence[Any], axes: Sequence[Any], paths: Sequence[str], who: str) -> int:
    """The size that all batch axes have."""
    sizes: dict[int, str] = {}
    for x, axis, path in zip(leaves, axes, paths, strict=True):
        if axis is WHOLE:
            continue
        if not -jnp.ndim(x) <= axis < jnp.ndim(x):
            raise ValueError(
                f"{who}: {path} has shape {jnp.shape(x)}; expected a batch axis {axis}. Name the arguments "
                "that have one, or bind the others by functools.partial"
            )
        sizes.setdefault(jnp.shape(x)[axis], path)
    if len(sizes) == 1:
        return next(iter(sizes))
    found = ", ".join(f"{path} has {n}" for n, path in sizes.items()) or "no argument has one"
    raise ValueError(f"{who}: expected batch axes of one size; {found}")


def looped(
    fun: Callable,
    given: tuple[tuple, dict],
    axes: Sequence[Any],
    size: int | None,
    accumulator: Accumulators,
    real: Any,
    who: str,
) -> PyTree:
    """fun(*args, **kwargs) over microbatches, from the batch axis of every leaf of (args, kwargs)."""
    leaves, treedef = jax.tree.flatten(given)
    paths = [_argument(path) for path in core.paths(given)]
    total = _batch_size(leaves, axes, paths, who)
    if size is None:
        return fun(*given[0], **given[1])
    if isinstance(size, bool) or not isinstance(size, int) or size < 1 or total % size:
        raise ValueError(
            f"{who}: microbatch_size is {words.show(size)}; expected a divisor of the batch, {total}"
        )
    n = total // size
    known = real is None or not isinstance(real, Tracer)
    steps = n if real is None else int(real) if known else jnp.clip(real, 0, n)
    if known and not 0 <= steps <= n:
        raise ValueError(
            f"{who}: num_real_microbatches is {steps}; expected 0 to {n}: {total} examples, {size} at a time"
        )
    cut = [
        x if axis is WHOLE else reshape_batch_axis(x, size, axis)
        for x, axis in zip(leaves, axes, strict=True)
    ]

    def evaluate(i: Any) -> PyTree:
        now = []
        for x, part, axis in zip(leaves, cut, axes, strict=True):
            at = None if axis is WHOLE else axis % jnp.ndim(x)
            now.append(x if at is None else lax.dynamic_index_in_dim(part, i, at, keepdims=False))
        args, kwargs = treedef.unflatten(now)
        return jax.tree.map(jnp.asarray, fun(*args, **kwargs))

    shapes = jax.eval_shape(evaluate, 0)
    ones, parts, outer = split(accumulator, shapes, who)
    all_made = [made(one, part, n, who) for one, part in zip(ones, parts, strict=True)]

    def body(i: Any, carries: list) -> list:
        values = outer.flatten_up_to(evaluate(i))
        return [a.update(c, x, i) for a, c, x in zip(all_made, carries, values, strict=True)]

    start = [a.init(part) for a, part in zip(all_made, parts, strict=True)]
    carries = lax.fori_loop(0, steps, body, start)
    return outer.unflatten([a.finalize(c) for a, c in zip(all_made, carries, strict=True)])


def _argument(path: str) -> str:
    """A path in (args, kwargs) as messages name it: 0/1/x -> argument 1/x."""
    kind, _, rest = path.partition("/")
    number, _, inside = rest.partition("/")
    name = f"argument {number}" if kind == "0" else f"argument {number!r}"
    return f"{name} ({inside})" if inside else name


def as_tuple(x: Any) -> tuple:
    """One or several, as a tuple."""
    return tuple(x) if isinstance(x, Sequence) and not isinstance(x, str) else (x,)


def microbatch(
    fun: Callable[..., Any],
    argnums: int | Sequence[int],
    microbatch_size: int | None,
    accumulator: Accumulators = AccumulationType.SUM,
    *,
    argnames: str | Sequence[str] = (),
    in_axes: int | Sequence[int] = 0,
    num_real_microbatches: int | Array | None = None,
) -> Callable[..., Any]:
    """fun evaluated on microbatch_size examples at a time, in a loop, its results put together.

    argnums and argnames say which arguments have a batch axis, in_axes which axis that is (one number, or one
    for each of them in this order); microbatch_size must divide it, and None is a plain call. `accumulator`:
    one for all results or a prefix tree of them; sums are made in float32 at least. Of what the function
    itself averages over its batch take MEAN. num_real_microbatches, which may be traced, ends the loop
    early: examples i, i + n, i + 2 n, ... make microbatch i of n; results of the others are 0.
    """
    numbers, names = as_tuple(argnums), as_tuple(argnames)
    along = as_tuple(in_axes) if not isinstance(in_axes, int) else (in_axes,) * (len(numbers) + len(names))
    if len(along) != len(numbers) + len(names):
        raise ValueError(
            f"microbatch: in_axes is {words.show(in_axes)}; expected one number, or one for each of "
            f"argnums={numbers} and argnames={names}"
        )

    @functools.wraps(fun)
    def run(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise TypeError(
                    f"microbatch: argnums has {number}, but the call has {len(args)} arguments by position; "
                    "an argument given by its name is told by argnames"
                )
        for name in names:
            if name not in kwargs:
                raise TypeError(
                    f"microbatch: argnames has {name!r}, which the call does not give by its name; "
                    "an argument given by position is told by argnums"
                )
        here: list[Any] = [None] * len(args)
        there: dict[str, Any] = dict.fromkeys(kwargs)
        for number, axis in zip(numbers, along, strict=False):
            here[number] = axis
        there.update(zip(names, along[len(numbers) :], strict=True))
        axes = axes_of(
            (tuple(here), there), (args, kwargs), "microbatch", f"in_axes is {words.show(in_axes)}"
        )
        size, real = microbatch_size, num_real_microbatches
        return looped(fun, (args, kwargs), axes, size, accumulator, real, "microbatch")

    return run
