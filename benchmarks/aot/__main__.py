"""`python -m benchmarks.aot tpu` and `python -m benchmarks.aot h100`."""

from benchmarks import figures
from benchmarks.aot import run

figures.show(run.main())
