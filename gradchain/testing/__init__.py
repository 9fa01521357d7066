"""The laws that every gradient transformation keeps, for anybody's: check(my_transform).

No part of `import gradchain`; from gradchain import testing. Nothing but jax and numpy is needed.
"""

from gradchain.testing.law import Broken, Law
from gradchain.testing.run import Case, Report, Row, check, laws, laws_for
from gradchain.testing.sampling import sample
from gradchain.testing.sensitivity import changed, distance, sensitive
from gradchain.testing.subjects import TRAITS, Subject, subject

__all__ = [
    "TRAITS",
    "Broken",
    "Case",
    "Law",
    "Report",
    "Row",
    "Subject",
    "changed",
    "check",
    "distance",
    "laws",
    "laws_for",
    "sample",
    "sensitive",
    "subject",
]
