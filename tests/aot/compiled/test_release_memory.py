"""Layers updated inside the backward pass, as the TPU v5e and H100 compilers make it: scratch memory."""

import pytest

import gradchain as gc
from tests.storage.release_cases import three_ways

IN_VMEM = 1.0  # MiB: a TPU counts as scratch only what does not fit its VMEM


@pytest.mark.parametrize("remat", [False, True])
def test_24_scanned_layers_need_the_memory_of_unrolled_ones(target, remat):
    def compiled(step, *args):
        return target.compile(step, *args, donate=(0, 1)).temp

    unrolled, plain, released = three_ways(gc.adamw(1e-3), remat, compiled)
    assert released <= max(1.3 * unrolled, IN_VMEM if target.name == "tpu" else 0)
    assert target.name == "tpu" or plain > 12  # the gradient of all layers
