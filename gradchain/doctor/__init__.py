"""What looks wrong in a run, in words: diagnose."""
