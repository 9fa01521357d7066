"""`python -m gradchain list`, `search`, `show`, `describe`, `plot-schedule`, `config`, `aot`."""

from gradchain.cli import run

run()
