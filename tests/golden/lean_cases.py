"""Less state: CAME, Adam-mini, SlimAdam, Fira, APOLLO, RACS; what is limited by its own past: SPAM."""

import contextlib
import sys
from collections import defaultdict
from unittest import mock

import adam_mini
import came_pytorch
import numpy as np
import pytorch_optimizer
import torch
from oracles import Case, call_text, numpy_case, torch_case, torch_steps

with mock.patch.dict(
    sys.modules,
    {f"bitsandbytes{x}": mock.MagicMock() for x in ("", ".optim", ".optim.optimizer", ".functional")},
):
    from apollo_torch.apollo import AdamW as ApolloAdamW  # its package asks for 8-bit kernels

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


def low_rank_cases() -> list[Case]:
    """Both without bias correction, which these libraries do after their limits and the papers before."""
    group = {"rank": 3, "update_proj_gap": 40, "scale": 1.0}
    adam = {"scale_by_adam": {"b1": B1, "b2": B2, "eps": EPS, "bias_correction": False}}
    config = {"learning_rate": LR, "rank": 3, "update_proj_gap": 40, "gamma": 1.01, "base_optimizer": adam}
    kwargs = {"lr": LR, "betas": (B1, B2), "eps": EPS}
    rest = {"problem": "calm", "rtol": 1e-7, "notes": "they add 1e-8 to norms that are divided by"}
    why = "one basis for all steps: between two the signs of singular vectors matter, which are anyone's"
    rest["insensitive"] = {"update_proj_gap": why}

    def patched(run, *patches):
        def on(problem):
            with contextlib.ExitStack() as stack:
                for patch in (mock.patch.object(torch.Tensor, "float", torch.Tensor.clone), *patches):
                    stack.enter_context(patch)
                return run(problem)

        return on

    def fira(params):
        groups = [{"params": list(params.values()), **group, "projection_type": "std"}]
        return pytorch_optimizer.Fira(groups, **kwargs, foreach=False)

    def apollo(scale_type: str):
        chosen = {**group, "scale_type": scale_type, "proj": "svd", "proj_type": "std"}

        def make(params):
            groups = [{"params": [params["w"]], **chosen}, {"params": [params["b"]]}]
            return ApolloAdamW(groups, **kwargs, correct_bias=False)

        name = "apollo" if scale_type == "channel" else "apollo_tensor"
        more = {"projection": "svd", "scale_type": scale_type}
        text = call_text(ApolloAdamW, {**kwargs, **chosen, "correct_bias": False})
        return Case(
            name, {"apollo": {**config, **more}}, "apollo-torch", text, patched(torch_steps(make)), **rest
        )

    plain = mock.patch.object(pytorch_optimizer.Fira, "debias", lambda self, beta, step: 1.0)
    run = patched(torch_steps(fira), plain)
    text = call_text(pytorch_optimizer.Fira, {**kwargs, **group}) + " in float64, without bias correction"
    return [
        Case("fira", {"fira": config}, "pytorch-optimizer", text, run, **rest),
        apollo("channel"),
        apollo("tensor"),
    ]


def racs_rule():
    """Two fixed-point iterations on the squares, running means, and the limit of growth."""
    q, s, last = defaultdict(float), defaultdict(float), defaultdict(float)

    def step(leaf, p, g, t):
        square = np.atleast_2d(g) ** 2  # a vector is one row
        row, col = np.ones(len(square)) * square.any(), square[0]
        for _ in range(2 if square.any() else 0):
            col = square.T @ row / (row @ row)
            row = square @ col / (col @ col)
        q[leaf], s[leaf] = 0.8 * q[leaf] + 0.2 * row, 0.8 * s[leaf] + 0.2 * col
        u = (np.atleast_2d(g) / (np.sqrt(np.outer(q[leaf], s[leaf])) + EPS)).reshape(p.shape)
        norm = np.linalg.norm(u)
        limit = min(1, 1.03 * (last[leaf] + 1e-8) / norm) if last[leaf] and norm else 1
        last[leaf] = limit * norm
        return p - LR * (0.7 * limit * u + 0.3 * p)

    return step


def racs_cases() -> list[Case]:
    config = {"learning_rate": LR, "decay": 0.8, "alpha": 0.7, "gamma": 1.03, "eps": EPS, "weight_decay": 0.3}
    return [
        numpy_case(
            "racs",
            {"racs": {**config, "iterations": 2}},
            "arXiv:2502.07752, algorithm 1, with 2 iterations",
            racs_rule,
            problem="calm",
        )
    ]


def cases() -> list[Case]:
    return [*came_cases(), *mini_cases(), *spam_cases(), *low_rank_cases(), *racs_cases()]
