"""`optax.experimental`, see gradchain.experimental."""

from gradchain.experimental import aggregating

__all__ = ["aggregating"]
