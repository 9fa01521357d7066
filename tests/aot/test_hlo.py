"""The reader of compiled programs: figures counted by hand, on texts of the real compilers in hlo/.

Each text is a program on float32 matrices of 4 MiB, stripped of metadata:
cond  p, a, g: if k == 3 then (p - (a + g) * rsqrt(sum(a^2)), 0) else (p, a + g)
loop  a = a + g; while k == 3, once: p = p - a; five times: p = p - g * p
zero  data parallel on eight devices: a gradient scattered as it is summed, the new parameters gathered
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from gradchain.aot.hlo import Program, type_bytes

MIB = 2**20
NEAR = {"abs": 0.01}  # MiB, for scalars and partial sums


def program(name: str) -> Program:
    return Program((Path(__file__).parent / "hlo" / f"{name}.hlo").read_text())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("f32[]", 4),
        ("f32[2,3]{1,0:T(8,128)S(1)}", 24),
        ("(bf16[4], pred[5]{0}, /*index=2*/u8[6])", 19),
        ("s4[3]", 1.5),
        ("f8e4m3fn[16]{0}", 16),
        ("c64[2]", 16),
        ("f32[0,7]", 0),
        ("token[]", 0),
    ],
)
def test_bytes_of_a_type(text, size):
    assert type_bytes(text) == size


def test_a_fusion_costs_its_operands_and_its_result():
    x = jnp.zeros(1024)
    cost = Program(jax.jit(lambda x, y: jnp.tanh(x) * y + 2).lower(x, x).compile().as_text()).cost
    assert cost.bytes == cost.least == 3 * 4096
    assert (cost.kernels, cost.copies, cost.unfused) == (1, 0, 0)


def test_the_dearest_branch_counts_and_the_cheapest_is_known():
    cost = program("tpu_cond").cost
    cheap, dear = cost.branches[0]
    assert cheap.bytes == 12 * MIB  # a, g read, a written
    assert dear.bytes / MIB == pytest.approx(4 + 16 + 4, **NEAR)  # the norm; p, a, g read, p written; zeros
    assert cost.bytes / MIB == pytest.approx(24, **NEAR)
    assert cost.least / MIB == pytest.approx(12, **NEAR)
    assert (cost.kernels, cost.unfused) == (2, 1)  # zeros are a plain broadcast


def test_a_conditional_that_became_selects_costs_as_much_in_every_step():
    cost = program("h100_cond").cost
    assert not cost.branches
    assert cost.bytes == cost.least
    assert cost.bytes / MIB == pytest.approx(4 + 20, **NEAR)  # the norm; p, a, g read, p, a written
    assert cost.kernels == 3  # the norm takes two


@pytest.mark.parametrize("target", ["tpu", "h100"])
def test_a_loop_counts_once_and_its_least_is_no_turn(target):
    found = program(f"{target}_loop")
    assert found.cost.bytes / MIB == pytest.approx(12 + 12 + 12, **NEAR)
    known = target == "h100"  # only there the text says that the second loop turns five times
    assert found.cost.least / MIB == pytest.approx(24 if known else 12, **NEAR)
    every = found.cost_of(found.entry, turns=True)
    assert every.bytes / MIB == pytest.approx(84 if known else 36, **NEAR)


def test_prefetches_are_free_and_do_not_hide_who_reads():
    found = program("tpu_zero")
    ops = {i.op for i in found.computations[found.entry]}
    assert {"copy-start", "slice-done", "custom-call"} <= ops
    assert found.cost.bytes / MIB == 8.125 + 4.5 + 4.5 + 12  # gradient, scatter, gather, subtraction
    assert found.cost.kernels == 2
    assert found.passes() == {"param": 2, "param.1": 1}


def test_passes_count_the_readers_of_each_parameter():
    assert program("h100_cond").passes() == {"p.1": 1, "a.1": 2, "g.1": 1}


def test_operations_are_numbers_computed():
    """x * 2 + y is two for each element, and an index, a constant or other bits for the same are none."""
    x = jnp.ones((64, 128))

    def f(x, y):
        bits = jax.lax.bitcast_convert_type(x * 2 + y, jnp.int32)
        return jax.lax.bitcast_convert_type(bits, jnp.float32)

    found = Program(jax.jit(f).lower(x, x).compile().as_text())
    assert found.operations == 2 * x.size
    assert found.cycles == 0


def test_other_text_is_refused():
    with pytest.raises(ValueError, match="as_text"):
        Program(jax.jit(jnp.sin).lower(1.0).as_text())
