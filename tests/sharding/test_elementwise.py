"""State of all registered transforms on a mesh: split as its parameters, and no traffic between devices."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain.aot.hlo import COLLECTIVES, Program
from gradchain.testing.subjects import links, subject

SPECS = {"kernel": PartitionSpec("data", "model"), "stack": PartitionSpec(None, "model", "data")}
SHAPES = {"kernel": (16, 12), "stack": (3, 6, 8)}
NAMES = sorted(n for n in gc.REGISTRY if not subject(n).declares("specs"))
OTHERWISE = {"matrices", "host", "per_example"}
# zero_nans says of each leaf whether it held one. Links are compiled within the optimizers made of them.
ALONE = [n for n in NAMES if subject(n).per_leaf and not subject(n).traits & OTHERWISE and n != "zero_nans"]
WITHIN = {link.name for n in ALONE for link in links(subject(n).tx) if link.name != n}
ELEMENTWISE = [n for n in ALONE if n not in WITHIN]


def shaped(kind):
    """Abstract parameters on a mesh of eight devices with axes of this kind."""
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))
    return {
        name: jax.ShapeDtypeStruct(SHAPES[name], jnp.float32, sharding=NamedSharding(mesh, spec))
        for name, spec in SPECS.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_has_the_shape_of_a_parameter_is_split_as_it_is(name):
    params = shaped(AxisType.Explicit)
    rows = gc.layout(subject(name).tx, params).rows
    wanted = {shape: SPECS[leaf] for leaf, shape in SHAPES.items()}
    found = {(row.path, row.shape): row.spec for row in rows if row.shape in wanted}
    assert found == {key: wanted[key[1]] for key in found}


def step_of(names):
    """A step of several transforms, each with the same parameters and gradients and a state of its own."""

    def step(params, states, grads):
        out = {}
        for name in names:
            found = subject(name)
            out[name] = found.tx.step(grads, states[name], params, **found.extra(found.tx, params, grads))
        return out

    return step


def collectives(names, kind=AxisType.Auto):
    """The instructions between devices of a compiled step, with where they come from."""
    params = {"kernel": shaped(kind)["kernel"]}
    states = {name: gc.layout(subject(name).tx, params).slots for name in names}
    compiled = jax.jit(step_of(names)).lower(params, states, params).compile()
    program = Program(compiled.as_text())
    assert program.devices == len(jax.devices()) == 8
    ops = {*COLLECTIVES, *(f"{op}-start" for op in COLLECTIVES)}
    return [i for _, i, _ in program.running() if i.op in ops]


@pytest.mark.parametrize("part", range(3))
def test_elementwise_steps_need_nothing_from_other_devices(part):
    found = collectives(ELEMENTWISE[part::3])
    assert not [i.attributes for i in found]


def test_a_norm_does():
    assert collectives(["clip_by_global_norm"])
