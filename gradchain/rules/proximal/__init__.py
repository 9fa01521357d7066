"""Steps under penalties and constraints, solved exactly."""

from gradchain.rules.proximal.ftrl import ScaleByFtrlState, ftrl, scale_by_ftrl

__all__ = ["ScaleByFtrlState", "ftrl", "scale_by_ftrl"]
