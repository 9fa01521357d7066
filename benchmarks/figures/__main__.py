"""`python -m benchmarks.figures` draws all tables anew, `python -m benchmarks.figures step` one."""

import sys

from benchmarks import figures
from benchmarks.results import RESULTS

tables = [RESULTS / f"{name}.csv" for name in sys.argv[1:]] or sorted(RESULTS.glob("*.csv"))
for table in tables:
    figures.show(table)
