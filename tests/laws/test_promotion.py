"""JAX set to promote nothing by itself: options that no example takes, for the laws see examples only."""

import contextlib

import jax
import jax.numpy as jnp
import pytest

import gradchain as gc
from gradchain import testing
from gradchain.testing.promotion import trace


@contextlib.contextmanager
def strictly():
    """No rank and no dtype is promoted; Python's numbers have neither."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


OPTIONS = {
    "adaptive muon": lambda: gc.scale_by_muon(adaptive=True, bias_correction=True, preconditioning="aol"),
    "spectral muon": lambda: gc.scale_by_muon(preconditioning="spectral", nesterov=False),
    "nadam": lambda: gc.scale_by_adam(nesterov=True),
    "factored": lambda: gc.adafactor(0.1, min_dim_size_to_factor=2, momentum=0.9),
    "mean": lambda: gc.average_params(None),
    "spikes": lambda: gc.skip(gc.sgd(0.1), gc.tunable(6.0), max_consecutive=gc.tunable(3)),
    "microbatches": lambda: gc.accumulate(gc.sgd(0.1), lambda count: count + 1, nonfinite="skip"),
    **{codec: lambda codec=codec: gc.stored(gc.adam(0.1), codec, min_size=1) for codec in ("int8", "fp8")},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options_that_no_example_takes(option):
    subject = testing.subject(OPTIONS[option]())
    with strictly():
        trace(subject, subject.tx, "bfloat16")


def test_the_settings_are_seen():
    with strictly():
        with pytest.raises(ValueError, match="rank_promotion"):
            jnp.ones((2, 3)) + jnp.ones(3)
        with pytest.raises(ValueError, match="dtype promotion"):
            jnp.ones(3) + jnp.ones(3, "bfloat16")
