"""Memory traffic of texts as XLA for TPU writes them, counted by hand: f32[256,1024] is 1 MiB."""

import pytest

from gradchain.aot.hlo import Program
from gradchain.aot.memory import memory_traffic, placed

MIB = 2**20
# ruff: noqa: E501 (programs are written as the compiler writes them)
HBM, VMEM = "{1,0:T(8,128)}", "{1,0:T(8,128)S(1)}"

PROGRAMS = {
    # Read once, written once.
    "copy": (
        2.0,
        f"%x = f32[256,1024]{HBM} parameter(0)\n ROOT %y = f32[256,1024]{{0,1:T(8,128)}} copy(%x)",
    ),
    # 128 rows of 256 put in place: read and written; the rest is not touched.
    "update": (
        1.0,
        f"%x = f32[256,1024]{HBM} parameter(0)\n %u = f32[128,1024]{HBM} parameter(1)\n"
        f" ROOT %y = f32[256,1024]{HBM} fusion(%x, %u), kind=kLoop, calls=%put",
    ),
    "update outside of a fusion": (
        1.0,
        f"%x = f32[256,1024]{HBM} parameter(0)\n %u = f32[128,1024]{HBM} parameter(1)\n"
        " %i = s32[] constant(0)\n"
        f" ROOT %y = f32[256,1024]{HBM} dynamic-update-slice(%x, %u, %i, %i)",
    ),
    # The first 128 rows, read and written.
    "slice": (
        1.0,
        f"%x = f32[256,1024]{HBM} parameter(0)\n"
        f" ROOT %y = f32[128,1024]{HBM} fusion(%x), kind=kLoop, calls=%cut",
    ),
    # 0.25 MiB of the part read; what is gathered stays in VMEM; 0.5 MiB put into the parameter.
    "a gather in parts": (
        0.75,
        f"%x = f32[256,1024]{HBM} parameter(0)\n %n = f32[64,1024]{HBM} parameter(1)\n"
        f" %g = f32[128,1024]{VMEM} all-gather(%n), replica_groups={{{{0,1}}}}, dimensions={{0}}\n"
        f" ROOT %y = f32[256,1024]{HBM} fusion(%x, %g), kind=kLoop, calls=%put",
    ),
    # Prefetched, squared twice in VMEM, written back: one read, one write.
    "kept in VMEM": (
        2.0,
        f"%x = f32[256,1024]{HBM} parameter(0)\n"
        f" %s = (f32[256,1024]{VMEM}, f32[256,1024]{HBM}, u32[]{{:S(2)}}) copy-start(%x)\n"
        f" %a = f32[256,1024]{VMEM} copy-done(%s)\n"
        f" %b = f32[256,1024]{VMEM} fusion(%a), kind=kLoop, calls=%square\n"
        f" %c = f32[256,1024]{VMEM} fusion(%b), kind=kLoop, calls=%square\n"
        f" %t = (f32[256,1024]{HBM}, f32[256,1024]{VMEM}, u32[]{{:S(2)}}) copy-start(%c)\n"
        f" ROOT %y = f32[256,1024]{HBM} copy-done(%t)",
    ),
    # Started and handed through a kernel that squares x: x read and written, n read, all of it written, once.
    "a gather beside a kernel": (
        3.5,
        f"%x = f32[256,1024]{HBM} parameter(0)\n %n = f32[128,1024]{HBM} parameter(1)\n"
        f" %s = (f32[128,1024]{HBM}, f32[256,1024]{HBM}) fusion(%n), kind=kCustom,"
        " output_to_operand_aliasing={{0}: (0, {})}, calls=%start\n"
        f" %p = f32[128,1024]{HBM} get-tuple-element(%s), index=0\n"
        f" %q = f32[256,1024]{HBM} get-tuple-element(%s), index=1\n"
        f" ROOT %y = (f32[256,1024]{HBM}, f32[128,1024]{HBM}, f32[256,1024]{HBM}) fusion(%p, %q, %x),"
        " kind=kLoop, output_to_operand_aliasing={{1}: (0, {}), {2}: (1, {})}, calls=%beside",
    ),
}

FUSED = f"""HloModule hand

%put (p: f32[256,1024], u: f32[128,1024]) -> f32[256,1024] {{
  %p = f32[256,1024]{HBM} parameter(0)
  %u = f32[128,1024]{HBM} parameter(1)
  %i = s32[] constant(0)
  ROOT %d = f32[256,1024]{HBM} dynamic-update-slice(%p, %u, %i, %i)
}}

%cut (p: f32[256,1024]) -> f32[128,1024] {{
  %p = f32[256,1024]{HBM} parameter(0)
  ROOT %d = f32[128,1024]{HBM} slice(%p), slice={{[0:128], [0:1024]}}
}}

%square (p: f32[256,1024]) -> f32[256,1024] {{
  %p = f32[256,1024]{HBM} parameter(0)
  ROOT %d = f32[256,1024]{HBM} multiply(%p, %p)
}}

%start (p: f32[128,1024]) -> (f32[128,1024], f32[256,1024]) {{
  %p = f32[128,1024]{HBM} parameter(0)
  %g = f32[256,1024]{HBM} all-gather(%p), dimensions={{0}}
  ROOT %d = (f32[128,1024]{HBM}, f32[256,1024]{HBM}) custom-call(%g), custom_call_target="AsyncCollectiveStart"
}}

%beside (p: f32[128,1024], q: f32[256,1024], x: f32[256,1024]) -> (f32[256,1024], f32[128,1024], f32[256,1024]) {{
  %p = f32[128,1024]{HBM} parameter(0)
  %q = f32[256,1024]{HBM} parameter(1)
  %x = f32[256,1024]{HBM} parameter(2)
  %m = f32[256,1024]{HBM} multiply(%x, %x)
  %g = f32[256,1024]{HBM} all-gather(%p), dimensions={{0}}
  ROOT %d = (f32[256,1024]{HBM}, f32[128,1024]{HBM}, f32[256,1024]{HBM}) tuple(%m, %p, %g)
}}

ENTRY %main () -> f32[] {{
 BODY
}}
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_counted_by_hand(name):
    mib, body = PROGRAMS[name]
    assert memory_traffic(Program(FUSED.replace("BODY", body))) / MIB == pytest.approx(mib, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("f32[10,1000]{1,0:T(8,128)}", 4 * 16 * 1024),
        ("f32[10,1000]{0,1:T(8,128)}", 4 * 1000 * 128),
        ("f32[3,10,128]{2,0,1:T(4,128)}", 4 * 10 * 4 * 128),
        ("bf16[9,128]{1,0:T(8,128)(2,1)S(1)}", 2 * 16 * 128),
        ("f32[]{:T(128)}", 4 * 128),
        ("f32[10,1000]{1,0}", 4 * 10 * 1000),
        ("f32[10,1000]", 4 * 10 * 1000),
    ],
)
def test_arrays_take_the_tiles_that_they_fill_in_part(text, size):
    assert placed(text)[0].bytes == size
