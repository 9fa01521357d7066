"""Every registered transform's step on a few leaves: how far its traffic is from its floor, and why.

The floor is gradients, parameters and state read once, parameters and state written once. An elementwise
transform is at it, in one kernel for each leaf. What needs a number of several elements first reads something
again: `ABOVE` says how many bytes for each parameter, and why. `python -m benchmarks.aot tpu --floors`.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

import gradchain as gc
from benchmarks.aot.measure import extras, floor
from benchmarks.aot.shapes import few, size
from gradchain.aot.hlo import Program, type_bytes
from gradchain.aot.targets import Target
from gradchain.core.slots import Slot
from gradchain.core.transform import Transform
from gradchain.testing.subjects import links, subject

PyTree = Any
LARGE = 2**16  # bytes of an array that counts as one of a leaf, not as one of its rows or as scalars

NORM = "a norm of all gradients comes first"
LAYERS = "norms of each layer come first"
ALL_FINITE = "whether all is finite comes first"
COSINES = "inner products and norms, of units and of layers, come first"
APOLLO = "projections of the gradient on random matrices, then norms, come first"
ROLLED = "a norm comes first; a snapshot is taken or gone back to, in a step where that is due"
SYNCHRONISED = "in a step that synchronises all is read and written once more"
SUMS = "inner products of all leaves come first"
AGAIN = "XLA for GPU reads a vector once for its norm and once for its step"
COPIED = SUMS + "; what XLA for GPU computes beside them it copies"

# Bytes for each parameter beyond the floor, for TPU v5e and H100, and why.
ABOVE: dict[str, tuple[float, float, str]] = {
    "MultiSteps": (4, 5.2, "the sum of the gradients is written, and read again by the step that is due"),
    "accumulate": (4, 5.2, "the sum of the gradients is written, and read again by the step that is due"),
    "adafactor": (12.2, 12.2, "means of squares of rows and columns, then the update's norm, come first"),
    "adagc": (4, 5.4, NORM),
    "adai": (4, 4, NORM),
    "adam_mini": (4.1, 4, "means of squares of blocks come first"),
    "adamh": (11.3, 11.4, "norms of the update, then of the weights that it makes, come first"),
    "adamp": (8.6, 22.9, COSINES),
    "adanorm": (4, 4, LAYERS),
    "adaptive_grad_clip": (8.1, 8.1, LAYERS),
    "aggmo": (8, 12, "the mean over the momenta, which are one array, is a pass of its own"),
    "amos": (9, 2.95, "means of squares of columns come first; vectors have none"),
    "apollo": (5.9, 6, APOLLO),
    "apollo_mini": (5.8, 8.6, APOLLO),
    "apply_every": (4, 5.2, "the sum of the gradients is written, and read again by the step that is due"),
    "apply_if_finite": (4, 4, ALL_FINITE),
    "balance": (2.9, 2.9, "norms of rows come first; vectors have none"),
    "came": (
        11,
        22.3,
        "means of rows and columns, of two kinds of squares, and the update's norm come first",
    ),
    "cautious": (10, 15.5, "how many elements agree with the gradient comes first"),
    "centralize": (2.9, 2.9, "means of rows come first; vectors have none"),
    "clip_by_block_rms": (4, 4, LAYERS),
    "clip_by_global_norm": (4, 4, NORM),
    "conditionally_transform": (20, 20, "updates are made or passed on before the parameters see them"),
    "dadapt_adamw": (0, 16, COPIED),
    "diloco": (12, 12, SYNCHRONISED),
    "dog": (4, 4, SUMS),
    "dowg": (4, 4, SUMS),
    "flatten": (41, 28, "leaves are laid end to end and cut again"),
    "fromage": (8, 8, LAYERS),
    "grafting": (8, 11.5, LAYERS),
    "grokfast_ma": (28, 12, "a gradient takes its place in the history, and then the history is summed"),
    "hypergradient": (4, 4, SUMS),
    "hypergradient_adam": (8, 4, SUMS),
    "hypergradient_sgd": (4, 4, SUMS),
    "lamb": (12, 14.4, LAYERS),
    "lars": (8, 8, LAYERS),
    "lazy_rows": (4, 4, "which rows have a gradient comes first"),
    "loss_scale": (4, 4, ALL_FINITE),
    "mars": (8, 8, "norms of the corrected gradients come first"),
    "mechanize": (8, 8.1, SUMS),
    "momo": (8, 16, COPIED),
    "momo_adam": (12, 21.2, COPIED),
    "monitor": (0, 1.2, AGAIN),
    "monitored": (8, 9.2, "norms of the updates, which are written for them and read by the step"),
    "noisy_sgd": (0.02, 0, "each leaf's key of the noise"),
    "normalize": (4, 4, NORM),
    "normalize_by_update_norm": (4, 4, NORM),
    "novograd": (4, 4, LAYERS),
    "orthograd": (16, 16.1, "inner products with the weights, then norms of what is left, come first"),
    "parq": (5.8, 8.6, "means of sizes of rows come first"),
    "polyak_sgd": (4, 4, NORM),
    "prodigy": (4, 6.4, SUMS),
    "prune_by_magnitude": (20.5, 21.3, "counts that find the smallest come first, in a step that prunes"),
    "prune_n_of_m": (21.2, 5.7, "groups along the rows are taken apart and put together again"),
    "racs": (45.7, 73.7, "sums over rows and columns, five times in turn, then norms, come first"),
    "reset_every": (8, 12, "in a step that starts anew the state is written once more"),
    "roll_back": (28, 28, ROLLED),
    "sam": (36, 36, "two steps are one program: of the ascent, and of the descent"),
    "scale_by_apollo": (5.9, 6, APOLLO),
    "scale_by_distance_over_gradients": (4, 4, LAYERS),
    "scale_by_factored_rms": (3, 5.8, "means of squares of rows and columns come first"),
    "scale_by_lbfgs": (283, 284, "products with ten pairs"),
    "scale_by_normuon": (8.1, 10.4, "means of squares of rows, then norms, come first"),
    "scale_by_param_block_norm": (4, 4, LAYERS),
    "scale_by_param_block_rms": (4, 4, LAYERS),
    "sgd_sai": (8, 8.1, "norm and spread of the gradient, in the first step"),
    "sgdp": (5.8, 20, COSINES),
    "sinkgd": (34.7, 57.7, "norms of columns and of rows, ten in turn, come first"),
    "skip": (4, 4, ALL_FINITE),
    "sm3": (0, 4.4, "XLA for GPU takes maxima of rows and of columns in two passes"),
    "snapshot_layer_grads": (0, 1.2, AGAIN),
    "snapshot_layer_updates": (0, 8, "XLA for GPU writes the updates for their norms, and reads them again"),
    "stable_adamw": (8, 10.4, LAYERS),
    "stable_spam": (8, 11.9, "the largest gradient, then a norm of what is left of them, come first"),
    "trac": (4, 4, SUMS),
    "zero_nans": (4, 1.2, "whether a leaf holds a NaN is a reduction of its own"),
}

# The same in log8, of those that have more to say there; one leaf.
ABOVE_IN_LOG8: dict[str, tuple[float, float, str]] = {
    "aggmo": (8, 13, ABOVE["aggmo"][2]),
    "ivon": (12, 0, "XLA for TPU makes two kernels of drawing the noise and of encoding"),
}

PRODUCTS = "matrix products, which have a table of their own"
FITTED = PRODUCTS + "; four matrices took the TPU compiler more than a minute and a half"

# Not compiled here, or not by this measure.
LEFT_OUT: dict[str, str] = {
    "dpsgd": "reads a gradient for each example",
    "differentially_private_aggregate": "reads a gradient for each example",
    "lbfgs": "the search evaluates the user's function as often as it must",
    "scale_by_backtracking_linesearch": "evaluates the user's function as often as it must",
    "scale_by_zoom_linesearch": "evaluates the user's function as often as it must",
    "pcgrad": "reads a gradient for each task",
    "hutchinson_estimator_diag_hessian": "differentiates the user's function",
    **dict.fromkeys(
        ["adahessian", "scale_by_adahessian", "asam", "gsam", "looksam", "sophia", "scale_by_sophia"],
        "differentiates the user's function",
    ),
    "adamuon": PRODUCTS,
    "caspr": PRODUCTS,
    "dion": PRODUCTS,
    "dion2": PRODUCTS,
    "kl_shampoo": PRODUCTS,
    "kl_soap": PRODUCTS,
    "muon": PRODUCTS,
    "muonclip": PRODUCTS,
    "muonh": PRODUCTS,
    "muown": PRODUCTS,
    "normuon": PRODUCTS,
    "orthogonalize": PRODUCTS,
    "psgd_kron": FITTED,
    "psgd_lra": PRODUCTS,
    "scale_by_dion": PRODUCTS,
    "scale_by_dion2": PRODUCTS,
    "scale_by_kl_shampoo": PRODUCTS,
    "scale_by_muon": PRODUCTS,
    "scale_by_psgd": FITTED,
    "scale_by_psgd_lra": PRODUCTS,
    "scale_by_shampoo": PRODUCTS,
    "scale_by_soap": PRODUCTS,
    "scale_by_splus": PRODUCTS,
    "scion": PRODUCTS,
    "shampoo": PRODUCTS,
    "soap": PRODUCTS,
    "spel": PRODUCTS,
    "spectral_sphere": PRODUCTS,
    "splus": PRODUCTS,
    "step_by_outputs": PRODUCTS,
    "step_on_spectral_sphere": PRODUCTS,
    "step_on_stiefel": PRODUCTS,
    "galore": "a singular value decomposition, which the TPU compiler takes a minute for",
    "scale_by_galore": "a singular value decomposition, which the TPU compiler takes a minute for",
    "alice": "a singular value decomposition, as in galore",
    "scale_by_alice": "a singular value decomposition, as in galore",
    "fira": "a singular value decomposition, which the TPU compiler takes minutes for",
    "scale_by_fira": "a singular value decomposition, which the TPU compiler takes minutes for",
    "zero": "needs several devices, and has tests of its own",
    "offload": "keeps state in the host's memory, and has tests of its own",
}


class Row(NamedTuple):
    """One compiled step."""

    floor: float  # bytes for each parameter
    bytes: float
    passes: float  # instructions that read or write an array of the size of a leaf, for each leaf
    temp: float


def is_elementwise(tx: Transform) -> bool:
    """Whether each element's step depends on nothing but its own gradient, state and parameter."""
    found = subject(tx)
    return found.per_leaf and not found.declares("matrices")


