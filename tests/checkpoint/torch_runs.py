"""Write torch_runs.npz: what torch's optimizers keep after some steps, and where the next ones lead.

Needs tests/golden/requirements.txt, not gradchain: python tests/checkpoint/torch_runs.py. All in float64.
"""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import torch

HERE = Path(__file__).parent
BEFORE, AFTER = 5, 10  # steps
LATE = 2  # steps without a gradient of "up.weight", where a case says so
SHAPES = {"fc.weight": (4, 3), "fc.bias": (4,), "up.weight": (5, 4)}
CONV = {"conv.weight": (4, 3, 2, 2)}
BETAS = {"betas": (0.85, 0.97), "eps": 1e-3}
ADAM = {"lr": 0.02, **BETAS}
MUON = {
    "lr": 0.03,
    "weight_decay": 0.4,
    "momentum": 0.9,
    "ns_coefficients": (3.4, -4.7, 2.0),
    "ns_steps": 4,
    "eps": 0.0,
}
ADAFACTOR = {"lr": 0.3, "beta2_decay": -0.7, "eps": (1e-30, 1e-3), "d": 1.1}
CASES = {
    "adam": ("Adam", ADAM),
    "adam_l2": ("Adam", {**ADAM, "weight_decay": 0.3}),
    "amsgrad": ("Adam", {**ADAM, "amsgrad": True}),
    "adamw": ("AdamW", {**ADAM, "weight_decay": 0.3}),
    "adamw_late": ("AdamW", {**ADAM, "weight_decay": 0.3}),
    "adamw_groups": ("AdamW", {**ADAM, "weight_decay": 0.3}),
    "sgd": ("SGD", {"lr": 0.02, "weight_decay": 0.1}),
    "sgd_momentum": ("SGD", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
    "sgd_nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    "sgd_dampening": ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.25}),
    "adagrad": ("Adagrad", {"lr": 0.1, "eps": 1e-3, "initial_accumulator_value": 0.2, "weight_decay": 0.1}),
    "adagrad_decay": ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "eps": 1e-3}),
    "rmsprop": ("RMSprop", {"lr": 0.02, "alpha": 0.8, "eps": 1e-3}),
    "rmsprop_centered": ("RMSprop", {"lr": 0.02, "alpha": 0.8, "eps": 1e-3, "centered": True}),
    "rmsprop_momentum": ("RMSprop", {"lr": 0.02, "alpha": 0.8, "eps": 1e-3, "momentum": 0.7}),
    "adadelta": ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4}),
    "rprop": ("Rprop", {"lr": 0.02, "etas": (0.4, 1.3), "step_sizes": (1e-3, 0.03)}),
    "adamax": ("Adamax", ADAM),
    "radam": ("RAdam", {"lr": 0.02, "betas": (0.85, 0.9), "eps": 1e-3}),
    "nadam": ("NAdam", {**ADAM, "momentum_decay": 1e9}),
    "adafactor": ("Adafactor", ADAFACTOR),
    "adafactor_decay": ("Adafactor", {**ADAFACTOR, "weight_decay": 0.1}),
    "adafactor_conv": ("Adafactor", ADAFACTOR),
    "muon": ("Muon", MUON),
    "muon_rms": ("Muon", {**MUON, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
}


def optimizers(name: str, params: dict[str, torch.Tensor]) -> list[torch.optim.Optimizer]:
    """One, and for the vectors that torch's Muon does not take one more."""
    kind, kwargs = CASES[name]
    make = getattr(torch.optim, kind)
    if kind == "Muon":
        matrices = {k: p for k, p in params.items() if p.ndim > 1}
        rest = {k: p for k, p in params.items() if p.ndim < 2}
        return [
            make(matrices.values(), **kwargs),
            torch.optim.AdamW(rest.values(), **{**ADAM, "eps": MUON["eps"]}),
        ]
    if name == "adamw_groups":
        biases = {"params": [("fc.bias", params["fc.bias"])], "weight_decay": 0.0, "lr": 0.05}
        return [make([biases, {"params": [(k, p) for k, p in params.items() if p.ndim > 1]}], **kwargs)]
    return [make(params.values(), **kwargs)]


def steps(made: list, params: dict[str, torch.Tensor], grads: dict, start: int, n: int, late: bool) -> dict:
    taken: dict[str, list] = {k: [] for k in params}
    for t in range(start, start + n):
        for k, p in params.items():
            p.grad = None if late and k == "up.weight" and t < LATE else torch.tensor(grads[k][t])
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # to which Muon would round
            for opt in made:
                opt.step()
        for k, p in params.items():
            taken[k].append(p.detach().numpy().copy())
    return {k: np.stack(x) for k, x in taken.items()}


def main() -> None:
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(7)
    shapes = SHAPES | CONV
    start = {k: rng.normal(size=shape) for k, shape in shapes.items()}
    grads = {k: rng.normal(size=(BEFORE + AFTER, *shape)) for k, shape in shapes.items()}
    arrays, groups = {f"grads/{k}": g[BEFORE:] for k, g in grads.items()}, {}
    for name in CASES:
        here = CONV if name.endswith("conv") else SHAPES
        params = {k: torch.tensor(start[k], requires_grad=True) for k in here}
        made, late = optimizers(name, params), name.endswith("late")
        now = steps(made, params, grads, 0, BEFORE, late)
        arrays |= {f"{name}/now/{k}": x[-1] for k, x in now.items()}
        states = [opt.state_dict() for opt in made]
        groups[name] = [state["param_groups"] for state in states]
        for i, state in enumerate(states):
            for key, held in state["state"].items():
                kept = {field: x for field, x in held.items() if x is not None}
                arrays |= {f"{name}/state/{i}/{key}/{field}": x.clone().numpy() for field, x in kept.items()}
        then = steps(made, params, grads, BEFORE, AFTER, late)
        arrays |= {f"{name}/then/{k}": x for k, x in then.items()}
    arrays["groups"] = np.asarray(json.dumps({"torch": torch.__version__, "groups": groups}))
    np.savez_compressed(HERE / "torch_runs.npz", **arrays)


if __name__ == "__main__":
    main()
