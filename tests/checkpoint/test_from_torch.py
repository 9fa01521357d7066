"""A run that began with torch goes on here with the same numbers (torch_runs.py has written it)."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gradchain as gc

RUNS = dict(np.load(Path(__file__).parent / "torch_runs.npz"))
GROUPS = json.loads(str(RUNS["groups"]))["groups"]
PATHS = {"fc.weight": "fc/kernel", "fc.bias": "fc/bias", "up.weight": "up/kernel"}
CONV = {"conv.weight": "conv/kernel"}
ADAM = {"b1": 0.85, "b2": 0.97, "eps": 1e-3}
RMS = {"decay": 0.8, "eps": 1e-3, "eps_in_sqrt": False}
FACTORED = {"decay_rate": 0.7, "clipping_threshold": 1.1, "eps": 0.0, "min_dim_size_to_factor": 1}
MUON = {
    "ns_coeffs": [3.4, -4.7, 2.0],
    "ns_steps": 4,
    "beta": 0.9,
    "eps": 0.0,
    "weight_decay": 0.4,
    "adam_b1": 0.85,
    "adam_b2": 0.97,
    "adam_weight_decay": 0.01,
    "adam_learning_rate": 0.02,
}


def falling(t):
    """The learning rate of torch's Adafactor."""
    return jnp.minimum(0.3, (t + 1) ** -0.5)


def groups():
    """Other numbers for biases, as torch's param_groups have them."""
    of = lambda lr, decay: gc.adamw(lr, **ADAM, weight_decay=decay)  # noqa: E731
    return gc.partition({"b": of(0.05, 0.0), "w": of(0.02, 0.3)}, {"**/bias": "b", "**": "w"})


def decayed(*links):
    return gc.chain(gc.add_decayed_weights(0.1), *links)


def radam_eps(t):
    """torch adds eps to the root before its bias is corrected."""
    return 1e-3 / jnp.sqrt(1 - 0.9 ** (t + 1.0))


HERE = {
    "adam": lambda: gc.adam(0.02, **ADAM),
    "adam_l2": lambda: gc.chain(gc.add_decayed_weights(0.3), gc.adam(0.02, **ADAM)),
    "amsgrad": lambda: gc.amsgrad(0.02, **ADAM),
    "adamw": lambda: gc.adamw(0.02, **ADAM, weight_decay=0.3),
    "adamw_late": lambda: gc.adamw(0.02, **ADAM, weight_decay=0.3),
    "adamw_groups": groups,
    "sgd": lambda: decayed(gc.sgd(0.02)),
    "sgd_momentum": lambda: decayed(gc.sgd(0.02, momentum=0.9)),
    "sgd_nesterov": lambda: gc.sgd(0.02, momentum=0.9, nesterov=True),
    "sgd_dampening": lambda: gc.sgd(0.02 * 0.75, momentum=0.9),
    "adagrad": lambda: decayed(gc.adagrad(0.1, 0.2, 1e-3, eps_in_sqrt=False)),
    "adagrad_decay": lambda: gc.adagrad(lambda t: 0.1 / (1 + 0.05 * t), 0.0, 1e-3, eps_in_sqrt=False),
    "rmsprop": lambda: gc.rmsprop(0.02, **RMS),
    "rmsprop_centered": lambda: gc.rmsprop(0.02, **RMS, centered=True),
    "rmsprop_momentum": lambda: gc.rmsprop(0.02, **RMS, momentum=0.7),
    "adadelta": lambda: gc.adadelta(0.5, 0.8, 1e-4),
    "rprop": lambda: gc.rprop(0.02, 0.4, 1.3, 1e-3, 0.03),
    "adamax": lambda: gc.adamax(0.02, **ADAM),
    "radam": lambda: gc.radam(0.02, 0.85, 0.9, eps=radam_eps),
    "nadam": lambda: gc.nadam(0.02, **ADAM),
    "adafactor": lambda: gc.adafactor(falling, **FACTORED),
    "adafactor_decay": lambda: gc.adafactor(falling, **FACTORED, weight_decay=0.3 * 0.1),
    "adafactor_conv": lambda: gc.with_axes(
        gc.adafactor(falling, **FACTORED, per_leaf=True), {"conv/kernel": "rcbb"}
    ),
    "muon": lambda: gc.muon(0.03, **MUON),
    "muon_rms": lambda: gc.muon(0.03, **MUON, nesterov=False, consistent_rms=0.2),
}
OTHERS = {  # the same runs through links in another order, or averages in place of sums
    "sgd_momentum after the rate": ("sgd_momentum", lambda: decayed(gc.sgd(0.02), gc.trace(0.9))),
    "sgd_dampening by an average": (
        "sgd_dampening",
        lambda: gc.chain(gc.ema(0.9, debias=False), gc.scale_by_learning_rate(0.02 * 7.5)),
    ),
    "sgd_dampening by a tunable average": (
        "sgd_dampening",
        lambda: gc.chain(gc.ema(gc.tunable(0.9), debias=False), gc.scale_by_learning_rate(0.02 * 7.5)),
    ),
    "rmsprop_momentum before the rate": (
        "rmsprop_momentum",
        lambda: gc.chain(gc.scale_by_rms(**RMS), gc.trace(0.7), gc.scale_by_learning_rate(0.02)),
    ),
    "adafactor in parts": (
        "adafactor",
        lambda: gc.chain(
            gc.scale_by_factored_rms(decay_rate=0.7, eps=0.0, min_dim_size_to_factor=1),
            gc.clip_by_block_rms(1.1),
            gc.scale_by_param_block_rms(1e-3),
            gc.scale_by_learning_rate(falling),
        ),
    ),
    "adam, a tunable rate": ("adam", lambda: gc.adam(gc.tunable(7.0), **ADAM)),
}


