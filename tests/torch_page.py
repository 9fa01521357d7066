"""What the tables of docs/torch.md say, run in the libraries that it is about: writes torch_page.npz.

Needs tests/golden/requirements.txt, not gradchain: python tests/torch_page.py. All in float64.
"""

import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "torch.md"
TABLES = ("torch.optim", "torch scheduler", "keras.optimizers", "keras schedule")
NUMBERS = {
    "lr": 0.02,
    "b1": 0.85,
    "b2": 0.9,
    "eps": 1e-3,
    "wd": 0.1,
    "m": 0.9,
    "a": 0.2,
    "rho": 0.8,
    "c": 0.5,
}
NUMBERS |= {"f": 0.4, "g": 1.3, "low": 1e-3, "high": 0.03, "peak": 0.05, "gamma": 0.7, "power": 1.7}
NUMBERS |= {"k": 10, "n": 30}
STEPS, POINTS = 12, 30  # of optimizers, of schedules
Arrays = dict[str, np.ndarray]


def lines() -> list[tuple[str, str, str]]:
    """(first head, cell there, cell here) of every line of every table."""
    found, table = [], ""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            table = ""
        elif not table:
            table = cells[0]
        elif len(cells) == 2 and set(cells[0]) != {"-"}:
            found.append((table, *cells))
        elif set(cells[0]) != {"-"}:
            raise ValueError(f"a line of {len(cells)} cells: {line}")
    return found


def rows() -> list[tuple[str, str, str]]:
    """(table, code there, code here) of the tables of code."""
    code = [
        (table, re.fullmatch(r"`(.+)`", there), re.fullmatch(r"`(.+)`", here))
        for table, there, here in lines()
    ]
    return [(table, there[1], here[1]) for table, there, here in code if table in TABLES and there and here]


def problem(matrices: bool) -> tuple[Arrays, Arrays]:
    """Parameters and the gradients of all steps, a weight as [in, out]."""
    rng = np.random.default_rng(3)
    params = {"w": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}
    grads = {k: rng.normal(size=(STEPS, *p.shape)) for k, p in params.items()}
    kept = ("w",) if matrices else ("w", "b")
    return {k: params[k] for k in kept}, {k: grads[k] for k in kept}


def only_matrices(code: str) -> bool:
    return code.startswith("Muon")


def in_torch(code: str) -> np.ndarray:
    """The parameters after each step, laid end to end: [steps, all]."""
    import torch

    start, grads = problem(only_matrices(code))
    params = {k: torch.tensor(p.T.copy(), requires_grad=True) for k, p in start.items()}
    opt = eval(code, {**vars(torch.optim), **NUMBERS, "params": list(params.values())})
    taken = []
    for t in range(STEPS):
        for k, p in params.items():
            p.grad = torch.tensor(grads[k][t].T.copy())
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):  # to which Muon would round
            opt.step()
        taken.append(np.concatenate([p.detach().numpy().T.ravel() for p in params.values()]))
    return np.stack(taken)


def rates_of_torch(code: str) -> np.ndarray:
    import torch

    opt = torch.optim.SGD([torch.zeros(1)], NUMBERS["lr"], momentum=0.9)
    scheduler, taken = eval(code, {**vars(torch.optim.lr_scheduler), **NUMBERS, "opt": opt}), []
    for t in range(POINTS):
        taken.append(opt.param_groups[0]["lr"])
        opt.step()
        if t + 1 < POINTS:
            scheduler.step()
    return np.asarray(taken)


def in_keras(code: str) -> np.ndarray:
    import keras

    start, grads = problem(only_matrices(code))
    params = {k: keras.Variable(p, dtype="float64") for k, p in start.items()}
    opt, taken = eval(code, {**vars(keras.optimizers), **NUMBERS}), []
    for t in range(STEPS):
        opt.apply([keras.ops.convert_to_tensor(grads[k][t]) for k in params], list(params.values()))
        taken.append(np.concatenate([keras.ops.convert_to_numpy(p.value).ravel() for p in params.values()]))
    return np.stack(taken)


def rates_of_keras(code: str) -> np.ndarray:
    import keras

    schedule: Any = eval(code, {**vars(keras.optimizers.schedules), **NUMBERS})
    return np.asarray([float(schedule(t)) for t in range(POINTS)])


def main() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import torch

    keras.config.set_floatx("float64")
    torch.set_default_dtype(torch.float64)
    run = dict(zip(TABLES, (in_torch, rates_of_torch, in_keras, rates_of_keras), strict=True))
    np.savez_compressed(
        HERE / "torch_page.npz", **{f"{table}: {code}": run[table](code) for table, code, _ in rows()}
    )


if __name__ == "__main__":
    main()
