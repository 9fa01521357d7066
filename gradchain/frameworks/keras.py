"""keras: an optimizer under the `fit` of Keras 3, on its JAX backend."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from gradchain.config import from_config, to_config
from gradchain.core import tree, words
from gradchain.core.foreign import as_transform
from gradchain.core.optional import need
from gradchain.core.transform import Transform
from gradchain.report.arguments import arguments
from gradchain.report.hyperparams import set_hyperparams
from gradchain.report.metrics import metrics

WHO = "keras"
SET = "import os; os.environ['KERAS_BACKEND'] = 'jax' before the first import of keras"


def keras(tx: Any = None, *, name: str = "gradchain") -> Any:
    """An optimizer for Keras 3 on the JAX backend: model.compile(optimizer=gc.keras(gc.adamw(1e-3)), ...).

    It is a keras.optimizers.Optimizer. Its variables are the state's arrays under their own paths,
    "scale_by_adam/mu/dense/kernel"; optimizer.state is the state as `metrics` and `diagnose` take it, the
    parameters are a dict by their Keras path. optimizer.learning_rate is that of the last step; with
    gc.tunable(1e-3) it can be set, by callbacks too. model.save keeps optimizer and state; before load_model
    call gc.keras() once, which gives the class, so that Keras knows it. Needs the extra "keras".
    """
    cls = _class()
    return cls if tx is None else cls(tx, name=name)


def _module() -> Any:
    """Keras, if it runs on JAX."""
    try:
        found = need("keras", "keras", f"gc.{WHO}")
    except ModuleNotFoundError as error:  # Keras without the package of its backend
        raise ImportError(
            f"gc.{WHO}: keras cannot be imported: it has no {error.name}; for the JAX backend {SET}"
        ) from error
    if (backend := found.backend.backend()) != "jax":
        raise RuntimeError(f"gc.{WHO}: Keras runs on {backend}; expected the JAX backend: {SET}")
    return found


@functools.cache
def _class() -> Any:
    """The class of optimizers, made and made known to Keras once."""
    module: Any = _module()

    class GradchainOptimizer(module.optimizers.Optimizer):
        """A gradchain optimizer as Keras's."""

        def __init__(self, tx: Any, name: str = "gradchain", paths: Any = None, **kwargs: Any):
            if kwargs:
                raise TypeError(
                    f"gc.{WHO}: {words.listed(sorted(kwargs))} is no argument here; "
                    f"{words.meant(sorted(kwargs)[0], ())}"
                )
            tx = _checked(tx)
            super().__init__(learning_rate=lambda: _rate(self), name=name)
            self.tx, self._paths = tx, paths

        def build(self, variables: Any) -> None:
            """Make the state's variables."""
            if self.built:
                return
            super().build(variables)
            # A loaded model's variables have other paths than the saved one's, "dense/kernel" instead of
            # "sequential/dense/kernel"; the state's names, order and noise stay those of the saved one.
            saved = self._paths if self._paths and len(self._paths) == len(variables) else None
            self._names = list(saved) if saved else _names(variables)
            state = self.tx.init({n: v.value for n, v in zip(self._names, variables, strict=True)})
            arrays, self._treedef = jax.tree.flatten(state)
            pairs = zip(tree.paths(state), arrays, strict=True)
            self._kept = [_variable(module, self, path, x) for path, x in pairs]

        @property
        def state(self) -> Any:
            """The state, as tx.init gives it."""
            if not self.built:
                raise ValueError(f"gc.{WHO}: no state yet; call build(model.trainable_variables), or fit")
            return self._treedef.unflatten([v.value for v in self._kept])

        def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
            given = {id(v): g for v, g in zip(trainable_variables, grads, strict=True)}
            params, slopes = {}, {}
            for n, v in zip(self._names, self._trainable_variables, strict=True):
                params[n] = v.value
                g = given.get(id(v))
                slopes[n] = jnp.zeros_like(v.value) if g is None else jnp.asarray(getattr(g, "value", g))
            params, state = self.tx.step(slopes, self.state, params)
            for n, v in zip(self._names, self._trainable_variables, strict=True):
                if id(v) in given:
                    v.assign(params[n])
            for v, x in zip(self._kept, jax.tree.leaves(state), strict=True):
                v.assign(x)

        @property
        def learning_rate(self) -> Any:
            """That of the last step, or of the first before it; NaN where there is none, or several."""
            return _rate(self)

        @learning_rate.setter
        def learning_rate(self, value: Any) -> None:
            if not self.built:
                raise ValueError(f"gc.{WHO}: no state yet to set a learning rate in; call build, or fit")
            new = set_hyperparams(self.tx, self.state, learning_rate=float(value))
            for v, x in zip(self._kept, jax.tree.leaves(new), strict=True):
                v.assign(x)

        def get_config(self) -> dict[str, Any]:
            """The optimizer as JSON, as `to_config` writes it."""
            paths = self._names if self.built else self._paths
            return {"name": self.name, "tx": to_config(self.tx), "paths": paths and list(paths)}

        @classmethod
        def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
            """The optimizer of a config."""
            return cls(from_config(config["tx"]), name=config["name"], paths=config.get("paths"))

    register = module.saving.register_keras_serializable("gradchain")
    return register(GradchainOptimizer)


def _checked(tx: Any) -> Transform:
    """The transform; an error for what Keras cannot run."""
    if hasattr(tx, "factory"):
        raise TypeError(f"gc.{WHO}: call the factory first: gc.{tx.factory.name}(...)")
    if not hasattr(tx, "init") or not hasattr(tx, "update"):
        raise TypeError(f"gc.{WHO}: tx is {words.show(tx)}; expected an optimizer such as gc.adamw(1e-3)")
    tx = as_transform(tx, f"gc.{WHO}")
    if tx.body.needs:
        raise ValueError(
            f"gc.{WHO}: {tx.name} needs {words.listed(sorted(tx.body.needs))} in each update, which Keras "
            "does not give; train it in a loop of your own"
        )
    return tx


def _names(variables: Any) -> list[str]:
    """The paths of variables, which Keras does not keep apart by itself."""
    found: list[str] = []
    for v in variables:
        start = path = getattr(v, "path", v.name)
        n = 0
        while path in found:
            n += 1
            path = f"{start}_{n}"
        found.append(path)
    return found


def _variable(module: Any, optimizer: Any, path: str, x: Any) -> Any:
    """A variable of the optimizer at a path of the state, which starts as an array."""
    if jnp.issubdtype(x.dtype, jax.dtypes.extended):
        raise TypeError(f"gc.{WHO}: the state has a {x.dtype} at {path}, which is no dtype of Keras")
    *scopes, last = path.split("/")
    with contextlib.ExitStack() as stack:
        stack.enter_context(module.name_scope(optimizer.name, caller=optimizer))
        for scope in scopes:
            stack.enter_context(module.name_scope(scope))
        made = module.Variable(
            lambda shape, dtype: jnp.copy(x), shape=x.shape, dtype=x.dtype.name, trainable=False, name=last
        )
    optimizer._track_variable(made)
    return made


def _rate(optimizer: Any) -> Any:
    """The learning rate that the state holds; before there is one, that of the first step."""
    if not optimizer.built:
        found = [x for path, x in arguments(optimizer.tx).items() if path.endswith("/learning_rate")]
        first: Any = found[0] if len(found) == 1 else math.nan
        first = getattr(first, "value", first)
        return float(first(0) if callable(first) else first)
    return metrics(optimizer.state).get("learning_rate", jnp.asarray(jnp.nan))
