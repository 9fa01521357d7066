"""Links added, dropped, moved and wrapped: what matches is bit-equal, the rest reported, misfits errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import (
    ADAMW,
    CLIPPED,
    PARAMS,
    abstract,
    on_mesh,
    random_like,
    same_bits,
    same_places,
    says,
    trained,
)
from jax.sharding import PartitionSpec

import gradchain as gc

LINKS = {
    "clip": gc.clip_by_global_norm(1.0),
    "adam": gc.scale_by_adam(),
    "trace": gc.trace(0.9),
    "rate": gc.scale_by_learning_rate(gc.linear_schedule(0.1, 0.0, 100)),
}
PLAIN = gc.chain(*LINKS.values())
SAVED = random_like(PLAIN.init(PARAMS))


def kept(state, saved, but=()):
    """Every entry of the state, `but` some, is that of the saved one."""
    for name in state:
        if name not in but:
            same_bits(state[name], saved[name])


def test_names():
    state = gc.chain(gc.trace(0.9), gc.trace(0.5), gc.adam(0.1)).init({"enc": {"kernel": jnp.ones(2)}})
    assert list(gc.state_dict(state)) == [
        "scale_by_adam/count",
        "scale_by_adam/mu/enc/kernel",
        "scale_by_adam/nu/enc/kernel",
        "scale_by_learning_rate/count",
        "scale_by_learning_rate/hyperparams/learning_rate",
        "trace/trace/enc/kernel",
        "trace_1/trace/enc/kernel",
    ]


def test_a_link_added():
    tx = gc.chain(gc.clip(1.0), gc.zero_nans(), *LINKS.values(), gc.average_params(0.9))
    state, report = gc.load_state(tx, PARAMS, gc.state_dict(SAVED))
    kept(state, SAVED, but=("zero_nans", "average_params"))
    same_bits(state["average_params"], tx.init(PARAMS)["average_params"])
    assert {p.split("/")[0] for p in report.initialised} == {"zero_nans", "average_params"}
    assert report.dropped == () and len(report.loaded) == len(gc.state_dict(SAVED))
    assert report.notes["average_params/count"] == "no such link in the checkpoint"
    tx.step(PARAMS, state, PARAMS)


def test_a_link_dropped():
    tx = gc.chain(LINKS["adam"], LINKS["rate"])
    state, report = gc.load_state(tx, PARAMS, SAVED)
    kept(state, SAVED)
    assert {p.split("/")[0] for p in report.dropped} == {"clip_by_global_norm", "trace"}
    assert set(report.notes.values()) == {"no such link in the optimizer"}


def test_links_in_another_order():
    tx = gc.chain(*(LINKS[k] for k in ("rate", "trace", "adam", "clip")))
    state, report = gc.load_state(tx, PARAMS, SAVED, strict=True)
    kept(state, SAVED)
    assert report.initialised == report.dropped == ()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tx: gc.accumulate(tx, 4),
        lambda tx: gc.skip(gc.skip(tx)),
        lambda tx: gc.lookahead(gc.monitored(tx), 5, 0.5),
        lambda tx: gc.masked(tx, "**"),
        lambda tx: gc.average(tx, 0.99),
        lambda tx: gc.chain(gc.identity(), tx, gc.add_decayed_weights(0.1)),
    ],
)
def test_wrapped_and_unwrapped(wrap):
    state, report = gc.load_state(wrap(PLAIN), PARAMS, SAVED)
    assert report.dropped == ()
    before = gc.state_dict(SAVED)
    after = gc.state_dict(state)
    assert all(np.array_equal(after[path], x) for path, x in before.items())
    back, report = gc.load_state(PLAIN, PARAMS, state)
    same_bits(back, SAVED)
    assert report.initialised == ()


def test_twins_are_matched_by_their_numbers():
    one, two = gc.skip(PLAIN), gc.skip(gc.skip(PLAIN))
    saved = random_like(two.init(PARAMS))
    state, report = gc.load_state(one, PARAMS, saved)
    same_bits(state["skip"], saved["skip"])
    assert {p.split("/")[0] for p in report.dropped} == {"skip_1"}


def test_a_mask_drops_what_it_leaves_out_and_back():
    masked = gc.masked(ADAMW, "**/kernel")
    saved = random_like(ADAMW.init(PARAMS))
    state, report = gc.load_state(masked, PARAMS, saved)
    assert report.dropped == ("scale_by_adam/mu/encoder/bias", "scale_by_adam/nu/encoder/bias")
    same_bits(state["scale_by_adam"].mu["head/kernel"], saved["scale_by_adam"].mu["head"]["kernel"])
    back, report = gc.load_state(ADAMW, PARAMS, state)
    anew = [f"scale_by_adam/{field}/encoder/bias" for field in ("mu", "nu", "born")]
    assert report.initialised == tuple(anew)
    assert report.notes[report.initialised[0]] == "no such leaf in the checkpoint"
    assert not back["scale_by_adam"].mu["encoder"]["bias"].any()


def test_parameters_come_and_go():
    wider = {**PARAMS, "new": {"kernel": jnp.ones((3, 3))}}
    saved = random_like(ADAMW.init(wider))
    state, report = gc.load_state(ADAMW, PARAMS, saved)
    assert report.dropped == ("scale_by_adam/mu/new/kernel", "scale_by_adam/nu/new/kernel")
    assert set(report.notes.values()) == {"no such leaf in the optimizer"}
    state, report = gc.load_state(ADAMW, wider, state)
    anew = [f"scale_by_adam/{field}/new/kernel" for field in ("mu", "nu", "born")]
    assert report.initialised == tuple(anew)


def test_missing_leaves_are_on_the_mesh():
    params = on_mesh(PARAMS, (2, 4), PartitionSpec("data", "model"))
    tx = gc.chain(PLAIN, gc.average_params(0.9))
    state, _ = gc.load_state(tx, params, SAVED)
    same_places(state, tx.init(params))
    shapes = abstract(params)
    state, report = gc.load_state(gc.chain(gc.trace(0.5), CLIPPED), shapes, random_like(ADAMW.init(PARAMS)))
    same_places(state, gc.chain(gc.trace(0.5), CLIPPED).init(params))
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(state)) and report.initialised
    with pytest.raises(gc.CheckpointError) as error:  # a copy of parameters that have no values
        gc.load_state(tx, shapes, SAVED)
    says(
        error,
        "average_params/average/encoder/bias",
        "encoder/bias",
        "abstract",
        "Pass the parameters themselves",
    )


def test_leaves_of_another_library():
    optax = pytest.importorskip("optax")
    tx = gc.chain(optax.scale_by_belief(), gc.scale_by_learning_rate(0.1))
    state = random_like(tx.init(PARAMS))
    found, _ = gc.load_state(tx, PARAMS, state, strict=True)
    same_bits(found, state)
    noise = optax.add_noise(0.1, 0.5, jax.random.key(5))
    more = gc.chain(tx, noise)
    found, report = gc.load_state(more, PARAMS, state)
    kept(found, state, but=("add_noise",))
    same_bits(found["add_noise"], noise.init(PARAMS))
    assert report.initialised == ("add_noise/count", "add_noise/rng_key")
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(more, abstract(PARAMS), state)
    says(error, "'add_noise'", "abstract", "Pass the parameters themselves")
    params = on_mesh(PARAMS, (8,), PartitionSpec("data"))
    found, _ = gc.load_state(tx, params, state)
    (moments, _) = found.values()
    assert moments.mu["head"]["kernel"].sharding == params["head"]["kernel"].sharding
    assert len(moments.count.sharding.device_set) == 8


def test_start_anew_where_asked():
    saved = random_like(CLIPPED.init(PARAMS))
    state, report = gc.load_state(
        CLIPPED, PARAMS, saved, initialise=["**/head/*", "scale_by_learning_rate/count"]
    )
    assert set(report.initialised) == {
        "scale_by_adam/mu/head/kernel",
        "scale_by_adam/nu/head/kernel",
        "scale_by_adam/born/head/kernel",
        "scale_by_learning_rate/count",
    }
    assert report.notes["scale_by_learning_rate/count"] == "as asked" and report.dropped == ()
    same_bits(state["scale_by_adam"].mu["encoder"], saved["scale_by_adam"].mu["encoder"])
    assert not state["scale_by_adam"].mu["head"]["kernel"].any()
    bigger = {**PARAMS, "head": {"kernel": jnp.ones((16, 5))}}
    state, _ = gc.load_state(CLIPPED, bigger, saved, initialise="**/head/**")
    assert state["scale_by_adam"].mu["head"]["kernel"].shape == (16, 5)


# Errors ----------------------------------------------------------------------------------------------------


def test_another_shape():
    bigger = {**PARAMS, "head": {"kernel": jnp.ones((16, 5))}}
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, bigger, ADAMW.init(PARAMS))
    says(
        error, "load_state", "'scale_by_adam/mu/head/kernel'", "float32[16, 8]", "expected float32[16, 5]",
        "another model", "initialise='**/head/kernel'",
    )  # fmt: skip


def test_another_optimizer():
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(gc.lion(0.1), PARAMS, ADAMW.init(PARAMS), saved_by=ADAMW)
    says(
        error, "nothing fits", "another optimizer", "adamw(", "'scale_by_adam/mu/encoder/bias'",
        "expected 'scale_by_lion/mu/encoder/bias' (float32[16])", "lion's tx.init(params)",
    )  # fmt: skip


def test_another_model():
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(ADAMW, {"w": jnp.ones(3)}, ADAMW.init(PARAMS))
    says(error, "nothing fits", "another model", "'scale_by_adam/mu/encoder/bias'", "'scale_by_adam/mu/w'")


def test_counters_alone_may_be_taken():
    state = random_like(ADAMW.init(PARAMS), 4)
    scalars = {path: x for path, x in gc.state_dict(state).items() if not x.shape}
    new, _ = gc.load_state(gc.lion(0.1), PARAMS, scalars)
    same_bits(new["scale_by_learning_rate"], state["scale_by_learning_rate"])


def test_strict():
    with pytest.raises(gc.CheckpointError) as error:
        gc.load_state(CLIPPED, PARAMS, gc.chain(gc.trace(0.9), ADAMW).init(PARAMS), strict=True)
    says(
        error, "strict=True", "initialised: clip_by_global_norm/norm (no such link in the checkpoint)",
        "dropped: trace/trace/head/kernel (no such link in the optimizer)", "leave out strict",
    )  # fmt: skip


def test_a_dtype_that_is_no_float():
    saved = gc.state_dict(ADAMW.init(PARAMS))
    for path, bad, word in (
        ("scale_by_adam/mu/head/kernel", jnp.ones((16, 8), jnp.int32), "int32[16, 8]"),
        ("scale_by_adam/count", jnp.float32(3), "float32[]"),
        ("scale_by_adam/mu/head/kernel", jnp.ones((16, 8), jnp.complex64), "complex64[16, 8]"),
    ):
        with pytest.raises(gc.CheckpointError) as error:
            gc.load_state(ADAMW, PARAMS, {**saved, path: bad})
        says(error, repr(path), word, "expected", "saved_by", "initialise=")


# The report ------------------------------------------------------------------------------------------------


def test_the_report_is_short_and_complete():
    params = {f"layer_{i}": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)} for i in range(74)}
    saved = random_like(gc.chain(gc.trace(0.9), ADAMW).init(params))
    state, report = gc.load_state(CLIPPED, params, saved)
    text = str(report)
    assert len(text.splitlines()) == 12, text
    assert "loaded       scale_by_adam/mu " in text and " 148 " in text
    assert "299 loaded, 2 initialised, 148 dropped" in text
    assert "clip_by_global_norm/clipped_norm" in text and "no such link in the optimizer" in text
    assert text.index("scale_by_adam/mu") < text.index("scale_by_learning_rate/count")
    assert "<table>" in report._repr_html_()
    assert len(report.loaded) == 299 and len(report.dropped) == 148
    kept(state, saved, but=("clip_by_global_norm",))


def test_floats_of_another_width_are_cast_with_a_note():
    narrow = gc.adamw(1e-3, mu_dtype=jnp.bfloat16)
    saved = trained(ADAMW)[1]
    state, report = gc.load_state(narrow, PARAMS, saved)
    mu = saved["scale_by_adam"].mu["head"]["kernel"]
    np.testing.assert_array_equal(state["scale_by_adam"].mu["head"]["kernel"], mu.astype(jnp.bfloat16))
    assert report.notes["scale_by_adam/mu/head/kernel"] == "float32 -> bfloat16"
    assert "float32 -> bfloat16" in str(report)
    wide, report = gc.load_state(ADAMW, PARAMS, state)
    assert wide["scale_by_adam"].mu["head"]["kernel"].dtype == jnp.float32
    assert report.notes["scale_by_adam/mu/head/kernel"] == "bfloat16 -> float32"
