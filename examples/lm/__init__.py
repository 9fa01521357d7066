"""The parts of `train_lm.py`: data, model, optimizer, training, checkpoints and the report."""


class UserError(Exception):
    """What the user can put right; it is shown as one line, without a traceback."""
