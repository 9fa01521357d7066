"""Reading an optimizer: the table of its state, its metrics, its hyperparameters."""
