"""stored(tx, "log8") around every registered optimizer: its bytes are those that the slots say."""

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain.core.slots import Slot
from gradchain.testing.subjects import subject

PARAMS = {
    "kernel": jax.ShapeDtypeStruct((96, 50), jnp.float32),
    "bias": jax.ShapeDtypeStruct((50,), jnp.float32),
}
TAKEN = {"stored", "offload", "zero"}  # store what they wrap, or place it, themselves
NAMES = sorted(n for n, f in gc.REGISTRY.items() if f.kind != "transform" and n not in TAKEN)


def expected(slot: Slot) -> tuple[int, bool]:
    """Bytes of a slot, and whether it is kept in codes: numbers of which there are many, and not exact."""
    size = slot.abstract().size
    coded = size >= 4096 and not slot.exact and jnp.issubdtype(slot.dtype, jnp.floating)
    return size * (1 if coded else jnp.dtype(slot.dtype).itemsize), coded


def nbytes(tree) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_the_codec(name):
    """Whole moments are a byte for each number; the step keeps the state as it is."""
    found = subject(name)
    slots = jax.tree.leaves(found.tx.slots(PARAMS), is_leaf=lambda x: isinstance(x, Slot))
    sizes, coded = zip(*map(expected, slots), strict=True) if slots else ((), ())
    tx = gc.stored(found.tx, "log8")
    if not any(coded):
        assert nbytes(jax.eval_shape(tx.init, PARAMS)) == sum(sizes) + 4
        return
    state = jax.eval_shape(tx.init, PARAMS)
    assert nbytes(state) == sum(sizes) + 4  # its own counter
    extra = lambda p, g: found.extra(tx, p, g)  # noqa: E731

    def step(p, s, g):
        return tx.step(found.gradients(g), s, p, **extra(p, g))

    params, new = jax.eval_shape(step, PARAMS, state, PARAMS)
    kinds = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)  # noqa: E731
    assert kinds(new) == kinds(state) and kinds(params) == kinds(PARAMS)


@pytest.mark.parametrize("name", NAMES)
def test_log4_takes_half_a_byte_and_its_exponents(name):
    """What log8 keeps in codes log4 keeps in half as much, under names that no field of the state has."""
    found = subject(name)
    slots = jax.tree.leaves(found.tx.slots(PARAMS), is_leaf=lambda x: isinstance(x, Slot))
    coded = [slot.abstract().size for slot in slots if expected(slot)[1]]
    made = jax.tree.leaves(gc.stored(found.tx, "log4").slots(PARAMS)) if coded else []
    assert sum(slot.abstract().size for slot in made if slot.dtype == jnp.int4) == sum(coded)
    assert sum(slot.nbytes for slot in made if slot.dtype == jnp.int4) == sum(-(-n // 2) for n in coded)
