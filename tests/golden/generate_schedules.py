"""Write schedules.npz: rates by PyTorch, Transformers and Keras. Needs requirements.txt, not gradchain.

Each array is named after its oracle, in float64; values[t] is the rate of update number t + 1. The entry
`record` is JSON: the versions used, and for each array the configuration that must give the same values.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
import transformers
from torch.optim import lr_scheduler as torch_lr

keras.config.set_floatx("float64")

LR, LOW = 0.1, 0.004
COSINE, LINEAR, INTERPOLATE = "cosine_decay_schedule", "linear_schedule", "piecewise_interpolate_schedule"


def run(make, steps, lr=LR):
    """The rate that each of the first `steps` updates uses."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], lr=lr)
    scheduler = make(optimizer)
    values = []
    for t in range(steps):
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if t + 1 < steps:  # OneCycleLR refuses a step after its last
            scheduler.step()
    return np.array(values)


def cycle(steps, low=LOW):
    return {"init_value": LR, "peak_value": LR, "warmup_steps": 0, "decay_steps": steps, "end_value": low}


def warmup(init, peak, steps, **rest):
    return {"init_value": init, "peak_value": peak, "warmup_steps": steps, **rest}


def line(init, end, steps):
    return {LINEAR: {"init_value": init, "end_value": end, "transition_steps": steps}}


def torch_cases():
    def one_cycle(steps, pct, **settings):
        settings |= {"max_lr": LR, "total_steps": steps, "pct_start": pct, "cycle_momentum": False}
        settings |= {"div_factor": 20.0, "final_div_factor": 500.0}
        return run(lambda o: torch_lr.OneCycleLR(o, **settings), steps)

    yield (
        "CosineAnnealingLR",
        run(lambda o: torch_lr.CosineAnnealingLR(o, T_max=60, eta_min=LOW), 61),
        {COSINE: {"init_value": LR, "decay_steps": 60, "alpha": LOW / LR}},
    )
    yield (
        "CosineAnnealingWarmRestarts",
        run(lambda o: torch_lr.CosineAnnealingWarmRestarts(o, T_0=10, T_mult=2, eta_min=LOW), 70),
        {"sgdr_schedule": {"cosine_kwargs": [cycle(10), cycle(20), cycle(40)]}},
    )
    yield (
        "ExponentialLR",
        run(lambda o: torch_lr.ExponentialLR(o, gamma=0.97), 80),
        {"exponential_decay": {"init_value": LR, "transition_steps": 1, "decay_rate": 0.97}},
    )
    yield (
        "StepLR",
        run(lambda o: torch_lr.StepLR(o, step_size=15, gamma=0.3), 80),
        {
            "exponential_decay": {
                "init_value": LR, "transition_steps": 15, "decay_rate": 0.3, "staircase": True,
            }
        },
    )  # fmt: skip
    yield (
        "MultiStepLR",
        run(lambda o: torch_lr.MultiStepLR(o, milestones=[12, 40], gamma=0.2), 60),
        {"piecewise_constant_schedule": {"init_value": LR, "boundaries_and_scales": {"12": 0.2, "40": 0.2}}},
    )
    yield (
        "PolynomialLR",
        run(lambda o: torch_lr.PolynomialLR(o, total_iters=50, power=1.7), 60),
        {
            "polynomial_schedule": {
                "init_value": LR, "end_value": 0.0, "power": 1.7, "transition_steps": 50,
            }
        },
    )  # fmt: skip
    yield (
        "LinearLR",
        run(lambda o: torch_lr.LinearLR(o, start_factor=0.25, end_factor=0.8, total_iters=40), 60),
        line(0.25 * LR, 0.8 * LR, 40),
    )
    yield (
        "SequentialLR",
        run(
            lambda o: torch_lr.SequentialLR(
                o,
                [torch_lr.LinearLR(o, 0.1, 1.0, 20), torch_lr.CosineAnnealingLR(o, 50, eta_min=LOW)],
                milestones=[20],
            ),
            70,
        ),
        {
            "join_schedules": {
                "schedules": [
                    line(0.1 * LR, LR, 20),
                    {COSINE: {"init_value": LR, "decay_steps": 50, "alpha": LOW / LR}},
                ],
                "boundaries": [20],
            }
        },
    )
    # OneCycleLR(total_steps=N, pct_start=p): points at p N - 1, (2 p N - 2,) N - 1. Here p N is whole.
    yield (
        "OneCycleLR(cos)",
        one_cycle(60, 0.3),
        {
            "cosine_onecycle_schedule": {
                "transition_steps": 59, "peak_value": LR, "pct_start": 17 / 59,
                "div_factor": 20.0, "final_div_factor": 500.0,
            }
        },
    )  # fmt: skip
    yield (
        "OneCycleLR(linear, three_phase)",
        one_cycle(60, 0.3, anneal_strategy="linear", three_phase=True),
        {
            "linear_onecycle_schedule": {
                "transition_steps": 59, "peak_value": LR, "pct_start": 17 / 59, "pct_final": 34 / 59,
                "div_factor": 20.0, "final_div_factor": 500.0,
            }
        },
    )  # fmt: skip
    # The other two combinations have no schedule of their own: they interpolate between the same points.
    yield (
        "OneCycleLR(linear)",
        one_cycle(60, 0.3, anneal_strategy="linear"),
        {
            INTERPOLATE: {
                "interpolate_type": "linear", "init_value": LR / 20,
                "boundaries_and_scales": {"17": 20.0, "59": 1 / (20.0 * 500.0)},
            }
        },
    )  # fmt: skip
    yield (
        "OneCycleLR(cos, three_phase)",
        one_cycle(60, 0.3, three_phase=True),
        {
            INTERPOLATE: {
                "interpolate_type": "cosine", "init_value": LR / 20,
                "boundaries_and_scales": {"17": 20.0, "34": 1 / 20.0, "59": 1 / 500.0},
            }
        },
    )  # fmt: skip

    bounds = {"base_lr": LOW, "max_lr": LR, "step_size_up": 7, "cycle_momentum": False}
    for mode, rest, ours in (
        ("triangular", {"step_size_down": 12}, {"down_steps": 12}),
        ("triangular2", {}, {"shrink": 0.5}),
        ("exp_range", {"gamma": 0.97}, {"gamma": 0.97}),
    ):
        settings = {**bounds, **rest, "mode": mode}
        yield (
            f"CyclicLR({mode})",
            run(lambda o, s=settings: torch_lr.CyclicLR(o, **s), 80),
            {"cyclic_schedule": {"low": LOW, "peak": LR, "up_steps": 7, **ours}},
        )


