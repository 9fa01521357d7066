"""Less state: CAME, Adam-mini, SlimAdam, Fira, APOLLO, RACS; what is limited by its own past: SPAM."""

from collections import defaultdict

import adam_mini
import came_pytorch
import numpy as np
import pytorch_optimizer
from oracles import Case, call_text, numpy_case, torch_case, torch_steps

LR, B1, B2, EPS = 0.02, 0.85, 0.97, 1e-3
CONFIG = {"learning_rate": LR, "b1": B1, "b2": B2, "eps": EPS}


def came_cases() -> list[Case]:
    config = {**CONFIG, "b3": 0.99, "clipping_threshold": 0.7, "eps": 1e-4, "eps_res": EPS}
    kwargs = {"lr": LR, "betas": (B1, B2, 0.99), "eps": (1e-4, EPS), "clip_threshold": 0.7}
    return [
        torch_case(
            "came",
            {"came": {**config, "weight_decay": 0.3}},
            came_pytorch.CAME,
            {**kwargs, "weight_decay": 0.3},
            library="came-pytorch",
        )
    ]


def slim():
    """Adam, with the mean of squares over the rows of a matrix."""
    m, v = defaultdict(float), defaultdict(float)

    def step(leaf, p, g, t):
        square = (g * g).mean(0, keepdims=True) if g.ndim > 1 else g * g
        m[leaf] = B1 * m[leaf] + (1 - B1) * g
        v[leaf] = B2 * v[leaf] + (1 - B2) * square
        u = m[leaf] / (1 - B1**t) / (np.sqrt(v[leaf] / (1 - B2**t)) + EPS)
        return p - LR * (u + 0.3 * p)

    return step


def mini_cases() -> list[Case]:
    from matrix_cases import transposed  # after `oracles`, which says what keras runs on

    kwargs = {"lr": LR, "betas": (B1, B2), "eps": EPS, "weight_decay": 0.3}

    def make(params):
        named = [("mlp.weight", params["w"]), ("norm.weight", params["b"])]
        return adam_mini.Adam_mini(named, **kwargs, dim=5, n_heads=1, verbose=False)

    call = ", ".join(f"{k}={v!r}" for k, v in kwargs.items())
    return [
        Case(
            "adam_mini",
            {"adam_mini": {**CONFIG, "weight_decay": 0.3, "mask": "w"}},
            "adam-mini",
            f"adam_mini.Adam_mini({call}) of mlp.weight and norm.weight",
            transposed(torch_steps(make)),
            notes="one second moment for each output, and one for a vector; its norms do not decay",
        ),
        numpy_case(
            "slim_adam",
            {"slim_adam": {**CONFIG, "over": {"w": "rows"}, "weight_decay": 0.3}},
            "arXiv:2503.01843, section 2",
            slim,
        ),
    ]


def spam_cases() -> list[Case]:
    """Resets in steps 9 and 18."""
    from layer_cases import per_layer  # after `oracles`

    common = {"lr": LR, "betas": (B1, B2), "foreach": False, "update_proj_gap": 9}
    kwargs = {**common, "eps": 0.0, "threshold": 2, "warmup_epoch": 4, "grad_accu_steps": 3}
    config = {"reset_every": 9, "threshold": 2.0, "warmup_steps": 4, "wait_steps": 3, "eps": 0.0}
    stable = {"eps": EPS, "gamma1": 0.6, "gamma2": 0.8, "theta": 0.7}
    layers = torch_steps(
        lambda params: pytorch_optimizer.StableSPAM(list(params.values()), **common, **stable)
    )
    return [
        torch_case(
            "spam",
            {"spam": {**CONFIG, **config}},
            pytorch_optimizer.SPAM,
            kwargs,
            library="pytorch-optimizer",
            problem="calm",
        ),
        Case(
            "stable_spam",
            {"stable_spam": {**CONFIG, **stable, "reset_every": 9}},
            "pytorch-optimizer",
            call_text(pytorch_optimizer.StableSPAM, {**common, **stable}) + " on each layer",
            per_layer(layers),
            problem="stack",
        ),
    ]


def cases() -> list[Case]:
    return [*came_cases(), *mini_cases(), *spam_cases()]
