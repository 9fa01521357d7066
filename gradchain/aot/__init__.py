"""What the TPU and GPU compilers make of an optimizer's update, on a machine that has neither.

`python -m gradchain.aot --help`; from Python, `from gradchain import aot`.
"""

from gradchain.aot.collectives import collectives, host
from gradchain.aot.hlo import Program
from gradchain.aot.model import shapes
from gradchain.aot.report import Finding, Report
from gradchain.aot.run import check
from gradchain.aot.table import show
from gradchain.aot.targets import MissingCompiler, Target, TopologyError, topology

__all__ = [
    "Finding",
    "MissingCompiler",
    "Program",
    "Report",
    "Target",
    "TopologyError",
    "check",
    "collectives",
    "host",
    "shapes",
    "show",
    "topology",
]
