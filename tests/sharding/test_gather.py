"""Parameters gathered in parts into the arrays that they replace: the same numbers as in one gather."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from gradchain.core import place, versions
from gradchain.sharding import gather


@pytest.mark.skipif(not versions.BARRIERS_KEEP_TYPES, reason="this JAX gathers at once")
@pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"])
@pytest.mark.parametrize(
    "split",
    [(("a", "b"), ()), ((), ("b", "a")), (("a",), ("b",))],
    ids=["rows", "columns", "both"],
)
def test_in_parts(monkeypatch, split, explicit):
    monkeypatch.setattr(gather, "is_tpu", lambda mesh: True)
    monkeypatch.setattr(gather, "LARGE", 0)
    kind = AxisType.Explicit if explicit else AxisType.Auto
    mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(kind, kind))
    whole, values = ((), ()), np.arange(384 * 1024, dtype=np.float32).reshape(384, 1024)
    old = jax.device_put(np.zeros_like(values), place.at(mesh, whole))
    new = jax.device_put(values, place.at(mesh, split))
    found = jax.jit(lambda old, new: gather.gathered_into(old, new, whole, split), donate_argnums=0)
    assert "dynamic_update_slice" in found.lower(old, new).as_text()
    out = found(old, new)
    assert out.sharding.is_fully_replicated
    np.testing.assert_array_equal(out, values)
