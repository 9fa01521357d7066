"""One promise, two libraries: what users of Optax asked for holds in gradchain and fails in Optax."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

OPTAX = (
    "adabelief",
    "adadelta",
    "adafactor",
    "adam",
    "adamw",
    "amsgrad",
    "lamb",
    "lars",
    "lion",
    "nadam",
    "radam",
    "rmsprop",
    "sgd",
)  # its optimizers that these pains were told of


class Gradchain:
    """What the checks ask of a library; any other name is a function that both spell alike."""

    module = gc

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def optimizers(self) -> dict[str, Callable]:
        """A third of its optimizers that take a learning rate and need nothing else, and those of `OPTAX`."""
        makers = {
            k: getattr(gc, k) for k, f in gc.REGISTRY.items() if f.kind == "optimizer" and hasattr(gc, k)
        }
        easy = sorted(
            k for k, make in makers.items() if "learning_rate" in make.factory.ranges and _easy(make)
        )
        return {k: makers[k] for i, k in enumerate(easy) if i % 3 == 0 or k in OPTAX}

    def tunable(self, name: str, **hyperparams: float):
        """An optimizer whose hyperparameters are kept in the state."""
        return getattr(gc, name)(**{k: gc.tunable(v) for k, v in hyperparams.items()})

    def hyperparams(self, tx, state) -> dict[str, jax.Array]:
        """The hyperparameters in the state by their own names."""
        found = gc.hyperparams(tx, state)
        return {k.rpartition("/")[2]: v for k, v in found.items() if isinstance(v, jax.Array)}

    def reading(self, state, name: str):
        """A number of the last step by name, None where the state does not know it."""
        return gc.metrics(state).get(name)

    def guard(self, tx):
        """A transformation that leaves out bad updates."""
        return gc.skip(tx, spikes=6.0, window=4)

    def lookahead(self, params):
        """(transformation, what is trained)."""
        return gc.lookahead(gc.sgd(0.1), 2, 0.5), params

    def needs_value(self):
        """A transformation that needs the loss."""
        return gc.skip(gc.sgd(0.1), by="value")


class Optax(Gradchain):
    """The same of Optax."""

    def __init__(self):
        self.module = pytest.importorskip("optax")

    def optimizers(self) -> dict[str, Callable]:
        contrib = self.module.contrib
        made = {k: getattr(self.module, k) for k in OPTAX}
        return made | {k: getattr(contrib, k) for k in ("schedule_free_adamw", "schedule_free_sgd")}

    def tunable(self, name: str, **hyperparams: float):
        return self.module.inject_hyperparams(getattr(self.module, name))(**hyperparams)

    def hyperparams(self, tx, state) -> dict[str, jax.Array]:
        return state.hyperparams

    def reading(self, state, name: str):
        return self.module.tree.get(state, name)

    def guard(self, tx):
        return self.module.apply_if_finite(tx, max_consecutive_errors=2)

    def lookahead(self, params):
        fast = self.module.sgd(0.1)
        return self.module.lookahead(fast, 2, 0.5), self.module.LookaheadParams.init_synced(params)

    def needs_value(self):
        return self.module.chain(self.module.sgd(0.1), self.module.contrib.reduce_on_plateau())


def _easy(factory) -> bool:
    """Whether a learning rate is all that it must be given."""
    needed = [n for n, p in inspect.signature(factory).parameters.items() if p.default is p.empty]
    return needed in ([], ["learning_rate"]) and not factory(learning_rate=0.1).body.needs


def fails_on_optax(error: type[BaseException] | tuple, match: str):
    """The check is a promise that gradchain holds and that Optax breaks with this error."""

    def decorate(check: Callable[[Any], None]):
        @pytest.mark.parametrize("library", ["gradchain", "optax"])
        def test(library):
            if library == "gradchain":
                check(Gradchain())
                return
            optax = Optax()
            with pytest.raises(error, match=match):
                check(optax)

        return _named_like(test, check)

    return decorate


def holds_on_both(check: Callable[[Any], None]):
    """The check is a promise that Optax 0.2.8 holds by now as well: what the threads ask for, on both."""

    @pytest.mark.parametrize("library", ["gradchain", "optax"])
    def test(library):
        check(Gradchain() if library == "gradchain" else Optax())

    return _named_like(test, check)


def _named_like(test, check):
    test.__name__, test.__qualname__, test.__doc__ = check.__name__, check.__qualname__, check.__doc__
    test.__module__ = check.__module__
    return test


def arrays(dtype="float32", shape=(3, 2)) -> dict[str, jax.Array]:
    """Parameters of two leaves."""
    return {"kernel": jnp.ones(shape, dtype), "bias": jnp.ones(shape[-1:], dtype)}


def kinds(tree) -> dict[str, tuple]:
    """Shape, dtype and weak type of every leaf by path."""
    rows = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): (x.shape, x.dtype, x.weak_type) for path, x in rows}


def finite(tree) -> bool:
    """Whether no leaf holds an infinity or a NaN."""
    return all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(tree))


def equal(a, b) -> bool:
    """Whether two trees hold the same numbers."""
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def stepper(lib, tx):
    """step(grads, state, params) -> (params, state) by update and apply_updates, jitted."""

    @jax.jit
    def step(grads, state, params):
        updates, state = tx.update(grads, state, params)
        return lib.apply_updates(params, updates), state

    return step
