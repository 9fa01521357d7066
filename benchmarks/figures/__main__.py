"""`python -m benchmarks.figures` draws all tables anew, `python -m benchmarks.figures step` one."""

import sys

from benchmarks import figures
from benchmarks.figures import front
from benchmarks.results import RESULTS

wanted = sys.argv[1:]
tables = [RESULTS / f"{name}.csv" for name in wanted if name != "front"]
for table in tables if wanted else sorted(RESULTS.glob("*.csv")):
    figures.show(table)
if not wanted or "front" in wanted:
    print(front.draw(front.WHERE))