def keras_cases():
    for name, staircase in (("InverseTimeDecay", False), ("InverseTimeDecay(staircase)", True)):
        rule = keras.optimizers.schedules.InverseTimeDecay(LR, 12, 0.7, staircase=staircase)
        config = {"init_value": LR, "transition_steps": 12, "decay_rate": 0.7, "staircase": staircase}
        values = np.array([float(rule(np.float64(t))) for t in range(60)])
        yield name, values, {"inverse_time_schedule": config}


def transformers_cases():
    yield (
        "get_constant_schedule_with_warmup",
        run(lambda o: transformers.get_constant_schedule_with_warmup(o, 12), 30),
        {"warmup_constant_schedule": warmup(0.0, LR, 12)},
    )
    yield (
        "get_linear_schedule_with_warmup",
        run(lambda o: transformers.get_linear_schedule_with_warmup(o, 12, 70), 80),
        {"join_schedules": {"schedules": [line(0.0, LR, 12), line(LR, 0.0, 58)], "boundaries": [12]}},
    )
    yield (
        "get_cosine_schedule_with_warmup",
        run(lambda o: transformers.get_cosine_schedule_with_warmup(o, 12, 70), 71),
        {"warmup_cosine_decay_schedule": warmup(0.0, LR, 12, decay_steps=70)},
    )
    yield (
        "get_cosine_with_min_lr_schedule_with_warmup",
        run(lambda o: transformers.get_cosine_with_min_lr_schedule_with_warmup(o, 12, 70, min_lr=LOW), 71),
        {"warmup_cosine_decay_schedule": warmup(0.0, LR, 12, decay_steps=70, end_value=LOW)},
    )
    for form in ("linear", "cosine", "1-sqrt"):
        settings = {"num_stable_steps": 20, "decay_type": form, "min_lr_ratio": 0.05}
        rest = {"stable_steps": 20, "cooldown_steps": 30, "end_value": 0.05 * LR, "cooldown": form}
        yield (
            f"get_wsd_schedule({form})",
            run(lambda o, s=settings: transformers.get_wsd_schedule(o, 10, 30, **s), 70),
            {"wsd_schedule": warmup(0.05 * LR, LR, 10, **rest)},
        )
    yield (
        "get_inverse_sqrt_schedule",
        run(lambda o: transformers.get_inverse_sqrt_schedule(o, 12), 80),
        {"inverse_sqrt_schedule": warmup(0.0, LR, 12)},
    )
    yield (
        "get_inverse_sqrt_schedule(timescale)",
        run(lambda o: transformers.get_inverse_sqrt_schedule(o, 12, timescale=30), 80),
        {"inverse_sqrt_schedule": warmup(0.0, LR, 12, timescale=30)},
    )


def main() -> None:
    arrays, configs = {}, {}
    for name, values, config in (*torch_cases(), *transformers_cases(), *keras_cases()):
        assert name not in arrays and np.isfinite(values).all(), name
        arrays[name], configs[name] = values, config
    libraries = {"torch": torch, "transformers": transformers, "keras": keras, "numpy": np}
    versions = {name: library.__version__ for name, library in libraries.items()}
    record = json.dumps({"versions": versions, "configs": configs})
    path = Path(__file__).with_name("schedules.npz")
    np.savez_compressed(path, record=np.array(record), **arrays)
    print(f"{len(arrays)} schedules, {path.stat().st_size / 1024:.0f} KiB, {versions}")


if __name__ == "__main__":
    main()
