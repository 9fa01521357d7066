"""State dicts of torch as tests write them, and the parameters here that they are of."""

import jax.numpy as jnp
import numpy as np

import gradchain as gc

PARAMS = {
    "fc": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)},
    "square": {"kernel": jnp.ones((3, 3))},
    "conv": {"kernel": jnp.ones((3, 2, 5, 6))},  # [h, w, in, out]
}
SHAPES = {"fc.weight": (4, 3), "fc.bias": (4,), "square.weight": (3, 3), "conv.weight": (6, 5, 3, 2)}
NAMES = list(SHAPES)
ADAMW = {
    "lr": 0.01,
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "weight_decay": 0.1,
    "amsgrad": False,
    "maximize": False,
    "decoupled_weight_decay": True,
}
SGD = {"lr": 0.01, "momentum": 0.9, "dampening": 0, "weight_decay": 0, "nesterov": False}
RMSPROP = {"lr": 0.01, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False}
ADAFACTOR = {"lr": 0.01, "beta2_decay": -0.8, "eps": (None, 1e-3), "d": 1.0, "weight_decay": 0.0}
MUON = {"lr": 0.01, "momentum": 0.95, "nesterov": True, "eps": 1e-7, "ns_steps": 5, "weight_decay": 0.1}
MUON |= {"ns_coefficients": (3.4445, -4.775, 2.0315), "adjust_lr_fn": None}
TURNED = {"square/kernel": True}


def state_of(group, *fields, shapes=SHAPES, step=7.0, **changes):
    """A state_dict with arrays that count up from 1, so that each element tells where it is."""
    held = {
        i: {f: np.arange(1.0, 1 + np.prod(shape), dtype=np.float32).reshape(shape) for f in fields}
        | ({} if step is None else {"step": np.asarray(step)})
        for i, shape in enumerate(shapes.values())
    }
    return {"state": held, "param_groups": [{**group, **changes, "params": list(range(len(shapes)))}]}


def adamw(**changes):
    return state_of(ADAMW, "exp_avg", "exp_avg_sq", **changes)


def only(name):
    return {name: SHAPES[name]}


FC = {"fc": PARAMS["fc"]}
FC_SHAPES = {"fc.weight": (4, 3), "fc.bias": (4,)}
BIAS = {"fc": {"bias": jnp.ones(4)}}
TX = gc.adamw(0.01, weight_decay=0.1)
