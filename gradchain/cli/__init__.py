"""`gradchain` and `python -m gradchain`: what there is, what it keeps, schedules and configurations."""

from gradchain.cli.main import main, run

__all__ = ["main", "run"]
