"""Write the golden trajectories: problems.npz, and <family>.json and .npz for each module <family>_cases.

Needs requirements.txt, not gradchain. Names of families as arguments: only those are written anew.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from problems import PROBLEMS

HERE = Path(__file__).parent
FAMILIES = sorted(f.stem.removesuffix("_cases") for f in HERE.glob("*_cases.py"))


def main(families: list[str]) -> None:
    problems = {name: draw() for name, draw in PROBLEMS.items()}
    inputs = {}
    for name, problem in problems.items():
        inputs |= {f"{name}/params/{leaf}": value for leaf, value in problem.params.items()}
        inputs |= {f"{name}/grads/{leaf}": value for leaf, value in problem.grads.items()}
    np.savez_compressed(HERE / "problems.npz", **inputs)
    for family in families:
        cases, arrays = import_module(f"{family}_cases").cases(), {}
        for case in cases:
            taken = case.run(problems[case.problem])
            fine = all(value.dtype == np.float64 and np.isfinite(value).all() for value in taken.values())
            assert fine, case.name
            arrays |= {f"{case.name}/{leaf}": value for leaf, value in taken.items()}
        np.savez_compressed(HERE / f"{family}.npz", **arrays)
        text = json.dumps([case.record() for case in cases], indent=1)
        (HERE / f"{family}.json").write_text(text + "\n")
        size = (HERE / f"{family}.npz").stat().st_size
        print(f"{family}: {len(cases)} cases, {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main(sys.argv[1:] or FAMILIES)