def one_kernel(name: str) -> bool:
    """Whether its step must be one kernel for each leaf: elementwise, and at its floor but for a key."""
    return is_elementwise(subject(name).tx) and max(ABOVE.get(name, (0, 0, ""))[:2]) < 1


def coded(name: str) -> bool:
    """Whether an elementwise optimizer keeps moments that a codec may take, and no others."""
    found = subject(name)
    slots = jax.tree.leaves(found.tx.slots({"w": jax.ShapeDtypeStruct((96, 50), "float32")}))
    slots = [s for s in slots if isinstance(s, Slot) and s.shape]
    kept = bool(slots) and not any(s.exact for s in slots)
    return found.factory.kind == "optimizer" and is_elementwise(found.tx) and kept


def registered() -> list[str]:
    """The names of what is measured: links that an optimizer's example has in it are left to that."""
    made = {name: subject(name).tx for name in gc.REGISTRY if name not in LEFT_OUT}
    optimizers = [tx for tx in made.values() if tx.recipe.factory.kind == "optimizer"]
    within = {part.name for tx in optimizers for part in links(tx) if part.name != tx.name}
    return sorted(n for n, tx in made.items() if tx.recipe.factory.kind != "transform" or n not in within)


def above(name: str, target: Target, log8: bool = False) -> tuple[float, str]:
    """Bytes for each parameter that a step is allowed beyond its floor, and why."""
    tpu, h100, why = (ABOVE_IN_LOG8 if log8 else ABOVE).get(name, (0, 0, ""))
    return {"tpu": tpu, "h100": h100}[target.name], why


