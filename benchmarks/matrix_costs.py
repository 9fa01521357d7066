"""What methods with factors of sides cost on paper: python -m benchmarks.matrix_costs

Ours is counted in the traced step. What other libraries do was read in their code, and is a formula in m
and n. A matrix is m x n and in float32; an addition or a multiplication is one flop.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import gradchain as gc
from benchmarks import results
from gradchain.core import versions
from gradchain.matrices import refresh, ring
from gradchain.matrices.factors import Cut

EVERY = 10
FITS = 0.03  # in how many of the later steps PSGD fits its factors
LAYERS = 12
LAYER = {"qkv": (768, 2304), "out": (768, 768), "up": (768, 3072), "down": (3072, 768)}  # GPT-2's
# Of n^3: the symmetric QR algorithm with vectors, and Householder's QR with Q formed.
DECOMPOSED = {"eigh": 9.0, "qr": 8 / 3}

Size = Callable[[int, int], float]


class Cost(NamedTuple):
    """Of one matrix m x n."""

    state: Size  # bytes
    always: Size  # flops of a step that makes no basis or root anew, products alone
    renewal: Size  # flops more in one that does
    passes: float  # arrays of the matrix's size that go into products or come out of them


def sides(k: float) -> Size:
    """k flops for each m^3 and n^3."""
    return lambda m, n: k * (m**3 + n**3)


def products(k: float) -> Size:
    """The flops of k pairs of products, with an m x m and with an n x n matrix."""
    return lambda m, n: 2 * k * m * n * (m + n)


def plus(*fs: Size) -> Size:
    """The sum."""
    return lambda m, n: sum(f(m, n) for f in fs)


def kept(squares: float, moments: int) -> Size:
    """Bytes of arrays of the size of both sides squared, and of the matrix."""
    return lambda m, n: 4 * squares * (m * m + n * n) + 4 * moments * m * n


QR = sides(2 + 8 / 3)
# heavyball 3.2.1 and facebookresearch/optimizers of 2025, without grafting. One step renews all matrices.
OTHERS: dict[tuple[str, str], Cost] = {
    ("soap", "heavyball"): Cost(kept(2, 2), products(3), plus(QR, products(2)), 12),
    ("soap", "facebookresearch"): Cost(kept(2, 2), products(4), sides(9), 16),
    ("shampoo", "facebookresearch"): Cost(kept(2, 1), products(2), sides(9 + 2), 8),
    ("kl_soap", "heavyball"): Cost(kept(2, 2), plus(products(4), sides(2)), plus(QR, products(2)), 16),
    ("psgd_kron", "heavyball"): Cost(kept(0.5, 1), products(2), plus(products(3.5), sides(2)), 8),
}
OURS: dict[str, Callable[[], gc.Transform]] = {
    "soap": lambda: gc.scale_by_soap(),
    "shampoo": lambda: gc.scale_by_shampoo(block_size=None),
    "kl_soap": lambda: gc.scale_by_kl_shampoo(inner_adam=True),
    "psgd_kron": lambda: gc.scale_by_psgd(),
}


def flops(eqn: Any) -> float:
    """Of one operation: a product, a triangular solve, a decomposition; else 0."""
    shapes = [v.aval.shape for v in eqn.invars if hasattr(v.aval, "shape")]
    name = eqn.primitive.name
    if name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0]
        return 2 * math.prod(eqn.outvars[0].aval.shape) * math.prod(shapes[0][i] for i in contracted)
    if name == "triangular_solve":
        return math.prod(shapes[1]) * shapes[0][-1]
    return DECOMPOSED[name] * math.prod(shapes[0]) * shapes[0][-1] if name in DECOMPOSED else 0


def operations(jaxpr: Any, loops: tuple[int, ...] = ()) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """(operation, loops around it) of all that a program does; of a choice the last branch, that of CPUs."""
    for eqn in jaxpr.eqns:
        yield eqn, loops
        inner = list(versions.jaxprs_in(eqn))
        if eqn.primitive.name == "cond":
            inner = inner[-1:]
        for part in inner:
            yield from operations(part, (*loops, id(eqn)) if eqn.primitive.name == "while" else loops)


def part(shape: tuple[int, ...], m: int, n: int) -> float:
    """How much of an m x n matrix an operand is: all of it, half of its rows or columns, or 0: a factor."""
    sizes = {tuple(sorted(x)): w for x, w in (((m, n), 1.0), ((m / 2, n), 0.5), ((m, n / 2), 0.5))}
    return sizes.get(tuple(sorted(shape)), 0.0)


@functools.cache
def counted(name: str, m: int, n: int) -> tuple[float, float, float]:
    """Flops in every step, flops of a renewal, passes: of our method on one matrix."""
    tx = OURS[name]()
    params = {"kernel": jax.ShapeDtypeStruct((m, n), jnp.float32)}
    state = jax.eval_shape(tx.init, params)
    found = list(operations(jax.make_jaxpr(tx.update)(params, state, params).jaxpr))
    always = sum(flops(eqn) for eqn, loops in found if not loops)
    within: dict[Any, float] = {}
    for eqn, loops in found:
        if loops:
            within[loops[0]] = within.get(loops[0], 0) + flops(eqn)
    arrays = [
        v.aval.shape[-2:]
        for eqn, loops in found
        if not loops and eqn.primitive.name == "dot_general"
        for v in (*eqn.invars, *eqn.outvars)
    ]
    parts = [part(shape, m, n) for shape in arrays]
    # The loop of the first step, where it is another one, comes before that of later ones.
    return always, list(within.values())[-1], sum(parts)


def ours(name: str) -> Cost:
    """Counted."""

    def state(m: int, n: int) -> float:
        return gc.describe(OURS[name](), {"kernel": jax.ShapeDtypeStruct((m, n), jnp.float32)}).total_bytes

    return Cost(
        state,
        lambda m, n: counted(name, m, n)[0],
        lambda m, n: counted(name, m, n)[1],
        counted(name, *LAYER["up"])[2],
    )


def spread(cost: Cost, staggered: bool, share: float | None = None) -> tuple[float, float]:
    """Flops of the mean step and of the dearest, for all matrices of the model; share: of PSGD's steps."""
    shapes = [shape for shape in LAYER.values() for _ in range(LAYERS)]
    always, renewals = (sum(f(*shape) for shape in shapes) for f in (cost.always, cost.renewal))
    if not staggered:
        return always + (share or 1 / EVERY) * renewals, always + renewals
    if share:
        prices = [cost.renewal(*shape) for shape in LAYER.values()]
        steps = always + in_rings(prices, share)
        return float(steps.mean()), float(steps.max())
    steps = np.full(EVERY, float(always))
    prices = [Cut(*shape, (1, 1), (True, True)).cost for shape in shapes]
    for shape, phase in zip(shapes, refresh.offsets([1] * len(shapes), prices, EVERY), strict=True):
        steps[phase] += cost.renewal(*shape)
    return float(steps.mean()), float(steps.max())


