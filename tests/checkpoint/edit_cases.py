"""What the test of edited runs edits: optimizers as lists of names, states as numbers by path."""

import dataclasses
import json

import jax
import numpy as np

import gradchain as gc

LINKS = {
    "clip": lambda: gc.clip_by_global_norm(1.0),
    "trace": lambda: gc.trace(0.5),
    "adam": lambda: gc.scale_by_adam(),
    "decay": lambda: gc.add_decayed_weights(0.1),
    "ema": lambda: gc.ema(0.5),
    "lr": lambda: gc.scale_by_learning_rate(0.125),
}
WRAPPERS = {
    "accumulate": lambda tx: gc.accumulate(tx, 2),
    "average": lambda tx: gc.average(tx, 0.5),
    "skip": lambda tx: gc.skip(tx),
}
STORAGES = (None, "log8", "bfloat16")
START = ("trace", "adam", "lr")
SHAPES = {"w": (8, 16), "b": (16,)}
COUNT = {"leaves": 0, "loads": 0, "faults": 0, "restores": 0, "runs": 0}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """An optimizer as the test edits it."""

    links: tuple[str, ...] = START
    wrappers: tuple[str, ...] = ()
    storage: str | None = None

    def tx(self, exact=False):
        tx = gc.chain(*(LINKS[name]() for name in self.links))
        if self.storage and not exact:
            tx = gc.stored(tx, self.storage, min_size=0)
        for name in self.wrappers:
            tx = WRAPPERS[name](tx)
        return tx

    @property
    def keeps_moments(self):
        return bool({"trace", "adam", "ema"} & set(self.links))


@dataclasses.dataclass
class Run:
    """Parameters, state and step: as arrays in a live run, as numpy's by path in the model."""

    recipe: Recipe
    params: dict
    state: dict  # exact, by path
    step: int = 0


def numbers(tree):
    return {name: np.asarray(x) for name, x in tree.items()}


def same(found, expected):
    assert set(found) == set(expected), sorted(set(found) ^ set(expected))
    for name, x in expected.items():
        y = np.asarray(found[name])
        assert (y.dtype, y.shape) == (x.dtype, x.shape) and y.tobytes() == x.tobytes(), name
    COUNT["leaves"] += len(expected)


def powers(rng, x, positive):
    """Values like those of an array: powers of two, or small integers."""
    if not np.issubdtype(x.dtype, np.floating):
        return rng.integers(0, 9, x.shape).astype(x.dtype)
    signs = 1 if positive else rng.choice([-1.0, 1.0], x.shape)
    return (signs * 2.0 ** rng.integers(-8, 1, x.shape)).astype(x.dtype)


STEPS = {}


def trained(recipe, state, params, grads):
    if recipe not in STEPS:
        STEPS[recipe] = jax.jit(recipe.tx().step)
    return STEPS[recipe](grads, state, params)


def fits(one, other):
    """Whether two states share an array of a parameter, or one has none."""
    one, other = ({p for p in state if p.endswith(("/w", "/b"))} for state in (one, other))
    return bool(one & other) or not one or not other


def steps_in(folder):
    """The steps on the disk, by what is written there."""
    if (folder / "runs").exists():
        return set(gc.Checkpointer(folder / "runs").steps())
    if not (folder / "run").exists():
        return set()
    with (folder / "run").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {json.loads(json.loads(header["__metadata__"]["gradchain"])["about"])["step"]}
