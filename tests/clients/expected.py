"""Programs that are known to fail, with the reason; one that passes all the same fails its test."""

# On gradchain.optax: other numbers than Optax's, each in docs/guide/optax.md.
DEPARTURES: dict[str, str] = {}

# On gradchain itself.
PLAIN: dict[str, str] = {}
