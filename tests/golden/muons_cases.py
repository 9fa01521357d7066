"""Kin of Muon: what is done before and after the orthogonalisation, and where the step ends."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_optimizer
import torch
from emerging_optimizers.orthogonalized_optimizers import muon_hyperball, muon_utils, polargrad, spel
from matrix_cases import transposed
from oracles import Case, numpy_case, torch_steps
from pytorch_optimizer.optimizer import scion
from pytorch_optimizer.optimizer.utils import matrix

TRIPLE = (3.4, -4.7, 2.0)
ADAM = {"adam_b1": 0.8, "adam_b2": 0.97, "adam_weight_decay": 0.2, "adam_learning_rate": 0.01, "eps": 0.0}
ITERATION = {"ns_coeffs": list(TRIPLE), "ns_steps": 4}
GROUPS = {"adamw_betas": (0.8, 0.97), "adamw_wd": 0.2, "adamw_lr": 0.01, "adamw_eps": 0.0}

# Both libraries iterate in bfloat16 or float32: here in float64.
defaults = matrix.zero_power_via_newton_schulz_5.__defaults__
matrix.zero_power_via_newton_schulz_5.__defaults__ = (*defaults[:-1], torch.float64)
scion.BiasRMS.lmo.__defaults__ = (0.0,)


class Wide:
    """torch, whose float32 is float64."""

    def __getattr__(self, name: str) -> Any:
        return torch.float64 if name == "float32" else getattr(torch, name)


muon_utils.torch = Wide()
muon_utils._COEFFICIENT_SETS["simple"] = [TRIPLE]


def grouped(cls: type, **kwargs) -> Callable:
    """An optimizer of pytorch_optimizer for the matrix, and its AdamW for the vector."""

    def make(params: dict[str, torch.Tensor]):
        groups = [{"params": [p], "use_muon": p.ndim == 2} for p in params.values()]
        return cls(groups, **kwargs, **GROUPS)

    return make


class Both:
    """An optimizer of emerging_optimizers for the matrix, torch's AdamW for the vector."""

    def __init__(self, cls: type, params: dict[str, torch.Tensor], **kwargs):
        more = {"fp32_matmul_prec": "highest", "coefficient_type": "simple", "num_ns_steps": 4}
        adam = {"lr": 0.01, "betas": (0.8, 0.97), "eps": 0.0, "weight_decay": 0.2}
        self.parts = [cls([params["w"]], **kwargs, **more), torch.optim.AdamW([params["b"]], **adam)]

    def step(self) -> None:
        for part in self.parts:
            part.step()


def case(name: str, config: dict, library: str, oracle: str, make: Callable, **rest) -> Case:
    return Case(name, config, library, oracle, transposed(torch_steps(make)), problem="calm", **rest)


def from_pytorch_optimizer() -> list[Case]:
    shared = {"lr": 0.03, "weight_decay": 0.4, "ns_steps": 4, "ns_coeffs": TRIPLE, "eps": 0.0}
    config = {"learning_rate": 0.03, "weight_decay": 0.4, **ITERATION, **ADAM}
    library = "pytorch_optimizer"
    normuon = grouped(
        pytorch_optimizer.NorMuon, momentum=0.9, beta2=0.8, update_scale="match_rms", foreach=False, **shared
    )
    adamuon = grouped(pytorch_optimizer.AdaMuon, betas=(0.9, 0.8), use_adjusted_lr=True, **shared)
    norms = {"lr": 0.03, "momentum": 0.2, "scale": 1.5, "norm_type": scion.LMONorm.AUTO, "foreach": False}

    def scions(params: dict[str, torch.Tensor]):
        return pytorch_optimizer.SCION(list(params.values()), constraint=True, **norms)

    first = {"beta": 0.9, "b2": 0.8, "equilibrate": None}
    return [
        case("normuon", {"normuon": {"beta": 0.9, "b2": 0.8, **config}}, library, "NorMuon", normuon),
        case("adamuon_first_version", {"adamuon": {**config, **first}}, library, "AdaMuon", adamuon),
        case(
            "scion",
            {"scion": {"learning_rate": 0.03, "beta": 0.8, "radius": 1.5, "eps": 0.0}},
            library,
            "SCION, Auto",
            scions,
        ),
    ]


def from_emerging_optimizers() -> list[Case]:
    library = "emerging-optimizers"
    shared = {"lr": 0.03, "momentum": 0.9}
    config = {"learning_rate": 0.03, "beta": 0.9, **ITERATION, **ADAM}
    sphere = muon_hyperball.MuonHyperball
    return [
        case(
            "muonh",
            {"muonh": {**config, "nesterov": False}},
            library,
            "MuonHyperball",
            lambda params: Both(sphere, params, weight_decay=0.0, **shared),
        ),
        case(
            "spel",
            {"spel": {**config, "weight_decay": 0.4}},
            library,
            "Spel",
            lambda params: Both(spel.Spel, params, weight_decay=0.4, **shared),
        ),
        case(
            "polargrad",
            {"muon": {**config, "adaptive": True, "nesterov": False}},
            library,
            "PolarGrad",
            lambda params: Both(polargrad.PolarGrad, params, weight_decay=0.0, **shared),
            notes="sqrt(max(1, columns / rows)) is 1 here",
        ),
    ]


