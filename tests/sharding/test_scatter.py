"""Sums scattered along the other dimension of a matrix, in parts, and then turned: the same numbers."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from gradchain.core import place, versions
from gradchain.sharding import scatter


@pytest.mark.skipif(not versions.BARRIERS_KEEP_TYPES, reason="this JAX scatters at once")
@pytest.mark.parametrize("turned", [False, True], ids=["columns", "rows"])
def test_by_rows(monkeypatch, turned):
    monkeypatch.setattr(scatter, "is_tpu", lambda mesh: True)
    monkeypatch.setattr(scatter, "LARGE", 0)
    monkeypatch.setattr(scatter, "PART", 256 * 80 * 4)  # of rows that are no multiple of it
    mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    shape, dim = ((80, 1021), 0) if turned else ((1021, 80), 1)
    values = np.random.default_rng(0).integers(-99, 99, (8, *shape)).astype(np.float32)  # sums are exact
    whole, split = ((), ()), tuple(("a", "b") if d == dim else () for d in range(2))

    def local(x):
        return scatter.scatter(x[0], whole, split, ("a", "b"))

    spec = place.spec_of((("a", "b"), (), ()))
    run = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=spec, out_specs=place.spec_of(split)))
    given = jax.device_put(values, place.at(mesh, (("a", "b"), (), ())))
    assert run.lower(given).as_text().count("all_to_all") >= 2
    np.testing.assert_array_equal(run(given), values.sum(0))
