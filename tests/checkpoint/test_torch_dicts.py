"""What from_torch reads: names, axes, tensors, ages, and numbers that differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_cases import says
from torch_cases import (
    ADAFACTOR,
    ADAMW,
    BIAS,
    FC,
    FC_SHAPES,
    MUON,
    NAMES,
    PARAMS,
    SGD,
    TURNED,
    TX,
    adamw,
    only,
    state_of,
)

import gradchain as gc


def mu_of(state):
    return state["scale_by_adam"].mu


def test_axes_by_shape_by_selection_and_as_said():
    state, report = gc.from_torch(TX, PARAMS, adamw(), NAMES, transpose=TURNED)
    assert report.remarks == () and not report.dropped and not report.initialised
    mu = mu_of(state)
    np.testing.assert_array_equal(mu["fc"]["kernel"], np.arange(1, 13).reshape(4, 3).T)
    np.testing.assert_array_equal(mu["square"]["kernel"], np.arange(1, 10).reshape(3, 3).T)
    theirs = np.arange(1, 181).reshape(6, 5, 3, 2)
    np.testing.assert_array_equal(mu["conv"]["kernel"], theirs.transpose(2, 3, 1, 0))
    for said in ("**/kernel", lambda path, x: x.ndim > 1, {"*/kernel": True}, {"square/*": [1, 0]}):
        again = mu_of(gc.from_torch(TX, PARAMS, adamw(), NAMES, transpose=said)[0])
        assert jax.tree.all(jax.tree.map(jnp.array_equal, mu, again))
    as_it_is = mu_of(gc.from_torch(TX, PARAMS, adamw(), NAMES, transpose={"square/kernel": False})[0])
    np.testing.assert_array_equal(as_it_is["square"]["kernel"], np.arange(1, 10).reshape(3, 3))


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        ["fc/kernel", "fc/bias", "square/kernel", "conv/kernel"],
        {0: "fc/kernel", 1: "fc/bias", 2: "square/kernel", 3: "conv/kernel"},
        dict(zip(NAMES, ["fc/kernel", "fc/bias", "square/kernel", "conv/kernel"], strict=True)),
        None,
    ],
)
def test_names(names):
    state = adamw()
    if names is None:
        state["param_groups"][0]["param_names"] = NAMES
    made, report = gc.from_torch(TX, PARAMS, state, names, transpose=TURNED)
    assert len(report.loaded) == 2 * 4 + 3
    assert int(made["scale_by_adam"].count) == 7 == int(made["scale_by_learning_rate"].count)


def test_names_that_are_alike():
    params = {"layers_0": {"norm": {"scale": jnp.ones(2)}}, "wte": {"embedding": jnp.ones((5, 2))}}
    state = adamw(shapes={"layers.0.norm.weight": (2,), "wte.weight": (5, 2)})
    made, _ = gc.from_torch(TX, params, state, ["layers.0.norm.weight", "wte.weight"])
    np.testing.assert_array_equal(mu_of(made)["layers_0"]["norm"]["scale"], [1, 2])
    names = {0: None, "wte.weight": "wte/embedding"}
    state["param_groups"][0]["param_names"] = ["x", "wte.weight"]
    made, report = gc.from_torch(TX, params, state, names)
    assert "torch/x/exp_avg" in report.dropped and "torch/x/step" in report.dropped
    assert report.notes["scale_by_adam/mu/layers_0/norm/scale"] == "no parameter of torch"
    by_name = {"state": {"wte.weight": state["state"][1]}}  # as torch.distributed.checkpoint has it
    by_name["param_groups"] = [{**ADAMW, "params": ["wte.weight"]}]
    assert len(gc.from_torch(TX, {"wte": params["wte"]}, by_name)[1].loaded) == 5


class Tensor:
    """As much of a tensor of torch as is used; NumPy has no bfloat16, so `numpy` of one fails."""

    def __init__(self, x, dtype):
        self.x, self.dtype = x, f"torch.{dtype}"

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return Tensor(self.x, "float32")

    def numpy(self):
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.x


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "jax"])
def test_tensors(kind):
    state = adamw(shapes=FC_SHAPES)
    wrap = jnp.asarray if kind == "jax" else lambda x: Tensor(x, kind)
    for held in state["state"].values():
        held |= {k: wrap(x) for k, x in held.items()} | {"unused": None}
    made, report = gc.from_torch(TX, FC, state, NAMES[:2])
    np.testing.assert_array_equal(mu_of(made)["fc"]["bias"], [1, 2, 3, 4])
    assert mu_of(made)["fc"]["bias"].dtype == jnp.float32
    assert ("bfloat16 -> float32" in report.notes.values()) == (kind == "bfloat16")


def test_ages_and_what_has_no_state():
    state = adamw(shapes=FC_SHAPES)
    state["state"][0]["step"] = np.asarray(4.0)
    made, report = gc.from_torch(TX, FC, state, NAMES[:2])
    assert int(made["scale_by_adam"].count) == 7
    assert {k: int(x) for k, x in made["scale_by_adam"].born.items()} == {"fc/kernel": 3}
    del state["state"][0]  # never had a gradient
    made, report = gc.from_torch(TX, FC, state, NAMES[:2])
    assert report.notes["scale_by_adam/mu/fc/kernel"] == "torch has made no step of it"
    assert {k: int(x) for k, x in made["scale_by_adam"].born.items()} == {"fc/kernel": 7}
    made, report = gc.from_torch(TX, FC, adamw(shapes=FC_SHAPES), NAMES[:2], initialise="**/fc/kernel")
    assert "scale_by_adam/mu/fc/kernel" in report.initialised and report.dropped == ()
    assert {k: int(x) for k, x in made["scale_by_adam"].born.items()} == {"fc/kernel": 7}


def test_it_goes_into_codes_and_groups():
    params = {"fc": {"kernel": jnp.ones((70, 60)), "bias": jnp.ones(60)}}
    tx = gc.accumulate(gc.stored(gc.masked(TX, "**/kernel"), "log8"), 2)
    state = adamw(shapes={"fc.weight": (60, 70), "fc.bias": (60,)})
    made, report = gc.from_torch(tx, params, state, NAMES[:2])
    assert report.notes["scale_by_adam/nu/fc/kernel"] == "exact -> log8"
    assert sorted(report.dropped) == [f"torch/fc.bias/{k}" for k in ("exp_avg", "exp_avg_sq", "step")]
    assert int(made["stored"].count) == 7 and int(made["accumulate"].mini_step) == 0


def test_it_goes_to_its_places_on_a_mesh():
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    where = {"kernel": jax.NamedSharding(mesh, jax.P(None, "d")), "bias": jax.NamedSharding(mesh, jax.P("d"))}
    params = {"fc": jax.tree.map(jax.device_put, FC["fc"], where)}
    made, _ = gc.from_torch(TX, params, adamw(shapes=FC_SHAPES), NAMES[:2])
    assert mu_of(made)["fc"]["kernel"].sharding == where["kernel"]
    assert {x.sharding.mesh for x in jax.tree.leaves(made)} == {mesh}
    shapes = jax.eval_shape(lambda: FC)
    assert gc.from_torch(TX, shapes, adamw(shapes=FC_SHAPES), NAMES[:2], strict=True)[1].initialised == ()


def test_steps_that_torch_does_not_count():
    schedule = gc.linear_schedule(0.1, 0.0, 100)
    state = state_of(SGD, "momentum_buffer", step=None, shapes=FC_SHAPES, lr=0.05)
    made, report = gc.from_torch(gc.sgd(schedule, 0.9), FC, state, NAMES[:2], step=50)
    assert int(made["scale_by_learning_rate"].count) == 50 and report.remarks == ()
    _, report = gc.from_torch(gc.sgd(schedule, 0.9), FC, state, NAMES[:2], step=20)
    assert report.remarks == ("'scale_by_learning_rate': learning_rate is 0.08 here, 0.05 in torch",)
    made, report = gc.from_torch(gc.sgd(0.05, 0.9), FC, state, NAMES[:2])
    assert report.notes["scale_by_learning_rate/count"] == "torch keeps no such thing"


def remark(tx, state, params=FC, names=tuple(NAMES[:2])):
    _, report = gc.from_torch(tx, params, state, list(names))
    (text,) = report.remarks
    with pytest.raises(gc.CheckpointError) as error:
        gc.from_torch(tx, params, state, list(names), strict=True)
    says(error, "strict=True", text, "leave out strict")
    assert text in repr(report)
    return text


def test_other_numbers_are_remarks():
    fc = adamw(shapes=FC_SHAPES)
    assert remark(gc.adamw(0.01, b2=0.95, weight_decay=0.1), fc) == (
        "'scale_by_adam': b2 is 0.95 here, 0.999 in torch"
    )
    assert remark(gc.adamw(0.02, weight_decay=0.1), fc) == (
        "'scale_by_learning_rate': learning_rate is 0.02 here, 0.01 in torch"
    )
    assert remark(gc.adamw(0.01, weight_decay=0.1, mask="**/kernel"), fc) == (
        "weight_decay is 0 here, 0.1 in torch, of 'fc/bias'"
    )
    assert remark(gc.adam(0.01), fc) == "weight_decay is 0 here, 0.1 in torch, of 'fc/bias' and 1 more"
    assert (
        gc.from_torch(gc.adamw(0.01, weight_decay=0.001, decoupled=True), FC, fc, NAMES[:2])[1].remarks == ()
    )
    assert "put scale(-1.0) first" in remark(TX, adamw(shapes=FC_SHAPES, maximize=True))
    sgd = state_of(SGD, "momentum_buffer", step=None, shapes=FC_SHAPES, dampening=0.5)
    assert remark(gc.sgd(0.01, 0.9), sgd).endswith("learning_rate is 0.01 here, 0.005 in torch")
    radam = {**ADAMW, "weight_decay": 0.0}
    del radam["amsgrad"]
    radam = state_of(radam, "exp_avg", "exp_avg_sq", shapes=FC_SHAPES)
    assert "eps=lambda t: 1e-08 / sqrt(1 - b2 ** (t + 1))" in remark(gc.radam(0.01), radam)
    lr_decay = {"lr": 0.01, "lr_decay": 0.1, "eps": 0.0, "weight_decay": 0, "initial_accumulator_value": 0}
    adagrad = state_of(lr_decay, "sum", shapes=FC_SHAPES)
    assert "0.00588235 in torch" in remark(gc.adagrad(0.01, eps=0.0), adagrad)
    factored, one = state_of(ADAFACTOR, "variance", shapes=only("fc.bias")), ["fc.bias"]
    bounded = gc.adafactor(lambda t: jnp.minimum(0.01, (t + 1) ** -0.5), 1)
    assert "eps=0 is the same" in remark(bounded, factored, BIAS, one)
    factored["state"][0]["step"] = np.asarray(1000.0)  # from step 10,000 on torch has 1 / sqrt(t)
    assert remark(gc.adafactor(0.01, 1, eps=0.0), factored, BIAS, one) == (
        "'scale_by_learning_rate': learning_rate is 0.01 here, 0.00953419 in torch in step 11001"
    )
    muon = state_of(
        MUON, "momentum_buffer", step=None, shapes=only("fc.weight"), adjust_lr_fn="match_rms_adamw"
    )
    kernel = {"fc": {"kernel": jnp.ones((3, 4))}}
    assert remark(gc.muon(0.01, eps=1e-7, eps_floor=True, weight_decay=0.1), muon, kernel, ["fc.weight"]) == (
        "'muon/scale_by_shape': consistent_rms is None here, 0.2 by torch's adjust_lr_fn"
    )
    rms = gc.muon(0.01, eps=1e-7, consistent_rms=0.2, weight_decay=0.1)
    assert "eps_floor=True" in remark(rms, muon, kernel, ["fc.weight"])


def test_strict_with_what_is_not_loaded():
    state = adamw(shapes=FC_SHAPES)
    assert gc.from_torch(TX, FC, state, NAMES[:2], strict=True)[1].initialised == ()
    with pytest.raises(gc.CheckpointError, match="strict=True") as error:
        gc.from_torch(gc.chain(gc.trace(0.9), TX), FC, state, NAMES[:2], strict=True)
    says(error, "initialised: trace/trace/fc/bias (torch keeps no such thing)")
