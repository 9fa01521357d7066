"""What is compiled: every registered optimizer of gradchain, and a few of Optax's for comparison."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import gradchain as gc
from gradchain.core.transform import example

Make = Callable[[], Any]
EVERY = 8  # micro-steps to a step, where gradients are accumulated
PERIODS = {f"accumulate(adamw, {EVERY})": EVERY}  # of rows in which not every step is alike

# Rows that Optax's are compared with; the others are the registry's, at their examples' arguments.
GRADCHAIN: dict[str, Make] = {
    "adamw": lambda: gc.adamw(1e-3),
    "clip+adamw": lambda: gc.chain(gc.clip_by_global_norm(1.0), gc.adamw(1e-3)),
    "lion": lambda: gc.lion(1e-3),
    "adafactor": lambda: gc.adafactor(1e-3),
    f"accumulate(adamw, {EVERY})": lambda: gc.accumulate(gc.adamw(1e-3), EVERY),
}

# The same AdamW with its state in fewer bits, and with last links for parameters in bfloat16.
STORED: dict[str, Make] = {
    f"adamw+{codec}": functools.partial(lambda codec: gc.stored(gc.adamw(1e-3), codec), codec)
    for codec in ("log8", "log4", "bfloat16", "bfloat16_stochastic", "int8", "fp8")
}
STORED["lion+log4"] = lambda: gc.stored(gc.lion(1e-3), "log4")
NARROW_PRODUCTS: dict[str, Make] = {  # Muon with factors in bfloat16, and with half of symmetric products
    "muon+ns_bfloat16": lambda: gc.muon(1e-3, ns_dtype="bfloat16"),
    "muon+ns_pallas": lambda: gc.muon(1e-3, ns_kernel="pallas"),
}
ROUNDED: dict[str, Make] = {
    f"adamw+{last}": functools.partial(lambda last: gc.chain(gc.adamw(1e-3), getattr(gc, last)()), last)
    for last in ("round_stochastically", "kahan", "split_weights", "master_weights")
}
ROUNDED |= {
    f"{name}+log8": functools.partial(lambda make: gc.stored(make(), "log8"), make)
    for name, make in ROUNDED.items()
}

# By name; Shampoo alone, without the other method that it is grafted on.
FACTORED: dict[str, Callable[..., gc.Transform]] = {
    "soap": gc.soap,
    "shampoo": functools.partial(gc.shampoo, grafting=None),
    "kl_shampoo": gc.kl_shampoo,
    "kl_soap": gc.kl_soap,
}

# With factors of the sides of matrices, at the defaults but for what the name says.
PRECONDITIONED: dict[str, Make] = {
    **{name: functools.partial(make, 1e-3) for name, make in FACTORED.items()},
    **{f"{n}+blocks": functools.partial(make, 1e-3, block_size=256) for n, make in FACTORED.items()},
    **{f"{n}+short": functools.partial(make, 1e-3, sides="short") for n, make in FACTORED.items()},
    "shampoo+newton": functools.partial(FACTORED["shampoo"], 1e-3, block_size=256, method="newton"),
    "psgd_kron": lambda: gc.psgd_kron(1e-3),
    "psgd_lra": lambda: gc.psgd_lra(1e-3),
}
# Roots or bases of a matrix are made anew in one of ten steps, those of a shape by one loop: with two
# matrices of a shape, as in `sides`, it turns in one step of five.
RENEWED = 5
RENEWALS = {name: RENEWED for name in PRECONDITIONED if not name.startswith("psgd")}
RENEWALS |= {name: gc.codecs.log4().every for name in STORED if name.endswith("+log4")}


def registered() -> dict[str, Make]:
    """Every factory of gradchain registered as an optimizer, at the arguments of its example.

    Those that need more than one gradient for each parameter are left out.
    """

    def plain(name: str) -> bool:
        return "per_example" not in gc.REGISTRY[name].traits and not example(name).body.needs

    optimizers = (name for name, factory in gc.REGISTRY.items() if factory.kind == "optimizer")
    names = sorted(filter(plain, optimizers))
    return (
        GRADCHAIN
        | STORED
        | ROUNDED
        | NARROW_PRODUCTS
        | PRECONDITIONED
        | {name: functools.partial(example, name) for name in names if name not in GRADCHAIN | PRECONDITIONED}
    )


@functools.cache
def optax_rows() -> dict[str, Make]:
    """Optax's twins of the rows of GRADCHAIN, and its Muon."""
    import optax

    return {
        "adamw": lambda: optax.adamw(1e-3),
        "clip+adamw": lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)),
        "lion": lambda: optax.lion(1e-3),
        "adafactor": lambda: optax.adafactor(1e-3),
        f"accumulate(adamw, {EVERY})": lambda: optax.MultiSteps(
            optax.adamw(1e-3), EVERY
        ).gradient_transformation(),
        "muon": lambda: optax.contrib.muon(1e-3),
    }
