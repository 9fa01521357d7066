"""`python -m benchmarks.aot tpu` and `python -m benchmarks.aot h100`."""

from benchmarks.aot.run import main

main()
