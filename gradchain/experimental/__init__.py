"""What may still change: `optax.experimental`."""

from gradchain.experimental import aggregating

__all__ = ["aggregating"]