def passes(program: Program, name: str = "") -> int:
    """Instructions over whole leaves: fusions, copies and all else that moves memory, loops taken once."""
    count, sizes = 0, {}
    for i in program.computations[name or program.entry]:
        sizes[i.name] = max((type_bytes(m) for m in i.result.replace("(", "").split(" ")), default=0.0)
        if i.free:
            continue
        if i.op == "while":
            count += sum(passes(program, part) for part in i.bodies)
        elif i.op in ("call", "conditional", "async-start"):
            count += sum(passes(program, part) for part in i.called)
        else:
            count += max([sizes[i.name], *(sizes.get(o, 0.0) for o in i.operands)]) >= LARGE
    return count


@functools.lru_cache(maxsize=512)
def measure(target: Target, tx: Transform, shapes: Callable[[], PyTree] = few) -> Row:
    """Compile a step on parameters of shapes(), by default a few leaves, parameters and state donated."""
    params = shapes()
    state, extra = jax.eval_shape(tx.init, params), extras(tx)

    def step(params, state, grads, extra):
        return tx.step(grads, state, params, **extra)

    made = target.compile(step, params, state, params, extra, donate=(0, 1))
    program, n = Program(made.text), size(params)
    leaves = len(jax.tree.leaves(params))
    return Row(floor(params, state), program.cost.bytes / n, passes(program) / leaves, made.temp / n)


def one() -> PyTree:
    """One leaf: encoding takes the compilers longer than the rest of a step."""
    return {"matrix": few()["matrix"]}


@functools.cache
def measure_log8(target: Target, name: str) -> Row:
    """The same with the state of an optimizer in log8, on one leaf."""
    return measure(target, gc.stored(subject(name).tx, "log8"), one)


def table(target: Target, only: str = "*") -> list[dict[str, Any]]:
    """A row for each of `registered` that is asked for, printed as it is made; `coded` ones in log8 too."""
    rows = []
    for name in filter(re.compile("|".join(map(fnmatch.translate, only.split(",")))).match, registered()):
        row = measure(target, subject(name).tx)
        log8 = measure_log8(target, name) if coded(name) else None
        due, why = above(name, target)
        rows.append(
            {
                "name": name,
                "library": "gradchain",
                **row._asdict(),
                "log8_floor": log8.floor if log8 else "",
                "log8": log8.bytes if log8 else "",
                "why": why if due else "",
                "jax": jax.__version__,
            }
        )
        print(
            f"{name:36} {row.bytes:7.2f} (floor {row.floor:.2f}), {row.passes:.2f} passes"
            + (f"; in log8 {log8.bytes:.2f} (floor {log8.floor:.2f})" if log8 else ""),
            flush=True,
        )
    return rows
