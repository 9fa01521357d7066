"""What from_torch refuses: an error for each."""

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
    RMSPROP,
    SGD,
    TX,
    adamw,
    only,
    state_of,
)

import gradchain as gc


def rows(tx):
    """Rows and columns of a kernel exchanged."""
    return gc.with_axes(tx, {"**/kernel": "cr"})


COMPLEX = {"w": jnp.ones(3, jnp.complex64)}
KERNEL = {"fc": {"kernel": PARAMS["fc"]["kernel"]}}
CONV = {"conv": {"kernel": PARAMS["conv"]["kernel"]}}
FALLING = gc.linear_schedule(0.1, 0.0, 100)
NADAM = {**ADAMW, "momentum_decay": 4e-3}
NADAM.pop("amsgrad")


def factors(shape):
    *lead, r, c = shape
    state = state_of(ADAFACTOR, shapes={"x": shape})
    state["state"][0] |= {"row_var": np.ones((*lead, r, 1)), "col_var": np.ones((*lead, 1, c))}
    return state


def complex_state():
    state = adamw(shapes={"w": (3,)})
    state["state"][0] |= {k: np.ones(3, np.complex64) for k in ("exp_avg", "exp_avg_sq")}
    return state


def with_array(x):
    state = adamw(shapes={"fc.bias": (4,)})
    state["state"][0]["exp_avg"] = x
    return state


def named(state, names):
    state["param_groups"][0]["param_names"] = names
    return state


