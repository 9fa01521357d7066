"""Slots are split as JAX's own types of a trace on explicit axes say, for every registered transform."""

import sys

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import gradchain as gc
from gradchain import testing
from gradchain.core import place, tree

transform = sys.modules["gradchain.core.transform"]  # gc.transform is the decorator
MESH = AbstractMesh((4, 2), ("data", "model"), axis_types=(AxisType.Explicit,) * 2)


def leaf(*shape, spec):
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(MESH, spec))


PARAMS = {
    "dense": {"kernel": leaf(8, 4, spec=P("data", "model")), "bias": leaf(4, spec=P("model"))},
    "layers": {"kernel": leaf(2, 8, 4, spec=P(None, "data", "model"))},  # stacked for a scan
}
EXTRAS = {
    "value": jnp.float32(1.5),
    "value_fn": lambda p: sum(jnp.sum(x * x) for x in jax.tree.leaves(p)),
    "grad_fn": lambda p: p,
    "max_logits": jnp.float32(1.5),
    "obj_fn": lambda p: sum(jnp.sum(x * x) for x in jax.tree.leaves(p)),
    "key": jax.random.key(0),
    "hessian_diagonal": PARAMS,
}


def split(x) -> place.Split:
    """The mesh axes of each dimension; a constant of a trace has no sharding, and is whole."""
    return place.split_of(() if x.sharding is None else x.sharding.spec, len(x.shape))


def same_splits(found, expected) -> None:
    for path, x, y in zip(
        tree.paths(expected), jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
    ):
        assert x.shape == y.shape
        assert split(x) == split(y), f"{path} is traced as {x.sharding.spec}, its slot says {y.sharding.spec}"


@pytest.mark.parametrize("name", sorted(gc.REGISTRY))
def test_slots_are_split_as_jax_types_them(name):
    """What init makes, and what a step makes of state placed by the slots, has in its type what they say."""
    tx = transform.make(gc.REGISTRY[name], (), gc.REGISTRY[name].example())
    expected = tx.slots(PARAMS)  # of schedules their first values, which are arrays
    with jax.sharding.use_abstract_mesh(MESH):
        same_splits(jax.eval_shape(tx.init, PARAMS), expected)
        state = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=s.sharding), expected)

        extra = {k: EXTRAS[k] for k in tx.body.needs - {"grad"}}
        grads = jax.eval_shape(testing.subject(tx).gradients, PARAMS)

        def step(g, s, p):
            return tx.step(g, s, p, **extra, **({"grad": g} if "grad" in tx.body.needs else {}))

        after, new = jax.eval_shape(step, grads, state, PARAMS)
        same_splits(new, expected)
        same_splits(after, PARAMS)