def run_of(case: str):
    """State_dicts and names; parameters, gradients and the parameters of all steps as they are here."""
    dicts = []
    for i, param_groups in enumerate(GROUPS[case]):
        start, state = f"{case}/state/{i}/", {}
        for path, x in RUNS.items():
            if path.startswith(start):
                key, field = path.removeprefix(start).split("/")
                state.setdefault(int(key), {})[field] = x
        dicts.append({"state": state, "param_groups": param_groups})
    paths = CONV if case.endswith("conv") else PATHS
    names = [n for n in paths if n.endswith("weight")], [n for n in paths if n.endswith("bias")]
    names = None if "param_names" in GROUPS[case][0][0] else list(names) if dicts[1:] else list(paths)
    now, grads, then = (
        nested({path: here(n, RUNS[f"{what}/{n}"]) for n, path in paths.items()})
        for what in (f"{case}/now", "grads", f"{case}/then")
    )
    return (dicts if dicts[1:] else dicts[0]), names, now, grads, then


def here(name, x):
    """A weight, or the weights of many steps, as [in, out] or [h, w, in, out]."""
    lead = x.ndim % 2  # an axis of the steps
    if name.endswith("bias"):
        return jnp.asarray(x)
    axes = (*range(2 + lead, x.ndim), 1 + lead, lead)
    return jnp.asarray(x.transpose(*range(lead), *axes))


def nested(flat):
    made = {}
    for path, x in flat.items():
        first, last = path.split("/")
        made.setdefault(first, {})[last] = x
    return made


def runner(tx, grads):
    """(parameters, state) -> the parameters of the next steps."""

    def step(carry, g):
        params, state = tx.step(g, carry[1], carry[0])
        return (params, state), params

    return jax.jit(lambda params, state: jax.lax.scan(step, (params, state), grads)[1])


def farthest(found, expected):
    """The largest difference of two trees."""
    assert gc.tree.paths(found) == gc.tree.paths(expected)
    leaves = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)))) for x, y in leaves)


ALL = {name: (name, tx) for name, tx in HERE.items()} | OTHERS


@pytest.mark.parametrize(("case", "make"), ALL.values(), ids=ALL)
def test_it_goes_on(case, make, x64):
    state, names, params, grads, expected = run_of(case)
    tx = make()
    made, report = gc.from_torch(tx, params, state, names)
    assert report.remarks == () and report.dropped == (), report
    go_on, fresh = runner(tx, grads), tx.init(params)
    assert farthest(go_on(params, made), expected) < 1e-10
    alike = jax.tree.structure(made) == jax.tree.structure(fresh)
    if alike and any(x.shape for x in jax.tree.leaves(made)):
        assert farthest(go_on(params, fresh), expected) > 1e-3  # a state that had begun anew would show