def in_rings(prices: Sequence[float], share: float, steps: int = 1000) -> np.ndarray:
    """What fits cost in each of some steps: rings of all layers, the price of a matrix of each."""
    begins = ring.offsets(prices, [LAYERS] * len(prices))

    def one(turn, _):
        step = ring.Step.of(turn, share)
        return step.end, [jnp.subtract(*reversed(step.due(LAYERS, begin))) for begin in begins]

    _, due = jax.lax.scan(one, jnp.uint32(0), None, steps)
    return np.dot(prices, np.array(due, np.float64))


def table() -> list[dict[str, Any]]:
    """A row for each method and library."""
    rows = []
    size = sum(m * n for m, n in LAYER.values())
    for name in OURS:
        for library in ("gradchain", "heavyball", "facebookresearch"):
            cost = ours(name) if library == "gradchain" else OTHERS.get((name, library))
            if cost is None:
                continue
            mean, most = spread(cost, library == "gradchain", FITS if name == "psgd_kron" else None)
            rows.append(
                {
                    "name": name,
                    "library": library,
                    "state": sum(cost.state(*shape) for shape in LAYER.values()) / size,
                    "passes": cost.passes,
                    "flops": sum(cost.always(*shape) for shape in LAYER.values()) / size,
                    "renewal": sum(cost.renewal(*shape) for shape in LAYER.values()) / size,
                    "mean": mean / size / LAYERS,
                    "dearest": most / mean,
                }
            )
    return rows


if __name__ == "__main__":
    print(results.table(table()))
    print(f"wrote {results.write('matrix_costs', table())}")