FC_ADAMW = adamw(shapes=FC_SHAPES)
FAULTS = {
    "no optimizer": ((None, FC, FC_ADAMW), {}, ["tx is a NoneType", "an optimizer of gradchain"]),
    "no parameters": ((TX, {}, FC_ADAMW), {}, ["params is {}"]),
    "a whole checkpoint": (
        (TX, FC, {"model": 1, "optimizer": FC_ADAMW}),
        {},
        ["['model', 'optimizer']", "'param_groups'", "under 'optimizer'"],
    ),
    "no dict": ((TX, FC, 3), {}, ["state is int", "state_dict()"]),
    "a class of others": (
        (TX, FC, state_of({"lr": 1, "qmap": 2}, shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["['lr', 'params', 'qmap']", "of torch.optim", "AdamW"],
    ),
    "no names": ((TX, FC, FC_ADAMW), {}, ["0 to 1", "model.named_parameters()"]),
    "too few names": ((TX, FC, FC_ADAMW, NAMES[:1]), {}, ["1 entries", "2 parameters", "first group"]),
    "names in another order": (
        (TX, FC, named(adamw(shapes=FC_SHAPES), NAMES[:2]), NAMES[1::-1]),
        {},
        ["names[0] is 'fc.bias'", "'fc.weight' there", "Leave names out"],
    ),
    "a name of nothing": ((TX, FC, FC_ADAMW, {5: "fc/bias"}), {}, ["names has 5", "[0, 1]", "2 in all"]),
    "a path of nothing": (
        (TX, FC, FC_ADAMW, {0: "fc/kernal"}),
        {},
        ["'fc/kernal' for torch's '0'", "fc/kernel"],
    ),
    "a name like none": (
        (TX, FC, FC_ADAMW, ["fc.weights", "fc.bias"]),
        {},
        ["'fc.weights' has 0 leaves", "fc/kernel", "None for a parameter that is not wanted"],
    ),
    "one leaf twice": (
        (TX, FC, FC_ADAMW, {0: "fc/bias", 1: "fc/bias"}),
        {},
        ["'0' and '1'", "the leaf 'fc/bias'", "one parameter for each"],
    ),
    "names of two": ((TX, FC, [FC_ADAMW, FC_ADAMW], NAMES[:2]), {}, ["2 state_dicts", "names of each"]),
    "an array of objects": (
        (TX, BIAS, with_array(np.asarray([None, 1])), ["fc.bias"]),
        {},
        ["'exp_avg' of 'fc.bias'", "ndarray", "an array of object", "dense"],
    ),
    "a square": (
        (TX, PARAMS, adamw(), NAMES),
        {},
        ["'square/kernel'", "[3, 3]", "transpose={'square/kernel': (1, 0)}"],
    ),
    "another shape": (
        (TX, {"fc": {"kernel": jnp.ones((3, 5)), "bias": jnp.ones(4)}}, FC_ADAMW, NAMES[:2]),
        {},
        ["'fc.weight' is [4, 3]", "expected [3, 5] for 'fc/kernel'", "reshape"],
    ),
    "no axes": (
        (TX, FC, FC_ADAMW, NAMES[:2]),
        {"transpose": {"fc/kernel": (0, 2)}},
        ["(0, 2) for 'fc/kernel'", "an order of (0, 1)"],
    ),
    "turned the wrong way": (
        (TX, FC, FC_ADAMW, NAMES[:2]),
        {"transpose": {"fc/kernel": False}},
        ["[4, 3]", "expected [3, 4]"],
    ),
    "a pattern of nothing": (
        (TX, FC, FC_ADAMW, NAMES[:2]),
        {"transpose": {"fx/*": True}},
        ["'fx/*'", "matches no leaf", "'fc/bias'"],
    ),
    "amsgrad there": (
        (TX, FC, adamw(shapes=FC_SHAPES, amsgrad=True), NAMES[:2]),
        {},
        ["'scale_by_adam'", "amsgrad=True", "'fc/bias'", "scale_by_amsgrad", "amsgrad(...)"],
    ),
    "amsgrad here": (
        (gc.amsgrad(0.01), FC, adamw(shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["'scale_by_amsgrad'", "amsgrad=False", "adam(...)"],
    ),
    "nesterov": (
        (gc.nadam(0.01), FC, adamw(shapes=FC_SHAPES, weight_decay=0.0), NAMES[:2]),
        {},
        ["nesterov=True", "AdamW of 'fc/bias'", "Pass nesterov=False"],
    ),
    "momentum that changes": (
        (gc.nadam(0.01), FC, state_of(NADAM, "exp_avg", "exp_avg_sq", shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["momentum_decay=0.004", "a constant b1", "to 1e9"],
    ),
    "centered": (
        (gc.rmsprop(0.01, centered=True), FC, state_of(RMSPROP, "square_avg", shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["'scale_by_stddev'", "centered=False", "rmsprop(..., centered=False)"],
    ),
    "eps in the root": (
        (gc.rmsprop(0.01), FC, state_of(RMSPROP, "square_avg", shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["'scale_by_rms' has eps_in_sqrt=True", "Pass eps_in_sqrt=False"],
    ),
    "a sum that was scaled": (
        (
            gc.rmsprop(FALLING, eps_in_sqrt=False, momentum=0.9),
            FC,
            state_of(RMSPROP, "square_avg", "momentum_buffer", shapes=FC_SHAPES, momentum=0.9),
            NAMES[:2],
        ),
        {},
        ["'trace'", "by a schedule", "'fc/bias'", "trace(momentum), scale_by_learning_rate(schedule)"],
    ),
    "no gradient in the sum": (
        (
            gc.sgd(0.01, 0.9),
            FC,
            state_of(SGD, "momentum_buffer", step=None, shapes=FC_SHAPES, dampening=1),
            NAMES[:2],
        ),
        {},
        ["dampening=1", "less than 1 for 'trace'", "without momentum"],
    ),
    "an average whose decay changes": (
        (
            gc.chain(gc.ema(FALLING, debias=False), gc.scale_by_learning_rate(0.01)),
            FC,
            state_of(SGD, "momentum_buffer", step=None, shapes=FC_SHAPES),
            NAMES[:2],
        ),
        {},
        ["'ema' has a schedule for decay", "SGD of 'fc/bias'", "use trace"],
    ),
    "a class that is not here": (
        (TX, FC, state_of({"lr": 1, "lambd": 1e-4, "alpha": 0.75}, shapes=FC_SHAPES), NAMES[:2]),
        {},
        ["'lambd'", "of no class that is known here", "Adadelta"],
    ),
    "a schedule without its step": (
        (
            gc.sgd(FALLING, 0.9),
            FC,
            state_of(SGD, "momentum_buffer", step=None, shapes=FC_SHAPES),
            NAMES[:2],
        ),
        {},
        ["'scale_by_learning_rate/count'", "torch's SGD has kept none", "Pass step="],
    ),
    "a step that is none": ((TX, FC, FC_ADAMW, NAMES[:2]), {"step": -1}, ["step is -1", "at least 0"]),
    "another optimizer": (
        (gc.lion(0.01), FC, FC_ADAMW, NAMES[:2]),
        {},
        ["AdamW keeps of 'fc/kernel': 'exp_avg', 'exp_avg_sq'", "'scale_by_lion/mu/fc/kernel'"],
    ),
    "decay in the gradient": (
        (TX, FC, adamw(shapes=FC_SHAPES, decoupled_weight_decay=False), NAMES[:2]),
        {},
        ["torch's Adam adds weight_decay=0.1 of 'fc/bias' to the gradient", "add_decayed_weights(0.1)"],
    ),
    "decay apart": (
        (gc.chain(gc.add_decayed_weights(0.1), gc.adam(0.01)), FC, FC_ADAMW, NAMES[:2]),
        {},
        ["out of the statistics", "adamw(..., weight_decay=0.1)"],
    ),
    "complex squares": (
        (TX, COMPLEX, complex_state(), ["w"]),
        {},
        ["AdamW takes the complex 'w'", "|g|^2", "initialise='**/w'"],
    ),
    "codes": (
        (TX, BIAS, with_array(np.ones(4, np.uint8)), ["fc.bias"]),
        {},
        ["'scale_by_adam/mu/fc/bias' is uint8[4]", "decode"],
    ),
    "factors of a convolution": (
        (gc.adafactor(0.01, 1), CONV, factors((6, 5, 3, 2)), ["conv.weight"]),
        {},
        ["'conv/kernel'", "axes 2 and 3 of 4", "rows (0, 1, 2)", "'rcbb'", "initialise='**/conv/kernel'"],
    ),
    "no factors": (
        (gc.adafactor(0.01), KERNEL, factors((4, 3)), ["fc.weight"]),
        {},
        ["factors of the second moment", "all of it", "min_dim_size_to_factor=1"],
    ),
    "the least size": (
        (
            gc.adafactor(0.01),
            BIAS,
            state_of(ADAFACTOR, "variance", shapes=only("fc.bias"), eps=(None, 1e-2)),
            ["fc.bias"],
        ),
        {},
        ["eps[1]=0.01", "scale_by_param_block_rms(0.01)"],
    ),
    "outputs in the rows": (
        (
            rows(gc.muon(0.01)),
            KERNEL,
            state_of(MUON, "momentum_buffer", step=None, shapes=only("fc.weight")),
            ["fc.weight"],
        ),
        {},
        ["'fc/kernel'", "[out, in]", "with_axes(tx, {'fc/kernel': 'rc'})"],
    ),
}


@pytest.mark.parametrize(("args", "kwargs", "words"), FAULTS.values(), ids=FAULTS)
def test_faults(args, kwargs, words):
    with pytest.raises(gc.CheckpointError) as error:
        gc.from_torch(*args, **kwargs)
    says(error, "from_torch", *words)
