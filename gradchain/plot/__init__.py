"""Figures of schedules, optimizers and runs: gc.plot.schedules, memory, curves, compare, ...

Each function returns a matplotlib figure and shows nothing: a notebook displays what a cell ends in, a
script says figure.savefig("run.png"). Figures are transparent, with colours for light and dark pages.
matplotlib is an extra: pip install 'gradchain[plot]'.
"""

from gradchain.plot.figure import panels
from gradchain.plot.optimizers import hyperparams, memory
from gradchain.plot.runs import compare, curves, ranking, update_ratios
from gradchain.plot.schedules import schedules
from gradchain.plot.spectra import singular_values

__all__ = [
    "compare",
    "curves",
    "hyperparams",
    "memory",
    "panels",
    "ranking",
    "schedules",
    "singular_values",
    "update_ratios",
]
