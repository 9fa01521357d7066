"""describe: rows, bytes, masks, shardings, and the text of the table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import gradchain as gc
from gradchain.report import text

PARAMS = {
    "dec": {"bias": jnp.ones(8), "kernel": jnp.ones((16, 8))},
    "enc": {"bias": jnp.ones(16), "kernel": jnp.ones((8, 16))},
}
SIZE, LEAVES = 280, 4
ABSTRACT = jax.eval_shape(lambda: PARAMS)


def nbytes(tree) -> int:
    return sum(np.asarray(x).nbytes for x in jax.tree.leaves(tree))


def rows(tx, params=PARAMS, **options) -> dict:
    found = gc.describe(tx, params, **options).rows
    return {(row.link, row.slot, row.path): row for row in found}


@pytest.mark.parametrize("name", sorted(gc.REGISTRY))
def test_bytes_are_those_of_the_real_state(name):
    factory = gc.REGISTRY[name]
    tx = getattr(gc, name, None)
    if tx is None:
        pytest.skip("not a public name")
    tx = tx(*args) if (args := factory.example().get(factory.variadic)) else tx(**factory.example())
    found = gc.describe(tx, PARAMS)
    assert found.total_bytes == nbytes(tx.init(PARAMS))
    assert gc.describe(tx, ABSTRACT) == found
    assert gc.describe(tx, PARAMS, leaves=True).total_bytes == found.total_bytes


def test_one_row_per_link_and_slot():
    found = rows(gc.adam(1e-3))
    mu, count = found["scale_by_adam", "mu", ""], found["scale_by_adam", "count", ""]
    assert (mu.leaves, mu.shape, mu.dtype, mu.total_bytes) == (LEAVES, None, "float32", 4 * SIZE)
    assert (count.leaves, count.shape, count.dtype, count.total_bytes) == (1, (), "int32", 4)


def test_one_row_per_leaf():
    found = rows(gc.adam(1e-3), leaves=True)
    row = found["scale_by_adam", "nu", "dec/kernel"]
    assert (row.shape, row.total_bytes) == ((16, 8), 4 * 16 * 8)
    assert sum(key[1] == "mu" for key in found) == LEAVES


def test_bytes_per_parameter():
    found = gc.describe(gc.scale_by_adam(mu_dtype=jnp.bfloat16), PARAMS)
    assert found.bytes_per_param == (SIZE * (2 + 4) + 4) / SIZE
    assert gc.describe(gc.scale_by_adam(), {}).bytes_per_param == 0.0


def test_what_masks_leave_out():
    found = rows(gc.adamw(1e-3, mask="**/kernel"))
    assert found["add_decayed_weights", "", ""].acts_on == 2
    assert found["scale_by_adam", "mu", ""].acts_on == LEAVES

    frozen = rows(gc.chain(gc.freeze("enc/**"), gc.adamw(1e-3, mask="**/kernel")))
    assert frozen["add_decayed_weights", "", ""].acts_on == 1
    assert frozen["scale_by_adam", "mu", ""].acts_on == frozen["scale_by_adam", "mu", ""].leaves == 2

    groups = {"a": gc.adam(1e-3), "b": gc.scale(0.1)}
    parts = rows(gc.partition(groups, {"enc/kernel": "b", "**": "a"}))
    assert parts["a/scale_by_adam", "mu", ""].acts_on == 3
    assert parts["b/scale", "", ""].acts_on == 1
    assert "1 of 4" in str(gc.describe(gc.partition(groups, {"enc/kernel": "b", "**": "a"}), PARAMS))


def test_links_without_state_are_numbered_and_named():
    tx = gc.chain(gc.scale(0.5), gc.scale(2.0), gc.named_chain(("last", gc.chain(gc.scale(1.0)))))
    assert [row.link for row in gc.describe(tx, PARAMS).rows] == ["scale", "scale_1", "last/scale"]
    assert gc.describe(tx, PARAMS).total_bytes == 0


def test_wrappers_come_before_what_they_wrap():
    found = gc.describe(gc.monitored(gc.masked(gc.adam(1e-3), "enc/**")), PARAMS)
    order = list(dict.fromkeys(row.link for row in found.rows))
    assert order == ["snapshot", "scale_by_adam", "scale_by_learning_rate", "snapshot_1"]
    assert {row.link: row.acts_on for row in found.rows}["scale_by_adam"] == 2


def test_foreign_links():
    optax = pytest.importorskip("optax")
    tx = gc.chain(optax.scale_by_adam(), gc.scale(-1e-3))
    found = rows(tx)
    assert found["scale_by_adam", "mu", ""].total_bytes == 4 * SIZE
    assert gc.describe(tx, PARAMS).total_bytes == nbytes(tx.init(PARAMS))


def test_shardings():
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    rules = {1: PartitionSpec("model"), 2: PartitionSpec("data", "model")}
    params = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, rules[x.ndim])),
        ABSTRACT,
    )
    found = gc.describe(gc.scale_by_adam(), params)
    by_slot = {row.slot: row for row in found.rows}
    assert by_slot["count"].spec == "P()" and by_slot["count"].bytes_per_device == 4
    assert by_slot["mu"].spec == "P('model'), P('data', 'model')"
    assert by_slot["mu"].bytes_per_device == 4 * (24 // 4 + 256 // 8)
    assert found.bytes_per_device == 4 + 2 * 4 * (24 // 4 + 256 // 8)
    assert "per device" in str(found)

    real = jax.tree.map(lambda x, s: jax.device_put(x, s.sharding), PARAMS, params)
    assert gc.describe(gc.scale_by_adam(), real) == found
    state = gc.scale_by_adam().init(real)["scale_by_adam"]
    local = sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves(state))
    assert local == found.bytes_per_device


def test_no_shardings_no_columns():
    found = gc.describe(gc.adam(1e-3), PARAMS)
    assert found.bytes_per_device is None and "sharding" not in str(found)


def test_hyperparameters_of_each_kind():
    rate = gc.tunable(1e-3)
    found = gc.describe(gc.adam(rate, b1=lambda t: 0.9, b2=0.99), PARAMS)
    shown = {row.link: dict(row.hyperparams) for row in found.rows}
    assert shown["scale_by_learning_rate"] == {"learning_rate": rate}
    assert shown["scale_by_adam"]["b2"] == 0.99
    assert "b2=0.99" in str(found) and "learning_rate=tunable(0.001)" in str(found)


def test_the_table():
    tx = gc.chain(gc.scale_by_adam(), gc.scale(-0.5))
    expected = """\