def orthogonal(x: np.ndarray, eps: float = 0.0) -> np.ndarray:
    a, b, c = TRIPLE
    turn = x.shape[0] > x.shape[1]
    x = x.T if turn else x
    x = x / (np.linalg.norm(x) + eps)
    for _ in range(4):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if turn else x


def adamw(b1: float, b2: float, decay: float, eps: float = 0.0) -> Callable:
    """The direction of AdamW for each leaf by name."""
    m, v = defaultdict(float), defaultdict(float)

    def direction(leaf, p, g, t):
        m[leaf] = b1 * m[leaf] + (1 - b1) * g
        v[leaf] = b2 * v[leaf] + (1 - b2) * g * g
        return m[leaf] / (1 - b1**t) / (np.sqrt(v[leaf] / (1 - b2**t)) + eps) + decay * p

    return direction


def adamuon():
    m, v = 0.0, 0.0
    other = adamw(0.8, 0.97, 0.2, 1e-2)

    def step(leaf, p, g, t):
        nonlocal m, v
        if leaf == "b":
            return p - 0.01 * other(leaf, p, g, t)
        m = 0.9 * m + 0.1 * g
        u = orthogonal(np.sign(m), 1e-2)
        v = 0.8 * v + 0.2 * u * u
        u = u / (np.sqrt(v) + 1e-2)
        u = u * 0.3 * np.sqrt(u.size) / np.linalg.norm(u)
        return p - 0.03 * (u + 0.4 * p)

    return step


def adamh():
    start = {}
    adam, other = adamw(0.8, 0.97, 0.0, 1e-2), adamw(0.8, 0.97, 0.2, 1e-2)

    def step(leaf, p, g, t):
        if leaf == "b":
            return p - 0.01 * other(leaf, p, g, t)
        radius = start.setdefault(leaf, np.linalg.norm(p))
        u = adam(leaf, p, g, t)
        q = p - 0.03 * radius * u / np.linalg.norm(u)
        return radius * q / np.linalg.norm(q)

    return step


def muown():
    """Weights [in, out]: a column for each output."""
    other, lengths = adamw(0.8, 0.97, 0.2, 1e-2), adamw(0.8, 0.97, 0.0, 1e-2)
    v = r = m = None

    def step(leaf, p, g, t):
        nonlocal v, r, m
        if leaf == "b":
            return p - 0.03 * other(leaf, p, g, t)
        if v is None:
            v, r, m = p, np.linalg.norm(p, axis=0), 0.0
        size = np.linalg.norm(v, axis=0)
        by_r = np.sum(g * v / size, axis=0)
        by_v = r / size * (g - by_r * v / size)
        m = 0.9 * m + 0.1 * by_v
        v = v - 0.03 * 0.3 * np.sqrt(max(p.shape)) * orthogonal(0.9 * m + 0.1 * by_v, 1e-2)
        r = r - 0.03 * lengths("r", r, by_r, t)
        return r * v / np.linalg.norm(v, axis=0)

    return step


def derived() -> list[Case]:
    rates = {"learning_rate": 0.03, "adam_learning_rate": 0.01, "adam_weight_decay": 0.2, "eps": 1e-2}
    return [
        numpy_case(
            "adamuon",
            {
                "adamuon": {
                    **rates,
                    **ITERATION,
                    "beta": 0.9,
                    "b2": 0.8,
                    "weight_decay": 0.4,
                    "consistent_rms": 0.3,
                    "adam_b1": 0.8,
                    "adam_b2": 0.97,
                }
            },
            "arXiv:2507.11005",
            adamuon,
            problem="calm",
        ),
        numpy_case(
            "muown",
            {
                "muown": {
                    **ITERATION,
                    "learning_rate": 0.03,
                    "beta": 0.9,
                    "b1": 0.8,
                    "b2": 0.97,
                    "eps": 1e-2,
                    "consistent_rms": 0.3,
                    "adam_weight_decay": 0.2,
                }
            },
            "arXiv:2605.10797",
            muown,
            problem="calm",
        ),
        numpy_case(
            "adamh",
            {"adamh": {**rates, "b1": 0.8, "b2": 0.97}},
            "arXiv:2606.16899",
            adamh,
            problem="calm",
        ),
    ]


def cases() -> list[Case]:
    return [*from_pytorch_optimizer(), *from_emerging_optimizers(), *derived()]
