"""Optimizers as JSON: {"adamw": {"learning_rate": 0.001}}, read without evaluating or importing anything."""

from gradchain.config.expression import from_repr
from gradchain.config.place import ConfigError
from gradchain.config.read import from_config
from gradchain.config.write import to_config

__all__ = ["ConfigError", "from_config", "from_repr", "to_config"]
