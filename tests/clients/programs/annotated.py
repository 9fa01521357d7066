"""Names of types in annotations, dataclasses and isinstance; parts of a transformation."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from optax import GradientTransformation, ScalarOrSchedule, adam, apply_updates

_PARAMS = {"w": jnp.array([1.0, -2.0, 0.5])}
_GRADS = {"w": jnp.array([0.3, 0.1, -0.2])}


def _updates(tx: optax.GradientTransformation) -> optax.Updates:
    return tx.update(_GRADS, tx.init(_PARAMS), _PARAMS)[0]


def config_dataclass():
    @dataclasses.dataclass
    class Config:
        learning_rate: optax.ScalarOrSchedule = 1e-2
        schedule: optax.Schedule | None = None
        optimizer: Callable[[optax.ScalarOrSchedule], optax.GradientTransformation] = optax.adam

        def make(self) -> optax.GradientTransformation:
            return self.optimizer(self.schedule or self.learning_rate)

    return _updates(Config().make()), _updates(Config(schedule=optax.constant_schedule(0.5)).make())


def state_in_a_named_tuple():
    class Carry(NamedTuple):
        params: optax.Params
        opt_state: optax.OptState
        key: jax.Array

    tx = adam(1e-2)
    carry = Carry(_PARAMS, tx.init(_PARAMS), jax.random.key(0))

    def step(carry: Carry, _) -> tuple[Carry, None]:
        updates, opt_state = tx.update(_GRADS, carry.opt_state)
        return carry._replace(params=apply_updates(carry.params, updates), opt_state=opt_state), None

    return jax.lax.scan(step, carry, None, 2)[0].params


def isinstance_of_transformation():
    assert isinstance(optax.adam(1e-3), optax.GradientTransformation)
    assert isinstance(optax.chain(optax.clip(1.0), optax.sgd(0.1)), GradientTransformation)
    assert isinstance(optax.adam(1e-3), optax.GradientTransformationExtraArgs)
    assert not isinstance(1e-3, optax.GradientTransformation)

    def resolve(optimizer: optax.GradientTransformation | ScalarOrSchedule) -> optax.GradientTransformation:
        return optimizer if isinstance(optimizer, optax.GradientTransformation) else optax.adam(optimizer)

    return _updates(resolve(optax.sgd(0.1))), _updates(resolve(0.1))


def functions_by_position():
    tx = optax.adamw(1e-2)
    return tx[1](_GRADS, tx[0](_PARAMS), _PARAMS)[0]


def functions_by_name():
    tx = optax.lion(1e-2)
    parts = tx._asdict()
    return parts["update"](_GRADS, parts["init"](_PARAMS), _PARAMS)[0]


def functions_put_into_a_new_pair():
    tx = optax.adam(1e-1)
    made = optax.GradientTransformation(tx.init, tx.update)
    return _updates(made), _updates(optax.chain(made, optax.scale(0.5)))


def functions_replaced():
    tx = optax.sgd(1e-1)
    old = tx.update
    doubled = tx._replace(update=lambda g, s, p=None: old(jax.tree.map(lambda x: 2 * x, g), s, p))
    return _updates(doubled)


def registry_of_factories():
    registry: dict[str, Callable[..., optax.GradientTransformation]] = {
        "adam": optax.adam, "adamw": optax.adamw, "sgd": optax.sgd, "lion": optax.lion, "lamb": optax.lamb,
        "rmsprop": optax.rmsprop, "adagrad": optax.adagrad, "radam": optax.radam, "yogi": optax.yogi,
        "novograd": optax.novograd, "fromage": optax.fromage,
    }  # fmt: skip
    return {name: _updates(make(learning_rate=0.1)) for name, make in registry.items()}


def factory_by_getattr():
    names = ("adam", "adabelief", "adadelta", "adafactor", "amsgrad", "nadamw", "sm3", "optimistic_adam")
    return {name: _updates(getattr(optax, name)(learning_rate=1e-2)) for name in names}


def optional_parts_of_a_chain():
    def make(
        rate: optax.ScalarOrSchedule, clip: float | None = None, decay: float = 0.0, accumulate: int = 1
    ) -> optax.GradientTransformation:
        parts: list[optax.GradientTransformation] = []
        if clip:
            parts.append(optax.clip_by_global_norm(clip))
        parts.append(optax.scale_by_adam())
        if decay:
            parts.append(optax.add_decayed_weights(decay))
        parts.append(optax.scale_by_schedule(rate) if callable(rate) else optax.scale(rate))
        parts.append(optax.scale(-1.0))
        tx = optax.chain(*parts)
        return optax.MultiSteps(tx, accumulate).gradient_transformation() if accumulate > 1 else tx

    cosine = optax.cosine_decay_schedule(0.1, 10)
    return _updates(make(0.1)), _updates(make(cosine, 1.0, 0.1)), _updates(make(cosine, 1.0, 0.1, 2))


def protocol_of_a_loss():
    class LossFn(Protocol):
        def __call__(self, params: optax.Params, batch: Sequence[jax.Array]) -> jax.Array: ...

    def fit(loss: LossFn, params: optax.Params, tx: optax.GradientTransformationExtraArgs) -> optax.Params:
        state = tx.init(params)
        updates, _ = tx.update(jax.grad(loss)(params, (jnp.ones(3),)), state, params)
        return optax.apply_updates(params, updates)

    return fit(lambda p, b: jnp.sum((p["w"] - b[0]) ** 2), _PARAMS, optax.adagrad(0.5))


def init_and_update_types():
    init: optax.TransformInitFn = lambda params: optax.EmptyState()  # noqa: E731

    def update(updates, state, params=None):
        return jax.tree.map(jnp.sign, updates), state

    typed: optax.TransformUpdateFn = update
    return _updates(optax.chain(optax.GradientTransformation(init, typed), optax.scale(-0.1)))


def identity_for_nothing():
    tx = optax.chain(optax.identity(), optax.sgd(0.1))
    return _updates(tx), _updates(optax.identity())


def pickled_arguments_and_equality():
    import functools

    make = functools.partial(optax.adamw, weight_decay=1e-2, b2=0.95)
    return _updates(make(1e-2)), _updates(make(learning_rate=optax.linear_schedule(1e-2, 0.0, 5)))


def transformation_as_a_pytree_free_static_argument():
    def train(params, tx):
        return tx.update(_GRADS, tx.init(params), params)[0]

    jitted = jax.jit(train, static_argnames="tx")
    return jitted(_PARAMS, tx=optax.adam(0.1)), jitted(_PARAMS, tx=optax.sgd(0.1))
