"""`python -m benchmarks` times this machine, `python -m benchmarks step --repeats 5` in one respect."""

import sys

from benchmarks import step, trace

RUNS = {"trace": trace.main, "step": step.main}


def main() -> None:
    """Run what is named first on the command line with the rest as its arguments, or both."""
    name, *rest = sys.argv[1:] or [""]
    if name in RUNS:
        RUNS[name](rest)
    elif name:
        sys.exit(f"python -m benchmarks: no {name!r}; there is {' and '.join(RUNS)}")
    else:
        for run in RUNS.values():
            run([])


main()