link           slot   shape     dtype      bytes  hyperparameters
--------------------------------------------------------------------------------------
scale_by_adam  count  []        int32        4 B  b1=0.9, b2=0.999, eps=1e-08, eps_root=0
               mu     4 leaves  float32  1.1 KiB
               nu     4 leaves  float32  1.1 KiB
scale                                             step_size=-0.5
--------------------------------------------------------------------------------------
total                 4 leaves           2.2 KiB  8.014 bytes per parameter, 280 parameters"""
    lines = str(gc.describe(tx, PARAMS)).splitlines()
    assert set(lines[1]) == {"-"} and len(lines[1]) == max(map(len, lines))
    plain = [line for line in lines if set(line) != {"-"}]
    assert plain == [line for line in expected.splitlines() if set(line) != {"-"}]


def test_html():
    shown = gc.describe(gc.adamw(1e-3, mask="**/kernel"), PARAMS)._repr_html_()
    assert shown.startswith("<table>") and shown.count("<tr>") == 8
    assert "<script>" not in gc.describe(gc.scale(1.0), {"<script>": jnp.ones(1)}, leaves=True)._repr_html_()


@pytest.mark.parametrize(
    "n, shown",
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1023.94 * 1024, "1023.9 KiB"),
        (1023.96 * 1024, "1.0 MiB"),
        (28.2 * 2**30, "28.2 GiB"),
    ],
)
def test_sizes(n, shown):
    assert text.size(int(n)) == shown


def test_how_each_axis_is_read():
    """A weight of Equinox, [out, in], looks like [in, out] until somebody says what it is."""
    params = {"weight": jnp.ones((64, 16)), "stack": {"kernel": jnp.ones((3, 8, 4))}, "bias": jnp.ones(4)}
    tx = gc.chain(gc.scale_by_adafactor(min_dim_size_to_factor=2), gc.trace(0.9))

    def shown(tx, slot):
        return {r.path: r.axes for r in gc.describe(tx, params, leaves=True).rows if r.slot == slot}

    assert shown(tx, "trace") == {"weight": "rc", "stack/kernel": "brc", "bias": "c"}
    assert shown(tx, "v_row") == {"weight": "r", "stack/kernel": "br", "bias": ""}
    turned = gc.with_axes(tx, {"weight": "cr"})
    assert shown(turned, "trace")["weight"] == "cr" and shown(turned, "v_row")["weight"] == "r"
    assert set(shown(tx, "count").values()) == {""}
    assert not any(row.axes for row in gc.describe(tx, params).rows)
    assert "axes" in str(gc.describe(tx, params, leaves=True)).splitlines()[0]
