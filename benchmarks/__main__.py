"""`python -m benchmarks` times this machine, `python -m benchmarks step --repeats 5` in one respect.

`python -m benchmarks quality` and `leaderboard` train small models, the better part of an hour, and
`python -m benchmarks gpu` needs an NVIDIA card: they are run only when named.
"""

import sys
from importlib import import_module

from benchmarks import figures

# name -> whether it is run when nothing is named
RUNS = {"trace": True, "step": True, "quality": False, "gpu": False, "leaderboard": False}


def main() -> None:
    """Run what is named first on the command line with the rest as its arguments, or what is quick."""
    name, *rest = sys.argv[1:] or [""]
    if name and name not in RUNS:
        sys.exit(f"python -m benchmarks: no {name!r}; there is {', '.join(RUNS)}")
    for run in [name] if name else [run for run, usual in RUNS.items() if usual]:
        if table := import_module(f"benchmarks.{run}").main(rest):
            figures.show(table)


main()
