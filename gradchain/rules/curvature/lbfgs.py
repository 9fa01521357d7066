"""L-BFGS: steps by an approximate inverse Hessian from the last differences of parameters and gradients."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from gradchain.core import tree, words
from gradchain.core.compose import chain
from gradchain.core.hyper import Hyper
from gradchain.core.link import Treewise
from gradchain.core.recipe import ErrorInput
from gradchain.core.slots import scalar, shared, stack, sums, zeros
from gradchain.core.transform import optimizer, transform
from gradchain.math.numerics import real_dtype, safe_divide, safe_sqrt
from gradchain.rules.curvature.linesearch import scale_by_zoom_linesearch
from gradchain.rules.curvature.objective import number
from gradchain.rules.parts.basic import scale, scale_by_learning_rate

PyTree = Any
MAX_MEMORY = 2**10


class ScaleByLBFGSState(NamedTuple):
    count: Array  # [] int32, steps taken
    params: PyTree  # like params, where the last gradient was taken
    updates: PyTree  # like params, that gradient
    diff_params_memory: PyTree  # [memory_size, ...] like params, s: differences of parameters, a ring
    diff_updates_memory: PyTree  # [memory_size, ...] like params, y: differences of gradients
    weights_memory: Array  # [memory_size] 1 / <s, y>; 0 where there is no pair


def _errors():
    for bad in (0, -1, 10**9):
        yield ErrorInput({"memory_size": bad}, ValueError, (f"memory_size is {bad}", f"1 to {MAX_MEMORY}"))
    yield ErrorInput({"memory_size": 2.5}, TypeError, ("memory_size is 2.5", "a whole number"))


PAPER: Any = {"paper": "Liu & Nocedal 1989; Nocedal & Wright 2006, algorithm 7.4", "errors": _errors}


@jax.jit
def _row(memory: Array, i: Array) -> Array:
    return lax.dynamic_index_in_dim(memory, i, 0, keepdims=False)


@jax.jit
def _put(memory: Array, x: Array, i: Array, good: Array) -> Array:
    x = jnp.where(good, x, 0).astype(memory.dtype)  # what is left out may be NaN
    return lax.dynamic_update_index_in_dim(memory, x, i, 0)


@jax.jit
def _inner(x: Array, y: Array) -> Array:
    return number(jnp.sum((x.conj() * y).real))


@jax.jit
def _with_row(memory: Array, i: Array, x: Array) -> Array:
    return _inner(_row(memory, i), x)


@jax.jit
def _add_row(x: Array, a: Array, memory: Array, i: Array) -> Array:
    return x + a.astype(real_dtype(x)) * _row(memory, i).astype(x.dtype)


@jax.jit
def _size_of_row(memory: Array, i: Array) -> Array:
    return _inner(_row(memory, i), _row(memory, i))


class _Change(NamedTuple):
    params: Array  # p_t - p_(t-1), 0 in a leaf's first step
    updates: Array
    products: Array  # [4] <s, y>, <s, s>, <y, y>, <g, g>


@jax.jit
def _change(p: Array, g: Array, old_p: Array, old_g: Array, t: Array) -> _Change:
    s, y = (jnp.where(t > 1, new - old, 0) for new, old in ((p, old_p), (g, old_g)))
    return _Change(s, y, jnp.stack([_inner(s, y), _inner(s, s), _inner(y, y), _inner(g, g)]))


def _sum(parts: list[Array], shape: tuple[int, ...] = ()) -> Array:
    return functools.reduce(jnp.add, parts, jnp.zeros(shape, scalar().dtype))


def two_loops(g: list[Array], s: list[Array], y: list[Array], weights: Array, order: Array, gamma) -> list:
    """The product of the inverse Hessian with g: from rows of s and y, newest first, and gamma I."""

    def back(q, i):
        alpha = weights[i] * _sum([_with_row(m, i, x) for m, x in zip(s, q, strict=True)])
        return [_add_row(x, -alpha, m, i) for x, m in zip(q, y, strict=True)], alpha

    def forth(r, pair):
        i, alpha = pair
        beta = weights[i] * _sum([_with_row(m, i, x) for m, x in zip(y, r, strict=True)])
        return [_add_row(x, alpha - beta, m, i) for x, m in zip(r, s, strict=True)], None

    q, alphas = lax.scan(back, g, order)
    r = [gamma.astype(real_dtype(x)) * x for x in q]
    return lax.scan(forth, r, (order, alphas), reverse=True)[0]


@transform(**PAPER)
def scale_by_lbfgs(memory_size: int = 10, scale_init_precond: bool = True):
    """Multiply the gradient by an approximate inverse Hessian, from the last memory_size steps.

    s = p_t - p_(t-1);  y = g_t - g_(t-1);  w = 1 / <s, y>
    H = (I - w s y^T)' H (I - w y s^T) + w s s^T over the pairs, oldest first, from H = gamma I;  u = H g
    gamma = <s, y> / <y, y> of the newest pair, before the first min(1, 1 / |g|); 1 without
    scale_init_precond. A pair whose <s, y> is not positive, beyond rounding, is left out, so that -u always
    descends (Optax keeps such pairs). The state holds 2 memory_size + 2 copies of the
    parameters. Of complex parameters the gradient is the conjugate of `jax.grad`'s.
    """
    if not 1 <= memory_size <= MAX_MEMORY:
        raise ValueError(
            f"scale_by_lbfgs: memory_size is {words.show(memory_size)}; expected 1 to {MAX_MEMORY}"
        )

    def update(updates, s, params, *, counts):
        leaves, treedef = jax.tree.flatten(tree.cast_like((params, updates), (s.params, s.updates)))
        p, g = leaves[: len(counts)], leaves[len(counts) :]
        old = jax.tree.leaves((s.params, s.updates))
        rows = zip(p, g, old[: len(counts)], old[len(counts) :], counts, strict=True)
        changes = [_change(*row) for row in rows]
        sy, ss, yy, gg = _sum([c.products for c in changes], (4,))
        limits = jnp.finfo(sy.dtype)
        good = (sy > limits.eps * safe_sqrt(ss) * safe_sqrt(yy)) & (sy > limits.tiny)
        newest = (s.count - 2) % memory_size
        weights = s.weights_memory.at[newest].set(jnp.where(good, safe_divide(1, sy), 0))
        memories = [
            [
                _put(m, getattr(c, f), newest, good)
                for m, c in zip(jax.tree.leaves(memory), changes, strict=True)
            ]
            for f, memory in (("params", s.diff_params_memory), ("updates", s.diff_updates_memory))
        ]
        order = (newest - jnp.arange(memory_size)) % memory_size
        gamma = number(1.0)
        if scale_init_precond:
            last = order[jnp.argmax(weights[order] > 0)]
            own = safe_divide(1, weights[last] * _sum([_size_of_row(y, last) for y in memories[1]]))
            gamma = jnp.where(own > 0, own, jnp.minimum(1, safe_divide(1, safe_sqrt(gg), 1)))
        out = two_loops(g, memories[0], memories[1], weights, order, gamma)
        p, g = treedef.unflatten(leaves)
        like = jax.tree.structure(s.params).unflatten
        return jax.tree.structure(updates).unflatten(out), ScaleByLBFGSState(
            s.count, p, g, like(memories[0]), like(memories[1]), weights
        )

    def history(p):
        return stack(memory_size, zeros(p))

    weights = shared(lambda p: stack(memory_size, scalar(p)))
    fields = {
        "params": sums,
        "updates": sums,
        "diff_params_memory": history,
        "diff_updates_memory": history,
        "weights_memory": weights,
    }
    return Treewise(ScaleByLBFGSState, update, fields, params=True)  # a field has the name of its argument


@optimizer(**PAPER)
def lbfgs(
    learning_rate: Hyper | None = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: Any = scale_by_zoom_linesearch(20, initial_guess_strategy="one"),  # noqa: B008
):
    """L-BFGS with a line search: p = p - t * lr * H g, see `scale_by_lbfgs`; lr is 1 where it is None.

    `linesearch` is a link after it: gradchain's, one's own or another library's, or None. The default needs
    extra arguments: tx.update(grads, state, params, value=value, grad=grads, value_fn=f). Value and gradient
    at the new parameters are in the state already, see `value_and_grad_from_state`.
    """
    return chain(
        scale_by_lbfgs(memory_size, scale_init_precond),
        scale(-1.0) if learning_rate is None else scale_by_learning_rate(learning_rate),
        *([] if linesearch is None else [linesearch]),
    )
