"""The parts of compare_optimizers.py: problems, tuning, tables and figures."""
