"""Write the golden trajectories: cases.json and trajectories.npz. Needs requirements.txt, not gradchain."""

import json
from pathlib import Path

import adam_cases
import gradient_cases
import layer_cases
import matrix_cases
import numpy as np
import wrapper_cases
from problems import PROBLEMS

HERE = Path(__file__).parent
FAMILIES = (gradient_cases, adam_cases, layer_cases, matrix_cases, wrapper_cases)


def main() -> None:
    cases = [case for family in FAMILIES for case in family.cases()]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases share a name"
    problems = {name: draw() for name, draw in PROBLEMS.items()}
    arrays = {}
    for name, problem in problems.items():
        arrays |= {f"{name}/params/{leaf}": value for leaf, value in problem.params.items()}
        arrays |= {f"{name}/grads/{leaf}": value for leaf, value in problem.grads.items()}
    for case in cases:
        taken = case.run(problems[case.problem])
        assert all(value.dtype == np.float64 and np.isfinite(value).all() for value in taken.values()), (
            case.name
        )
        arrays |= {f"{case.name}/{leaf}": value for leaf, value in taken.items()}
    np.savez_compressed(HERE / "trajectories.npz", **arrays)
    text = json.dumps([case.record() for case in cases], indent=1)
    (HERE / "cases.json").write_text(text + "\n")
    size = (HERE / "trajectories.npz").stat().st_size
    print(f"{len(cases)} cases, {len(problems)} problems, {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
